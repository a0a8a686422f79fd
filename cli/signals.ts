/**
 * When to stop: Ctrl-C, SIGTERM, or the end of the supervisor that started this process (the channel between them closes,
 * however the supervisor died, so nothing is left running). The first asks for an orderly stop, the second ends at once.
 */
/** 128 + SIGINT, as a shell reports it. */
export const INTERRUPTED_EXIT_CODE = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'disconnect'] as const;

/** What a test puts in place of the process. */
export type SignalSource = {
  on(signal: (typeof SIGNALS)[number], listener: () => void): unknown;
  off(signal: (typeof SIGNALS)[number], listener: () => void): unknown;
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
