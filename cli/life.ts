/**
 * The life of a process that serves: it says when it is ready, and it ends when it is told to, or when the supervisor that
 * started it is gone (the channel between them closes, however the supervisor died), so that nothing is left running.
 */

/** Tells the supervisor, if there is one, that requests are taken from now on. */
export function sayReady(details: Record<string, unknown> = {}): void {
  process.send?.({ ready: true, ...details });
}

/** A line that the supervisor is to show, if there is one: what must not lie in a log unread. */
export function tellSupervisor(line: string): void {
  process.send?.({ tell: line });
}

/**
 * Resolves at the first SIGINT, SIGTERM, SIGHUP (the terminal was closed) or the end of the supervisor; a second signal ends
 * the process at once.
 */
export function untilToldToStop(): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    const tell = () => {
      if (told) process.exit(130);
      told = true;
      resolve();
    };
    process.on('SIGINT', tell);
    process.on('SIGTERM', tell);
    process.on('SIGHUP', tell);
    process.on('disconnect', () => {
      if (!told) tell();
    });
  });
}
