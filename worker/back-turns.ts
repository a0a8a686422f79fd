/** Turns for what is said back to people: of the same rate as the sender's messages, behind those of every level. */
import { setTimeout as wait } from 'node:timers/promises';
import { registerSenders, reserveTurns, type RegisteredSender } from '../db/senders.ts';
import type { Sql } from '../db/database.ts';
import { LEVELS } from '../domain/levels.ts';
import { LEAD_MS, SHARE } from './turns.ts';

/** Who wrote is not kept waiting for longer: after that their answer stands all the same, and nothing is said. */
const WAIT_MOST_MS = 60_000;

/** Waits for a turn of so many parts; false where none came in time. */
export function backTurns(
  database: Sql,
  sender: RegisteredSender,
  parts: (text: string) => number,
): (text: string) => Promise<boolean> {
  let registering: Promise<void> | null = null;
  return async (text) => {
    registering ??= registerSenders(database, [sender]);
    await registering.catch((error: unknown) => {
      registering = null;
      throw error;
    });
    const ask = { id: sender.id, level: LEVELS.length - 1, parts: parts(text), more: false };
    const until = performance.now() + WAIT_MOST_MS;
    while (performance.now() < until) {
      const turns = await reserveTurns(database, { ...ask, leadMs: LEAD_MS, share: SHARE });
      if (turns.granted) {
        await wait(turns.startsInMs);
        return true;
      }
      await wait(turns.againInMs);
    }
    return false;
  };
}
