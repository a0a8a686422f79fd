// The servers under kill -9: of their owner, of themselves, of both, at awkward moments.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspect } from './doctor.ts';
import { InstanceBusy } from './errors.ts';
import { instanceOf } from './places.ts';
import { readState, writeState } from './state.ts';
import {
  environment,
  kill,
  openFixture,
  ownerProcess,
  paths,
  query,
  startWorkflow,
  workflowStatus,
} from './testing.ts';
import type { Fixture } from './testing.ts';

let fixture: Fixture;
beforeEach(() => {
  fixture = openFixture();
});
afterEach(async () => {
  await fixture.end();
});

describe('after a kill -9', { timeout: 60_000 }, () => {
  test('takes over the servers of an owner that was killed', async () => {
    const other = ownerProcess(fixture.folder, { purpose: 'test', env: environment(fixture.folder) });
    const report = await other.report();
    const refused: unknown = await fixture.start().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InstanceBusy);
    await other.kill();
    expect(await inspect({ purpose: 'test', env: environment(fixture.folder) })).toContainEqual(
      expect.objectContaining({ name: 'instance "test"', status: 'warn' }),
    );
    const services = await fixture.start();
    expect({
      postgresPid: services.postgres.pid,
      temporalPid: services.temporal.pid,
      postgresUrl: services.postgres.url,
    }).toEqual(report);
  });

  test('finds servers again whose starter died before it wrote their pids down', async () => {
    const other = ownerProcess(fixture.folder, { purpose: 'test', env: environment(fixture.folder) });
    const report = await other.report();
    await other.kill();
    const instance = instanceOf({ purpose: 'test', env: environment(fixture.folder) });
    writeState(instance, { owner: readState(instance).owner });
    const services = await fixture.start();
    expect(report).toMatchObject({ postgresPid: services.postgres.pid, temporalPid: services.temporal.pid });
  });

  test('starts again on the same data when the owner and both servers were killed', async () => {
    const other = ownerProcess(fixture.folder, { purpose: 'test', env: environment(fixture.folder) });
    const report = await other.report();
    if ('failed' in report) throw new Error(report.failed);
    await other.kill();
    await Promise.all([kill(report.postgresPid), kill(report.temporalPid)]);
    const services = await fixture.start();
    expect(services.postgres.url).toBe(report.postgresUrl);
    expect(await query(services, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('lets exactly one of four that start at once own the instance', async () => {
    const others = [1, 2, 3, 4].map(() =>
      ownerProcess(fixture.folder, { purpose: 'test', env: environment(fixture.folder) }),
    );
    const reports = await Promise.all(others.map(async (other) => other.report()));
    expect(reports.filter((report) => 'failed' in report)).toHaveLength(3);
    await Promise.all(others.map(async (other) => other.kill()));
    await fixture.start();
  });

  test('restart brings a killed PostgreSQL and a killed Temporal back with all they had committed', async () => {
    const services = await fixture.start();
    await query(services, 'create table kept as select 42 as value');
    await startWorkflow(services);
    const before = [services.postgres.pid, services.temporal.pid];
    await Promise.all([kill(services.postgres.pid), kill(services.temporal.pid)]);
    expect([services.postgres.alive(), services.temporal.alive()]).toEqual([false, false]);
    await Promise.all([services.postgres.restart(), services.temporal.restart()]);
    expect(await query(services, 'select value from kept')).toEqual([{ value: 42 }]);
    expect(await workflowStatus(services)).toBe('RUNNING');
    expect([services.postgres.pid, services.temporal.pid]).not.toEqual(before);
  });

  test('repairs what was left half made: a draft cluster, and a Temporal file that never served', async () => {
    const first = await fixture.start();
    await first.stop();
    const { data, database } = paths(first);
    rmSync(join(dirname(database), 'complete'));
    writeFileSync(database, '');
    mkdirSync(join(`${data}.draft-1`, 'data'), { recursive: true });
    renameSync(data, join(`${data}.draft-1`, 'data', 'half'));
    const second = await fixture.start();
    expect(await query(second, 'select 1 as one')).toEqual([{ one: 1 }]);
    await startWorkflow(second);
    expect(await workflowStatus(second)).toBe('RUNNING');
    expect(readdirSync(first.dataDirectory).filter((entry) => entry.includes('draft'))).toEqual([]);
  });
});
