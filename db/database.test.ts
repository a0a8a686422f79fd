import { afterAll, beforeAll, expect, it } from 'vitest';
import { testDatabase } from '../test/database.ts';
import { joinJson, jsonTexts, type Database } from './database.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('database');
});
afterAll(() => database.close());

it.each([
  ['none', []],
  ['one', [{ unit: 1 }]],
  ['many of every kind', [{ a: [1, null, { b: '"\\' }] }, 'text', 0, null, false, ['{,}'], '']],
  ['what stands between them, in them', ['a\u001eb', { 'key\u001e': '\u001e' }, '\\u001e', '\u001e']],
  ['control characters and other alphabets', ['\u0001\n\t\u007f', '濯水镇', '🌧', "'; --"]],
])('JSON values as one parameter: %s', async (_, values) => {
  const rows = await database.query<{ value: unknown }>(
    `select to_json(t.value) as value from unnest(${jsonTexts('$1')}) with ordinality as t (value, place) order by place`,
    [joinJson(values)],
  );
  expect(rows.map(({ value }) => value)).toEqual(values);
});
