/** While it serves, the web process looks now and then for replies that were not pushed: at its start, and after each disturbance. */
import type { Database } from '../db/database.ts';
import type { SenderSide, WarningKind } from '../domain/kinds.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { catchUpInbound, type InboundList } from '../operations/inbound-catch-up.ts';

/** A reply whose push failed waits no longer than this. One list a minute costs nothing. */
const EVERY_MS = 60_000;

export function startCatchUp(input: {
  database: Database;
  keys: AnswerKeys;
  inbound: InboundList;
  serves: WarningKind;
  /** Whose account is asked. @default serves */
  side?: SenderSide;
  log: (line: string) => void;
  /** @default a minute */
  everyMs?: number;
}): { stop(): Promise<void> } {
  const { database, keys, inbound, serves, side = serves, log } = input;
  let running: Promise<void> | null = null;
  let failing = false;
  const run = async () => {
    try {
      const fresh = await catchUpInbound(database, keys, inbound, serves, side);
      if (fresh > 0) log(`${fresh} replies that Twilio could not push were taken from its list.`);
      failing = false;
    } catch (error) {
      // Told once: an outage fills no log. The list is asked again, from the same watermark.
      if (!failing)
        log(`Twilio's list of replies cannot be read: ${error instanceof Error ? error.name : 'fault'}`);
      failing = true;
    }
  };
  const look = () => {
    running ??= run().finally(() => {
      running = null;
    });
  };
  look();
  const timer = setInterval(look, input.everyMs ?? EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
