/**
 * Messages as they come from the wild, each with its verdict. The files are written after the shapes and defects of real
 * messages of India, the United States, Germany, Slovakia, Spain, Canada and China; names, places and senders are made up.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isError } from '../../domain/cap/findings.ts';
import { parseCap } from '../../domain/cap/parse.ts';
import { checkProfile } from '../../domain/cap/profiles.ts';
import { message } from './messages.ts';

const FOLDER = join(import.meta.dirname, 'wild');

/** File, errors with their places, recommendations. Without errors it is taken. */
const VERDICTS: readonly [file: string, errors: string[], recommendations: string[]][] = [
  ['baoding-reference.xml', [], []],
  ['bare-ampersand.xml', ['CAP-105 3:80'], []],
  ['cancel-without-reference.xml', ['CAP-304 2:1'], []],
  ['cap-1.0.xml', ['CAP-202 2:1'], []],
  ['cap-1.1.xml', ['CAP-202 2:1'], []],
  ['circle-in-metres.xml', ['CAP-310 6:37'], []],
  ['cma-gb18030.xml', [], []],
  ['cma-rainstorm-red.xml', [], []],
  ['cut-off.xml', ['CAP-105 3:117'], []],
  ['declared-utf8-is-latin1.xml', ['CAP-104 null:null'], []],
  ['dwd-latin1.xml', [], ['CAP-401']],
  ['ebcdic.xml', ['CAP-103 null:null'], []],
  ['february-thirty.xml', ['CAP-312 3:1'], ['CAP-402']],
  ['foreign-element.xml', ['CAP-210 2:1', 'CAP-204 4:1'], ['CAP-402']],
  ['html-entity.xml', ['CAP-107 3:84'], []],
  ['html-error-page.xml', ['CAP-106 1:15'], []],
  ['meteoalarm-bom.xml', [], []],
  [
    'missing-area-desc.xml',
    ['CAP-216 3:75', 'CAP-208 3:101', 'CAP-208 4:1', 'CAP-208 4:56', 'CAP-213 5:7', 'CAP-311 5:1'],
    [],
  ],
  ['names-in-blanks.xml', [], ['CAP-411', 'CAP-403', 'CAP-404', 'CAP-406']],
  ['no-namespace.xml', ['CAP-203 2:1'], []],
  ['nws-tornado.xml', [], []],
  ['open-polygon.xml', ['CAP-308 6:38'], []],
  ['private-without-addresses.xml', ['CAP-303 2:1'], []],
  ['reference-without-time.xml', [], ['CAP-410']],
  ['sachet-prefix.xml', [], ['CAP-405', 'CAP-409']],
  ['sender-with-space.xml', ['CAP-301 2:103', 'CAP-206 4:1', 'CAP-206 4:1', 'CAP-206 2:1'], ['CAP-409']],
  ['swapped-coordinates.xml', ['CAP-309 6:35'], []],
  ['three-points.xml', ['CAP-307 6:32'], []],
  ['unknown-msgtype.xml', ['CAP-313 3:24'], []],
  ['utf-16.xml', [], ['CAP-402']],
  ['wrong-order.xml', ['CAP-205 8:5', 'CAP-205 10:5'], ['CAP-407']],
  ['zulu-time.xml', ['CAP-209 3:1', 'CAP-209 5:87'], []],
];

function read(file: string) {
  return parseCap(readFileSync(join(FOLDER, file)));
}

describe('messages from the wild', () => {
  it('every file has a verdict', () => {
    expect(VERDICTS.map(([file]) => file).toSorted()).toEqual(readdirSync(FOLDER).toSorted());
  });

  it.each(VERDICTS)('%s', (file, errors, recommendations) => {
    const { alert, findings } = read(file);
    const found = findings.filter(isError).map(({ code, line, column }) => `${code} ${line}:${column}`);
    expect(found).toEqual(errors);
    expect([...new Set(findings.filter((one) => !isError(one)).map(({ code }) => code))]).toEqual(
      recommendations,
    );
    expect(alert === null).toBe(errors.length > 0);
  });

  it('text of every encoding arrives as it was written', () => {
    expect(read('cma-gb18030.xml').alert?.infos[0]?.event).toBe('大风');
    expect(read('dwd-latin1.xml').alert?.infos[0]?.description).toBe('Es treten Sturmböen über 65 km/h auf.');
    expect(read('utf-16.xml').alert?.note).toBe('心跳');
    expect(read('meteoalarm-bom.xml').alert?.infos[0]?.event).toBe('vysoké teploty');
  });

  it('a reference over two lines is two references', () => {
    expect(read('meteoalarm-bom.xml').alert?.references.map(({ identifier }) => identifier)).toEqual([
      '2.49.0.1.703.0.example.0',
      '2.49.0.1.703.0.example.00',
    ]);
  });

  it('an instant counts from its offset', () => {
    const { alert } = read('nws-tornado.xml');
    expect(alert?.infos[0]?.onset).toBe('2026-05-20T21:02:00-00:00');
  });

  it('an outline of 881 kB is read whole', () => {
    const points = Array.from({ length: 48_000 }, (_, index) => {
      const angle = (index / 48_000) * 2 * Math.PI;
      return `${(29 + Math.sin(angle)).toFixed(6)},${(108 + Math.cos(angle)).toFixed(6)}`;
    });
    const polygon = [...points, points[0]].join(' ');
    expect(polygon.length).toBeGreaterThan(881_000);
    const { alert, findings } = parseCap(Buffer.from(message({ area: `<polygon>${polygon}</polygon>` })));
    expect(findings).toEqual([]);
    expect(alert?.infos[0]?.areas[0]?.polygons[0]).toHaveLength(48_001);
  });

  it('profiles recommend and never refuse', () => {
    const { alert } = read('cma-rainstorm-red.xml');
    if (!alert) throw new Error('refused');
    expect(checkProfile('china', alert)).toEqual([]);
    expect(checkProfile('google', alert).map(({ code, values }) => `${code} ${values['name']}`)).toEqual([
      'CAP-521 web',
    ]);
    const nws = read('nws-tornado.xml').alert;
    if (!nws) throw new Error('refused');
    expect(checkProfile('google', nws)).toEqual([]);
    expect(checkProfile('china', nws).map(({ code }) => code)).toEqual([
      'CAP-501',
      'CAP-502',
      'CAP-503',
      'CAP-504',
      'CAP-505',
    ]);
  });
});
