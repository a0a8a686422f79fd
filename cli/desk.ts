/** The desk at a terminal: one line after the other, and what came of each call by one key. */
import type { Call, CallOutcome } from '../db/calls.ts';
import type { Context } from './context.ts';
import { INTERRUPTED_EXIT_CODE } from './signals.ts';

const KEYS: Readonly<Record<string, CallOutcome>> = {
  r: 'received',
  d: 'done',
  c: 'cannot act',
  n: 'no answer',
  w: 'wrong number',
  g: 'given back',
};
const QUIT = 'q';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

export type Desk = {
  take: () => Promise<Call | null>;
  record: (callId: number, outcome: CallOutcome) => Promise<void>;
  /** The line as it lies before the officer. */
  show: (call: Call) => readonly string[];
};

/**
 * Takes line after line until there is none or the officer quits; the line that lies open then is given back. `keys` gives
 * one pressed key after the other, by default those of the terminal.
 */
export async function askAtDesk(
  context: Pick<Context, 'say' | 'stdout' | 'tell'> & { exitCode: number },
  desk: Desk,
  keys: AsyncIterable<string> = pressedKeys(),
): Promise<void> {
  const pressed = keys[Symbol.asyncIterator]();
  const write = (...lines: string[]) => void context.stdout.write(lines.map((line) => `${line}\n`).join(''));
  try {
    for (let call = await desk.take(); call; call = await desk.take()) {
      write('', ...desk.show(call), context.say('calls.keys'));
      const key = await outcomeKey(pressed);
      const outcome = KEYS[key] ?? 'given back';
      await desk.record(call.callId, outcome);
      write(`→ ${context.say(`outcome.${outcome}`)}`);
      if (key === CTRL_C) context.exitCode = INTERRUPTED_EXIT_CODE;
      if (!Object.hasOwn(KEYS, key)) return;
    }
    context.tell(context.say('calls.none'));
  } finally {
    await pressed.return?.();
  }
}

/** The next key that means something: an outcome, or the end. */
async function outcomeKey(pressed: AsyncIterator<string>): Promise<string> {
  for (;;) {
    const next = await pressed.next();
    if (next.done) return QUIT;
    const key = next.value.toLowerCase();
    if (Object.hasOwn(KEYS, key) || key === QUIT || key === CTRL_C) return key;
    if (key === CTRL_D) return QUIT;
  }
}

/** The keys of this terminal, each as it is pressed. */
async function* pressedKeys(): AsyncGenerator<string> {
  const { stdin } = process;
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  try {
    // Keys pressed in one go come as one text.
    for await (const text of stdin) yield* String(text);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
  }
}
