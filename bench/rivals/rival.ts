/**
 * A rival as the bench sees it: a process of its own, as the engine's worker is, that stays for all rounds and sends the same
 * messages when it is told to.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Site } from '../site.ts';

export const RIVAL_NAMES = [
  'bare',
  'graphile-worker',
  'pg-boss',
  'smtp-limit',
  'loop',
  'gateway-limit',
] as const;
export type RivalName = (typeof RIVAL_NAMES)[number];

/** What the bench says to a rival's process, and what that answers. */
export type ToRival = { round: string };
export type FromRival = { ready: Record<string, string | number> } | { startedAt: number };

export type Rival = {
  name: RivalName;
  pid: number | null;
  /** How it is tuned. */
  settings: Record<string, string | number>;
  /** Sends everything once under this word and gives back when it began, in milliseconds since 1970. */
  round(word: string): Promise<{ startedAt: number }>;
  stop(): Promise<void>;
};

const ENTRY = fileURLToPath(new URL('./process.ts', import.meta.url));

/** Starts a rival's process and waits until it is ready to send. */
export async function startRival(site: Site, name: RivalName): Promise<Rival> {
  const child = fork(ENTRY, [name], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...site.installation.environment },
    // Standard output is the bench's own, for its result.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`the rival ${name} ended with ${code ?? 'a signal'}`)));
  });
  ended.catch(() => undefined);
  const heard = () =>
    Promise.race([ended, new Promise<FromRival>((resolve) => child.once('message', resolve))]);
  const first = await heard();
  return {
    name,
    pid: child.pid ?? null,
    settings: 'ready' in first ? first.ready : {},
    async round(word) {
      child.send({ round: word } satisfies ToRival);
      const answer = await heard();
      if (!('startedAt' in answer)) throw new Error(`the rival ${name} did not say when it began`);
      return answer;
    },
    async stop() {
      const gone = ended.catch(() => undefined);
      child.disconnect();
      await gone;
    },
  };
}
