/**
 * One PostgreSQL and one Temporal for the whole suite, found or started as for everybody else; each file has its own schema.
 * Several runs in one clone at once each take an instance of their own.
 */
import { randomBytes } from 'node:crypto';
import { InstanceBusy } from '../runtime/errors.ts';
import { startServices, type Services } from '../runtime/services.ts';

const RUNS_AT_ONCE_MAX = 9;

export async function setup(): Promise<() => Promise<void>> {
  const services = await startFree();
  process.env['DATABASE_URL'] = services.postgres.url;
  process.env['TEMPORAL_ADDRESS'] = services.temporal.address;
  process.env['TEMPORAL_NAMESPACE'] = services.temporal.namespace;
  process.env['FENGHUO_SECRET'] = randomBytes(24).toString('hex');
  return () => services.stop();
}

async function startFree(run = 1): Promise<Services> {
  const log = (line: string) => process.stderr.write(`${line}\n`);
  try {
    return await startServices({ purpose: run === 1 ? 'test' : `test-${run}`, log });
  } catch (error) {
    if (error instanceof InstanceBusy && run < RUNS_AT_ONCE_MAX) return startFree(run + 1);
    throw error;
  }
}
