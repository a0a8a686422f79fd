/**
 * Hostile messages and 10,000 mutants, judged in a child process: each within a second and all within 256 MB, without a connection
 * and without a crash. A mutant of a signed message that is taken says what was signed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { Report } from '../harness/cap-judge.ts';

const MUTANTS = 10_000;
const SEED = 20_260_709;
/** Heap of V8; the limit of the promise is on the whole process. */
const OLD_SPACE_MIB = 96;
const PEAK_MIB_MOST = 256;
const JUDGED_MS_MOST = 1_000;

/** What is not among the refused is harmless, however large: it is read and judged. */
const TAKEN = [
  'a million references',
  'one long line of points',
  'brackets without end',
  'blanks without end',
];

const REFUSED: Record<string, string> = {
  'entity that is a file': 'CAP-106',
  'entity that is an address': 'CAP-106',
  'billion laughs': 'CAP-106',
  'quadratic entity': 'CAP-106',
  'parameter entity': 'CAP-106',
  'document type elsewhere': 'CAP-106',
  'endless document type': 'CAP-105',
  'entity without a declaration': 'CAP-107',
  XInclude: 'CAP-108',
  'numeric reference of a million digits': 'CAP-112',
  'numeric reference of a million zeros': 'CAP-112',
  'numeric reference beyond Unicode': 'CAP-105',
  'reference to a null character': 'CAP-105',
  'deep nesting': 'CAP-109',
  'deep and closed': 'CAP-109',
  'many elements': 'CAP-110',
  'many attributes': 'CAP-111',
  'many namespaces': 'CAP-111',
  'one long name': 'CAP-201',
  'one long attribute': 'CAP-210',
  'a polygon of digits': 'CAP-306',
  'a time of digits': 'CAP-209',
  'references without end': 'CAP-305',
  'ampersands without end': 'CAP-105',
  'a comment without end': 'CAP-113',
  'a declaration without end': 'CAP-105',
  'nothing at all': 'CAP-102',
  zeros: 'CAP-105',
  '100 MB file': 'CAP-101',
  'half a character': 'CAP-104',
  'UTF-7': 'CAP-103',
  'two roots': 'CAP-105',
  'the root within another': 'CAP-201',
  'signature of a foreign key': 'CAP-605',
  'signed, then changed': 'CAP-605',
  'signed, then exercise made actual': 'CAP-605',
  'a signature from another message': 'CAP-605',
  'signature wrapped in': 'CAP-602',
  'signature further down': 'CAP-602',
  'two signatures': 'CAP-602',
  'reference to a part': 'CAP-603',
  'reference without address': 'CAP-603',
  'two references': 'CAP-603',
  'a transform that takes away': 'CAP-604',
  'SHA-1': 'CAP-604',
  'HMAC with the public key': 'CAP-604',
  'a certificate of its own': 'CAP-605',
  'a comment in the value': 'CAP-605',
};

let report: Report;

beforeAll(() => {
  const judge = join(import.meta.dirname, '../harness/cap-judge.ts');
  const options = [`--max-old-space-size=${OLD_SPACE_MIB}`, '--import', 'tsx'];
  const child = spawnSync(process.execPath, [...options, judge, String(MUTANTS), String(SEED)], {
    encoding: 'utf8',
    timeout: 110_000,
  });
  expect(child.stderr).toBe('');
  expect(child.status).toBe(0);
  report = JSON.parse(child.stdout) as Report;
});

it('each hostile message gets its verdict', () => {
  expect(report.hostile).toEqual({ ...REFUSED, ...Object.fromEntries(TAKEN.map((name) => [name, 'taken'])) });
});

it('every mutant is judged, and none says under a signature what was not signed', () => {
  const { judged, taken, refused, forgeriesTaken } = report.mutants;
  expect({ judged, sum: taken + refused, forgeriesTaken }).toEqual({
    judged: MUTANTS,
    sum: MUTANTS,
    forgeriesTaken: 0,
  });
  expect(taken).toBeGreaterThan(0);
});

it('nothing took longer than a second, more than 256 MB, or the network', () => {
  expect(report.longestMs.ms, report.longestMs.of).toBeLessThan(JUDGED_MS_MOST);
  expect(report.peakMiB).toBeLessThan(PEAK_MIB_MOST);
  expect(report.outward).toEqual([]);
  expect(report.shown).toEqual(expect.arrayContaining(['TCPWRAP', 'GETADDRINFOREQWRAP']));
  process.stderr.write(
    `[cap] longest ${Math.round(report.longestMs.ms)} ms (${report.longestMs.of}), peak ${report.peakMiB} MiB\n`,
  );
});
