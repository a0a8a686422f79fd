/** The command line under test: one call, and what it wrote and with which code it ended. */
import type { Environment, Writer } from './context.ts';
import { main } from './main.ts';

export type Ran = { code: number; stdout: string; stderr: string };

/** A stream that keeps what is written to it; `tty` makes it a terminal of so many columns. */
export function keepingWriter(tty?: { columns: number; rows?: number }): Writer & { text(): string } {
  const written: string[] = [];
  return {
    write: (text) => written.push(text),
    text: () => written.join(''),
    ...(tty === undefined ? {} : { isTTY: true, ...tty }),
  };
}

/** Runs `fenghuo <argv>` in this process, in English and without a terminal unless `env` says otherwise. */
export async function run(argv: readonly string[], env: Environment = {}): Promise<Ran> {
  const stdout = keepingWriter();
  const stderr = keepingWriter();
  const code = await main([...argv], { stdout, stderr, env: { LANG: 'C.UTF-8', ...env } });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}
