/** Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends the process at once. */
import type { Context } from './context.ts';

/** 128 + SIGINT, as a shell reports it. */
export const INTERRUPTED_EXIT_CODE = 130;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What a test puts in place of the process. */
export type SignalSource = {
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  off(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
  exit(code: number): void;
};

/** Runs `work` with a signal that the first SIGINT or SIGTERM aborts. */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  source: SignalSource = process,
): Promise<T> {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) source.exit(INTERRUPTED_EXIT_CODE);
    controller.abort();
  };
  for (const signal of SIGNALS) source.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of SIGNALS) source.off(signal, onSignal);
  }
}

/** Keeps a server running until it is asked to stop or fails by itself; returns when it has stopped. */
export async function serveUntilInterrupted(
  context: Pick<Context, 'say' | 'tell'>,
  start: () => Promise<{ readonly done?: Promise<void>; stop(): Promise<void> }>,
  source: SignalSource = process,
): Promise<void> {
  await untilInterrupted(async (signal) => {
    const running = await start();
    const asked = new Promise<'asked'>((resolve) => {
      if (signal.aborted) resolve('asked');
      signal.addEventListener('abort', () => resolve('asked'), { once: true });
    });
    const outcome = await Promise.race([asked, ...(running.done ? [running.done] : [])]);
    if (outcome !== 'asked') return;
    context.tell(context.say('serve.stopping'));
    await running.stop();
    context.tell(context.say('serve.stopped'));
  }, source);
}
