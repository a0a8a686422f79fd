/** A sender's rate over several workers: one row in PostgreSQL, four desks on four pools, as four workers have. */
import { performance } from 'node:perf_hooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/database.ts';
import { registerSenders, reserveTurns, slowSender } from '../db/senders.ts';
import { exerciseMessage } from '../channels/testing.ts';
import type { LevelId } from '../domain/levels.ts';
import { waitUntil } from '../runtime/processes.ts';
import { backTurns } from '../worker/back-turns.ts';
import { createDesk, type Desk } from '../worker/desk.ts';
import { testDatabase } from './database.ts';
import { mostWithin } from './harness/rate.ts';

const WORKERS = 4;
const PER_SECOND = 50;

let database: Database;
let pools: Database[];

beforeAll(async () => {
  database = await testDatabase('rates');
  pools = Array.from({ length: WORKERS }, () =>
    openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema: database.schema, indexesOnly: true }),
  );
});

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  await database.close();
});

beforeEach(() => database.query('delete from senders'));

it('what is said back counts: it moves the next turn of the gateway, in parts, and waits behind a red message', async () => {
  const sender = { id: 'sms-gateway', channel: 'sms' as const, perSecond: 10 };
  const turn = backTurns(database, sender, (text) => text.length);
  const free = async () =>
    (
      await database.query<{ ahead: number }>(
        `select (extract(epoch from next_free - clock_timestamp()) * 1000)::float8 as ahead from senders`,
      )
    )[0]?.ahead ?? 0;
  expect(await turn('三十')).toBe(true);
  expect(await free()).toBeGreaterThan(100);
  expect(await free()).toBeLessThanOrEqual(2 * (1000 / (10 * 0.98)));
  await database.query(
    `update senders set next_free = clock_timestamp(), waiting_level = 0, waiting_until = clock_timestamp() + interval '1 hour'`,
  );
  let said = false;
  const waiting = turn('一').then((granted) => {
    said = granted;
  });
  const red = await reserveTurns(database, {
    ...{ id: 'sms-gateway', level: 0, parts: 1, more: false, leadMs: 40, share: 0.98 },
  });
  expect([red.granted, said]).toEqual([true, false]);
  await database.query('update senders set waiting_until = null');
  await waiting;
  expect(said).toBe(true);
});

describe('turns reserved in PostgreSQL', () => {
  const ask = { id: 'sms-gateway', level: 0, parts: 5, more: false, leadMs: 40, share: 1 };
  const register = (perSecond = PER_SECOND) =>
    registerSenders(database, [{ id: 'sms-gateway', channel: 'sms', perSecond }]);

  it('follow each other without a gap and without an overlap, whoever asks', async () => {
    await register();
    const begin = performance.now();
    const slices: { from: number; to: number }[] = [];
    await Promise.all(
      pools.map(async (pool) => {
        while (slices.length < 20) {
          // A lead that is never over lets everybody reserve at once.
          const turns = await reserveTurns(pool, { ...ask, leadMs: 60_000 });
          if (turns.granted) slices.push({ from: turns.startsInMs, to: performance.now() });
        }
      }),
    );
    const [row] = await database.query<{ ahead: number }>(
      `select (extract(epoch from next_free - clock_timestamp()) * 1000)::float8 as ahead from senders`,
    );
    const passed = performance.now() - begin;
    const reservedMs = slices.length * 5 * (1000 / PER_SECOND);
    // What is reserved lies behind the first moment, and nothing was reserved twice.
    expect((row?.ahead ?? 0) + passed).toBeGreaterThanOrEqual(reservedMs);
    expect(row?.ahead).toBeLessThanOrEqual(reservedMs);
  });

  it('wait for the slice that runs, and tell how long', async () => {
    await register();
    expect(await reserveTurns(database, ask)).toMatchObject({ granted: true, gapMs: 20 });
    const refused = await reserveTurns(database, ask);
    expect(refused.granted).toBe(false);
    expect(!refused.granted && refused.againInMs).toBeLessThanOrEqual(100 - 40);
  });

  it('are left to the more urgent level for as long as it waits', async () => {
    await register();
    await reserveTurns(database, { ...ask, level: 3 });
    // Red asks while blue's slice runs: from now on it waits, and blue gets nothing although turns are free.
    expect(await reserveTurns(database, ask)).toMatchObject({ granted: false });
    const freed = { ...ask, leadMs: 60_000 };
    expect(await reserveTurns(database, { ...freed, level: 3 })).toMatchObject({ granted: false });
    expect(await reserveTurns(database, { ...freed, more: true })).toMatchObject({ granted: true });
    expect(await reserveTurns(database, { ...freed, level: 1 })).toMatchObject({ granted: false });
    await database.query(`update senders set waiting_until = clock_timestamp() - interval '1 ms'`);
    expect(await reserveTurns(database, { ...freed, level: 3 })).toMatchObject({ granted: true });
  });

  it('are half as many where the provider asked for less, until that is over', async () => {
    await register();
    await slowSender(database, 'sms-gateway', 60_000);
    expect(await reserveTurns(database, ask)).toMatchObject({ granted: true, gapMs: 40 });
    await database.query(`update senders set slowed_until = clock_timestamp() - interval '1 ms'`);
    expect(await reserveTurns(database, { ...ask, leadMs: 60_000 })).toMatchObject({ gapMs: 20 });
  });

  it('follow the configuration', async () => {
    await register();
    await register(10);
    expect(await reserveTurns(database, { ...ask, share: 0.5 })).toMatchObject({ gapMs: 200 });
  });
});

describe('four workers', () => {
  let desks: Desk[];
  let released: { at: number; level: LevelId }[];

  beforeEach(() => {
    released = [];
    desks = pools.map((pool) =>
      createDesk({
        serves: 'exercise',
        database: pool,
        senders: [{ id: 'sms-gateway', channel: 'sms', perSecond: PER_SECOND }],
        log: () => undefined,
      }),
    );
  });

  afterEach(() => Promise.all(desks.map((desk) => desk.close())));

  async function send(desk: Desk | undefined, level: LevelId, withinMs = 60_000): Promise<boolean> {
    const admitted = await desk?.admit('sms-gateway', exerciseMessage({ level }), withinMs);
    if (admitted) released.push({ at: performance.now(), level });
    return admitted === true;
  }

  /** Keeps `count` messages waiting at each desk until `until` says so. */
  function flood(level: LevelId, count: number, until: () => boolean): Promise<void>[] {
    return desks.flatMap((desk) =>
      Array.from({ length: count }, async () => {
        while (!until()) await send(desk, level, 500);
      }),
    );
  }

  it('together never send more than the limit and one in any second', async () => {
    await Promise.all(flood('red', 10, () => released.length >= PER_SECOND * 3));
    const moments = released.map(({ at }) => at);
    expect(mostWithin(moments, 1_000)).toBeLessThanOrEqual(PER_SECOND + 1);
  });

  it('never make up by a burst for what they missed', async () => {
    const flooding = flood('red', 15, () => released.length >= PER_SECOND * 2);
    // A slice holds 12 turns: the second has just begun.
    await waitUntil(() => released.length > 13, { deadlineMs: 10_000, what: 'messages', everyMs: 1 });
    // Nothing of this process runs for longer than a slice.
    const end = performance.now() + 300;
    while (performance.now() < end);
    await Promise.all(flooding);
    expect(
      mostWithin(
        released.map(({ at }) => at),
        1_000,
      ),
    ).toBeLessThanOrEqual(PER_SECOND + 1);
  });

  it('let red go first: it waits for nothing but the slice that runs', async () => {
    let over = false;
    const blue = flood('blue', 30, () => over);
    while (released.length < PER_SECOND / 2) await send(desks[1], 'blue');
    const before = released.length;
    const red = await Promise.all(Array.from({ length: 20 }, () => send(desks[0], 'red')));
    over = true;
    expect(red).toEqual(red.map(() => true));
    const since = released.slice(before);
    const lastRed = since.map(({ level }) => level).lastIndexOf('red');
    const bluesBetween = since.slice(0, lastRed).filter(({ level }) => level === 'blue');
    // A slice holds 12 turns; what another worker had reserved of it goes out.
    expect(bluesBetween.length).toBeLessThanOrEqual(13);
    await Promise.all(blue);
  });

  it('say when a turn does not come in time, and what waits when they close', async () => {
    const [desk] = desks;
    const results = await Promise.all(Array.from({ length: 60 }, () => send(desk, 'red', 300)));
    expect(results.filter((given) => !given).length).toBeGreaterThan(0);
    const waiting = Array.from({ length: 60 }, () => send(desk, 'red'));
    await desk?.close();
    expect(await Promise.all(waiting)).toContain(false);
  });
});
