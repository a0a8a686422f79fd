/** The desk at a terminal, by what an officer presses. */
import { expect, test } from 'vitest';
import type { Call, CallOutcome } from '../db/calls.ts';
import { createContext } from './context.ts';
import { askAtDesk } from './desk.ts';
import { keepingWriter } from './testing.ts';

/** Presses these keys over lines 1, 2, 3; gives what was recorded, what was shown, and the exit code. */
async function sit(pressed: string, lines = 3) {
  const stdout = keepingWriter({ columns: 80 });
  const stderr = keepingWriter();
  const context = createContext({ stdout, stderr, env: {} }, { output: 'text', lang: 'en' });
  const recorded: [number, CallOutcome][] = [];
  async function* keys() {
    yield* pressed;
  }
  let next = 0;
  await askAtDesk(
    context,
    {
      take: async () => ((next += 1) <= lines ? ({ callId: next } as Call) : null),
      record: async (callId, outcome) => void recorded.push([callId, outcome]),
      show: ({ callId }) => [`line ${callId}`],
    },
    keys(),
  );
  return { recorded, shown: stdout.text(), told: stderr.text(), code: context.exitCode };
}

test('each key is an outcome, and the next line follows', async () => {
  expect((await sit('rdcnwg', 6)).recorded).toEqual([
    ...[
      [1, 'received'],
      [2, 'done'],
      [3, 'cannot act'],
      [4, 'no answer'],
      [5, 'wrong number'],
      [6, 'given back'],
    ],
  ]);
});

test('when there is none left it says so', async () => {
  const { told, shown, code } = await sit('rn', 2);
  expect(told).toContain('nobody to telephone');
  expect(shown).toContain('r received  d done');
  expect(shown).toContain('→ no answer');
  expect(code).toBe(0);
});

test.each([
  ['q', 0],
  ['\u0003', 130],
  ['\u0004', 0],
  ['', 0],
])('%j ends it, and the open line is given back', async (key, code) => {
  const ended = await sit(`r${key}`);
  expect(ended.recorded).toEqual([
    [1, 'received'],
    [2, 'given back'],
  ]);
  expect(ended.code).toBe(code);
});

test('keys without a meaning are passed over, and capitals are the same', async () => {
  expect((await sit('x\u001b[AR', 1)).recorded).toEqual([[1, 'received']]);
});
