/** parse(build(x)) = x, and what was parsed can be built again: over messages made at random. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as words from '../../domain/cap/alert.ts';
import type { CapAlert, CapPoint } from '../../domain/cap/alert.ts';
import { buildCap } from '../../domain/cap/build.ts';
import { isError } from '../../domain/cap/findings.ts';
import { parseCap, parseCapText } from '../../domain/cap/parse.ts';
import { isoWithOffset } from '../../domain/time.ts';

/** Any text XML can hold at all, with something in it that is no blank. */
const text = fc
  .string({ unit: fc.constantFrom(...'ab 雨é<>&"\']]>\r\n\t😀'.match(/./gsu)!), minLength: 1, maxLength: 30 })
  .filter((value) => value.trim() !== '');
const name = fc.stringMatching(/^[A-Za-z0-9._@:-]{1,30}$/);
const time = fc
  .record({
    at: fc.integer({ min: 0, max: 4_000_000_000 }),
    offset: fc.integer({ min: -14 * 60, max: 14 * 60 }),
  })
  .map(({ at, offset }) => isoWithOffset(at * 1_000, offset));
const degree = (most: number) =>
  fc.integer({ min: -most * 1e6, max: most * 1e6 }).map((value) => value / 1e6);
const point = fc.tuple(degree(90), degree(180));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const list = <T>(arbitrary: fc.Arbitrary<T>, minLength = 0) =>
  fc.array(arbitrary, { minLength, maxLength: 3 });
const pair = fc.record({ valueName: text, value: text });
const polygon = fc
  .array(point, { minLength: 3, maxLength: 6 })
  .map((points): CapPoint[] => [...points, points[0] ?? [0, 0]]);
const uri = fc.stringMatching(/^https:\/\/[a-z]{1,9}\.example\/[a-z0-9?=&]{0,9}$/);

const area = fc
  .record({
    areaDesc: text,
    polygons: list(polygon),
    circles: list(
      fc.record({ centre: point, radiusKm: fc.integer({ min: 0, max: 99_999 }).map((m) => m / 100) }),
    ),
    geocodes: list(pair),
    altitude: maybe(fc.constantFrom('0', '120.5')),
    ceiling: fc.constantFrom(null, '9842.5'),
  })
  .map((one) => ({ ...one, ceiling: one.altitude === null ? null : one.ceiling }));

const info = fc.record({
  language: maybe(fc.constantFrom('zh-CN', 'en-US', 'ug')),
  categories: list(fc.constantFrom(...words.CATEGORIES), 1),
  event: text,
  responseTypes: list(fc.constantFrom(...words.RESPONSE_TYPES)),
  urgency: fc.constantFrom(...words.URGENCIES),
  severity: fc.constantFrom(...words.SEVERITIES),
  certainty: fc.constantFrom(...words.CERTAINTIES),
  audience: maybe(text),
  eventCodes: list(pair),
  effective: maybe(time),
  onset: maybe(time),
  expires: maybe(time),
  senderName: maybe(text),
  headline: maybe(text),
  description: maybe(text),
  instruction: maybe(text),
  web: maybe(uri),
  contact: maybe(text),
  parameters: list(pair),
  resources: list(
    fc.record({
      resourceDesc: text,
      mimeType: text,
      size: maybe(fc.constantFrom('0', '102400')),
      uri: maybe(uri),
      derefUri: maybe(text),
      digest: maybe(text),
    }),
  ),
  areas: list(area),
});

const alert: fc.Arbitrary<CapAlert> = fc
  .record({
    identifier: name,
    sender: name,
    sent: time,
    status: fc.constantFrom(...words.STATUSES),
    msgType: fc.constantFrom(...words.MESSAGE_TYPES),
    source: maybe(text),
    scope: fc.constantFrom(...words.SCOPES),
    restriction: text,
    addresses: text,
    codes: list(text),
    note: maybe(text),
    references: list(fc.record({ sender: name, identifier: name, sent: fc.oneof(time, fc.constant('')) }), 1),
    incidents: maybe(text),
    infos: list(info),
  })
  .map((one) => ({ ...one, references: one.msgType === 'Alert' ? [] : one.references }));

it('what is built is valid, and reads as what it was built from', () => {
  fc.assert(
    fc.property(alert, (message) => {
      const { alert: read, findings } = parseCapText(buildCap(message));
      expect(findings.filter(isError)).toEqual([]);
      expect(read).toEqual(message);
    }),
    { numRuns: 500 },
  );
});

it('what was read from any file of the corpus can be built again', () => {
  const folder = join(import.meta.dirname, 'wild');
  const taken = readdirSync(folder).flatMap((file) => parseCap(readFileSync(join(folder, file))).alert ?? []);
  expect(taken.length).toBeGreaterThan(8);
  for (const message of taken) {
    const again = parseCapText(buildCap(message));
    expect(again.findings.filter(isError)).toEqual([]);
    expect(again.alert).toEqual(message);
  }
});
