import { expect, it } from 'vitest';
import { parseSender } from './answer-sender.ts';

it.each([
  ['+8613800138000', '+8613800138000'],
  ['13800138000', '+8613800138000'],
  ['8613800138000', '+8613800138000'],
  ['008613800138000', '+8613800138000'],
  ['+86 138-0013-8000', '+8613800138000'],
  ['（+86）１３８ ００１３ ８０００', '+8613800138000'],
  [' 138 0013 8000\n', '+8613800138000'],
  // Numbers of the generator exist nowhere, and are read all the same.
  ['10020000000', '+8610020000000'],
  ['8610020000000', '+8610020000000'],
  ['+1 (202) 555-0123', '+12025550123'],
  // Eleven digits without a country are China's, whatever they would be elsewhere.
  ['12025550123', '+8612025550123'],
])('reads %s as %s', (written, address) => {
  expect(parseSender(written)).toBe(address);
});

it.each(['', 'alice', '13800138000 ext. 5', "'; drop table replies", '1'.repeat(400), 'p@x.example'])(
  'reads no number in %s',
  (written) => {
    expect(parseSender(written)).toBeNull();
  },
);
