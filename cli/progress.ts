/** Says on standard error that something still runs, when it takes longer than a person waits without wondering. */
import type { Context } from './context.ts';
import { clip } from './width.ts';

const QUIET_MS = 2_000;
const LINE_EVERY_MS = 10_000;

/** Runs `work`; what it logs, and the time it has taken, is shown after two seconds. */
export async function withProgress<T>(
  context: Context,
  name: string,
  work: (log: (line: string) => void) => Promise<T>,
): Promise<T> {
  const { stderr } = context;
  const startedAt = Date.now();
  let phase = '';
  let shown = false;
  let lineAt = startedAt;
  const show = () => {
    const seconds = Math.floor((Date.now() - startedAt) / 1_000);
    const text = context.say('progress', { name, seconds }) + (phase === '' ? '' : `  ${phase}`);
    if (stderr.isTTY === true) stderr.write(`\r\u001b[K${clip(text, (stderr.columns ?? 80) - 1)}`);
    else if (!shown || Date.now() - lineAt >= LINE_EVERY_MS) {
      stderr.write(`${text}\n`);
      lineAt = Date.now();
    }
    shown = true;
  };
  const log = (line: string) => {
    phase = line;
    if (Date.now() - startedAt >= QUIET_MS) show();
  };
  const timer = setInterval(() => {
    if (Date.now() - startedAt >= QUIET_MS) show();
  }, 1_000);
  try {
    return await work(log);
  } finally {
    clearInterval(timer);
    if (shown && stderr.isTTY === true) stderr.write('\r\u001b[K');
  }
}
