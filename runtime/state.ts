// What an instance remembers between runs: which server processes it started, on which ports. Only the
// owner of the instance writes it, and always whole (a temporary file, then a rename).
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Instance } from './places.ts';

const identity = z.object({ pid: z.number(), startedAt: z.string() });

const serverRecord = z.object({
  /** Null before the process is there, and after an orderly stop. */
  process: identity.nullable(),
  /** Kept after a stop, so that the next run has the same address if it is free. */
  port: z.number(),
  binary: z.string(),
  version: z.string(),
});

const instanceState = z.object({
  owner: identity.nullable(),
  postgres: serverRecord.optional(),
  temporal: serverRecord.optional(),
});

/** One server of an instance as it was last seen. */
export type ServerRecord = z.infer<typeof serverRecord>;
/** The content of `state.json`. */
export type InstanceState = z.infer<typeof instanceState>;

/** The instance's memory; an absent or unreadable file is an empty one, since all in it can be found anew. */
export function readState(instance: Instance): InstanceState {
  try {
    return instanceState.parse(JSON.parse(readFileSync(stateFile(instance), 'utf8')));
  } catch {
    return { owner: null };
  }
}

/** Replaces the instance's memory in one step. */
export function writeState(instance: Instance, state: InstanceState): void {
  const draft = `${stateFile(instance)}.draft`;
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(draft, stateFile(instance));
}

/** Where the instance's memory lies. */
export function stateFile(instance: Instance): string {
  return join(instance.directory, 'state.json');
}

/** The lock that says who owns the instance. */
export function ownerLock(instance: Instance): string {
  return join(instance.directory, 'owner.lock');
}
