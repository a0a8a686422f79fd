import { describe, expect, test } from 'vitest';
import {
  maskAddress,
  parseEmail,
  parseLanguage,
  parsePhone,
  parseRank,
  parseStaffNumber,
} from './organisation-person.ts';

describe('a rank', () => {
  test.each([
    ['principal', 0],
    ['正职', 0],
    ['主要负责人', 0],
    ['0', 0],
    ['０', 0],
    ['deputy 1', 1],
    ['Deputy 12', 12],
    ['副职', 1],
    ['副职2', 2],
    ['副职二', 2],
    ['副３', 3],
    ['3', 3],
  ])('%s is %i', (cell, value) => {
    expect(parseRank(cell)).toEqual({ value });
  });

  test.each(['', 'boss', '副职0', '99', '-1', '1.5', 'constructor'])('"%s" is none', (cell) => {
    expect(parseRank(cell)).toHaveProperty('fault');
  });
});

describe('a telephone number', () => {
  test.each([
    ['13800138000', '+8613800138000'],
    ['１３８００１３８０００', '+8613800138000'],
    ['+86 138 0013 8000', '+8613800138000'],
    ['＋86-138-0013-8000', '+8613800138000'],
    ['8613800138000', '+8613800138000'],
    ['008613800138000', '+8613800138000'],
    ['(+86)13800138000', '+8613800138000'],
    ['+1 202 555 0123', '+12025550123'],
    ['', null],
  ])('%s is kept as %s', (cell, value) => {
    expect(parsePhone(cell)).toEqual({ value: value === null ? null : { number: value, kind: 'mobile' } });
  });

  test.each([
    ['1380013800', 'does not exist'],
    ['+8610023456789', 'does not exist'],
    ['see below', 'no telephone number'],
    ['13800138000 or 13900139000', 'no telephone number'],
    ['4008123123', 'neither a mobile number nor a landline'],
  ])('%s is refused: %s', (cell, words) => {
    const parsed = parsePhone(cell);
    expect(parsed).toHaveProperty('fault', expect.stringContaining(words));
    // Errors are printed and logged; numbers must not be.
    expect(JSON.stringify(parsed)).not.toContain(cell.slice(-4));
  });
});

test.each([
  ['An.Chen@Example.COM', { value: 'an.chen@example.com' }],
  ['ａ@example.com', { value: 'a@example.com' }],
  ['', { value: null }],
  ['chen@', { fault: 'this is no e-mail address' }],
  ['a b@example.com', { fault: 'this is no e-mail address' }],
  ['a@b.example\nbcc: c@d.example', { fault: 'this is no e-mail address' }],
])('the e-mail address %j', (cell, parsed) => {
  expect(parseEmail(cell)).toEqual(parsed);
});

test.each([
  ['A-012', { value: 'A-012' }],
  ['渝0012', { value: '渝0012' }],
  ['', { value: null }],
])('the staff number %j', (cell, parsed) => {
  expect(parseStaffNumber(cell)).toEqual(parsed);
});

test.each(['+8613800138000', 'a@example.com', 'x'.repeat(41)])('%s is no staff number', (cell) => {
  expect(parseStaffNumber(cell)).toHaveProperty('fault');
});

test.each([
  ['', null],
  ['ZH', 'zh'],
  ['英文', 'en'],
])('the language %j is %s', (cell, value) => {
  expect(parseLanguage(cell)).toEqual({ value });
});

test.each([
  ['+8613812340000', '138****0000'],
  ['+12025550123', '+120****0123'],
  ['an.chen@example.com', 'a***@example.com'],
  ['+86110', '****'],
])('%s is shown as %s', (address, shown) => {
  expect(maskAddress(address)).toBe(shown);
});
