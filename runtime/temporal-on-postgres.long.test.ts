// The Temporal server on PostgreSQL under kills and half-made databases. (Long: where none is cached it must be built first.)
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  environment,
  kill,
  openFixture,
  ownerProcess,
  query,
  startWorkflow,
  workflowStatus,
} from './testing.ts';
import type { Fixture } from './testing.ts';

const buildMsMax = 20 * 60_000;

let fixture: Fixture;
beforeEach(() => {
  fixture = openFixture();
});
afterEach(async () => {
  await fixture.end();
});

describe('Temporal on PostgreSQL', { timeout: buildMsMax }, () => {
  test('keeps workflows over a kill -9 of itself and of PostgreSQL, and over a stop', async () => {
    const first = await fixture.start({ temporal: 'postgres' });
    await startWorkflow(first);
    await Promise.all([kill(first.temporal.pid), kill(first.postgres.pid)]);
    await first.postgres.restart();
    await first.temporal.restart();
    expect(await workflowStatus(first)).toBe('RUNNING');
    await first.stop();
    const second = await fixture.start({ temporal: 'postgres' });
    expect(await workflowStatus(second)).toBe('RUNNING');
    expect(second.temporal.address).toBe(first.temporal.address);
  });

  test('is taken over when its owner was killed', async () => {
    const env = environment(fixture.folder);
    const other = ownerProcess(fixture.folder, { purpose: 'test', temporal: 'postgres', env });
    const report = await other.report();
    await other.kill();
    const services = await fixture.start({ temporal: 'postgres' });
    expect({
      postgresPid: services.postgres.pid,
      temporalPid: services.temporal.pid,
      postgresUrl: services.postgres.url,
    }).toEqual(report);
  });

  test('makes anew a database whose making was interrupted, and leaves any other alone', async () => {
    const first = await fixture.start({ temporal: 'postgres' });
    await query(first, 'create table kept as select 42 as value');
    await query(first, `comment on database fenghuo_visibility is 'not finished: dropped by the next start'`);
    await first.stop();
    const second = await fixture.start({ temporal: 'postgres' });
    await startWorkflow(second);
    expect(await query(second, 'select value from kept')).toEqual([{ value: 42 }]);
    const comments = await query(
      second,
      `select datname, shobj_description(oid, 'pg_database') as comment from pg_database where datname like 'fenghuo_%' order by 1`,
    );
    expect(comments).toEqual([
      { datname: 'fenghuo_temporal', comment: null },
      { datname: 'fenghuo_visibility', comment: null },
    ]);
  });
});
