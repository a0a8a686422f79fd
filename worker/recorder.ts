/** The recorder's loop in every worker: seals the record (db/audit-seal.ts), and writes anchors where that is configured. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { seal } from '../db/audit-seal.ts';
import { isUnreachable, type Database } from '../db/database.ts';
import { anchorsConfigured, writeAnchor } from './anchor.ts';

/** How long what is written may stand unsealed: until then nobody can show that a row was there. */
const SEAL_EVERY_MS = 30_000;

export type Recorder = { stop(): Promise<void> };

/** Starts sealing; the first time after one interval, so that whoever was just started sends first. */
export function startRecorder(input: {
  database: Database;
  config: Config;
  log: (line: string) => void;
  /** @default {@link SEAL_EVERY_MS} */
  everyMs?: number;
}): Recorder {
  const stopping = new AbortController();
  const done = (async () => {
    for (;;) {
      await wait(input.everyMs ?? SEAL_EVERY_MS, undefined, { signal: stopping.signal }).catch(
        () => undefined,
      );
      if (stopping.signal.aborted) return;
      await record(input);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

/** Seals and anchors once; never throws. */
async function record({ database, config, log }: Parameters<typeof startRecorder>[0]): Promise<void> {
  try {
    while ((await seal(database))?.more === true);
    if (!anchorsConfigured(config)) return;
    const anchor = await writeAnchor(database, config, 'due');
    for (const { to, reason } of anchor?.failed ?? [])
      log(`record: the anchor could not be written (${to}: ${reason})`);
  } catch (error) {
    // The watchdog shouts of a database that is away.
    if (!isUnreachable(error)) log(`record: ${(error as Error).name} ${(error as Error).message}`);
  }
}
