/**
 * A worker's signs of life, which are all that a watchdog sees: that it runs, and that it reaches Temporal. While PostgreSQL
 * is away there are none, and that is right.
 */
import { hostname } from 'node:os';
import type { Connection } from '@temporalio/client';
import type { Database } from '../db/database.ts';
import { beat, forgetOld } from '../db/liveness.ts';
import { TEMPORAL_SIGN, workerSign } from '../domain/watchdog.ts';
import type { WarningKind } from '../domain/kinds.ts';

/** The watchdog's shortest window holds one missed sign. */
const EVERY_MS = 4_000;
const TEMPORAL_ANSWER_MS_MAX = 3_000;

/** The name of this process's sign: process 1 of one container is not process 1 of another. */
export function ownSign(kind: WarningKind): string {
  return workerSign(kind, `${hostname()}:${process.pid}`);
}

/** Shows life at once and then every few seconds, until stopped. */
export function startPulse(input: {
  database: Database;
  connection: Connection;
  namespace: string;
  name: string;
}): { stop(): void } {
  const { database, connection, namespace, name } = input;
  const once = () => {
    void beat(database, name).catch(() => undefined);
    // It reads the namespace from Temporal's own store, so that a server without its database counts as away.
    void connection
      .withDeadline(Date.now() + TEMPORAL_ANSWER_MS_MAX, () =>
        connection.workflowService.describeNamespace({ namespace }),
      )
      .then(() => beat(database, TEMPORAL_SIGN))
      .catch(() => undefined);
  };
  once();
  void forgetOld(database).catch(() => undefined);
  const timer = setInterval(once, EVERY_MS);
  return { stop: () => clearInterval(timer) };
}
