/** Circuits of two workers that share PostgreSQL: what one learns of a sender, the other knows. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database, Sql } from '../db/database.ts';
import { readSenderHealth } from '../db/senders.ts';
import { exerciseMessage } from '../channels/testing.ts';
import type { SendResult } from '../domain/ports.ts';
import { resultOf } from '../domain/results.ts';
import { waitUntil } from '../runtime/processes.ts';
import { testDatabase } from '../test/database.ts';
import { createDesk, type Desk, type DeskSender } from './desk.ts';

const WELL: SendResult = { outcome: 'handed off', providerId: 'x' };
const FAILING: SendResult = { outcome: 'later', reason: 'connection' };

let database: Database;
let statements: string[];
let lines: string[];
const desks: Desk[] = [];

beforeAll(async () => {
  database = await testDatabase('desk');
});

afterAll(() => database.close());

beforeEach(async () => {
  statements = [];
  lines = [];
  await database.query('delete from senders');
});

afterEach(async () => {
  await Promise.all(desks.splice(0).map((desk) => desk.close()));
});

function openDesk(change: Partial<DeskSender>[] = [{}]): Desk {
  const counting: Sql = {
    query: (text, values, name) => {
      statements.push(name ?? text.trim().split(/\s+/, 3).join(' '));
      return database.query(text, values, name);
    },
  };
  const desk = createDesk({
    serves: 'exercise',
    database: counting,
    senders: change.map((one, place) => ({ id: `s${place}`, channel: 'sms', perSecond: null, ...one })),
    log: (line) => void lines.push(line),
  });
  desks.push(desk);
  return desk;
}

const health = async () => (await readSenderHealth(database)).find(({ id }) => id === 's0');
const closed = () =>
  waitUntil(async () => (await health())?.reason, { deadlineMs: 10_000, what: 'a closed circuit' });
const knows = (desk: Desk, isClosed: boolean) =>
  waitUntil(() => desk.closedForMs('s0') > 0 === isClosed, {
    deadlineMs: 10_000,
    what: 'the circuit to be known',
  });
const admit = async (desk: Desk) => desk.admit('s0', exerciseMessage(), 1_000);
/** As if the circuit's time were over. */
const passTime = () =>
  database.query(`update senders set closed_until = clock_timestamp() - interval '1 ms'`);

it('costs no statement where all is well and no rate is set, but one look a second', async () => {
  const desk = openDesk();
  for (let message = 0; message < 1_000; message += 1) {
    expect(desk.closedForMs('s0')).toBe(0);
    expect(desk.admit('s0', exerciseMessage(), 1_000)).toBe(true);
    desk.heard('s0', WELL, false);
  }
  await desk.close();
  expect(statements).toEqual(['insert into senders', 'read-sender-health']);
  expect([desk.waitMostMs('s0'), desk.claimMost('s0')]).toEqual([0, null]);
});

describe('a circuit', () => {
  it.each([
    ['config', 60],
    ['provider-out', 3_600],
  ] as const)('closes by %s, for %i seconds, in both workers', async (reason, seconds) => {
    const [one, other] = [openDesk(), openDesk()];
    one.heard('s0', resultOf(reason), false);
    expect(one.closedForMs('s0')).toBeGreaterThan(0);
    await closed();
    expect(await health()).toMatchObject({ reason, failures: 1 });
    expect((await health())?.closedForMs).toBeGreaterThan((seconds - 10) * 1_000);
    await knows(other, true);
    expect(lines).toEqual([`The sender s0 takes nothing (${reason}): it is tried again in ${seconds} s.`]);
  });

  it('closes by five messages in a row that did not get through, and not by four', () => {
    const desk = openDesk();
    for (const result of [FAILING, FAILING, FAILING, FAILING, WELL, FAILING, FAILING, FAILING, FAILING]) {
      desk.heard('s0', result, false);
      expect(desk.closedForMs('s0')).toBe(0);
    }
    desk.heard('s0', FAILING, false);
    expect(desk.closedForMs('s0')).toBeGreaterThan(0);
  });

  it('of a message’s only sender does not close by what may have been taken', () => {
    const unknown: SendResult = { outcome: 'unknown', reason: 'timeout' };
    const [alone, beside] = [openDesk(), openDesk()];
    for (let message = 0; message < 10; message += 1) {
      alone.heard('s0', unknown, false);
      beside.heard('s0', unknown, true);
    }
    expect([alone.closedForMs('s0') > 0, beside.closedForMs('s0') > 0]).toEqual([false, true]);
  });

  it('lets one probe of all workers through when its time is over, and opens by its success', async () => {
    const [one, other] = [openDesk(), openDesk()];
    one.heard('s0', resultOf('config'), false);
    await closed();
    await knows(other, true);
    await passTime();
    await Promise.all([knows(one, false), knows(other, false)]);
    const admitted = await Promise.all([admit(one), admit(one), admit(other), admit(other)]);
    expect(admitted.filter(Boolean)).toHaveLength(1);
    const prober = admitted[0] || admitted[1] ? one : other;
    prober.heard('s0', WELL, false);
    expect(await admit(prober)).toBe(true);
    await waitUntil(async () => (await health())?.reason === null, {
      deadlineMs: 10_000,
      what: 'it to open',
    });
    await waitUntil(async () => other.closedForMs('s0') === 0 && (await admit(other)), {
      deadlineMs: 10_000,
      what: 'the other to know',
    });
  });

  it('stays closed longer when the probe fails too', async () => {
    const desk = openDesk();
    for (let message = 0; message < 5; message += 1) desk.heard('s0', FAILING, true);
    await closed();
    await passTime();
    await knows(desk, true);
    expect(await admit(desk)).toBe(true);
    desk.heard('s0', FAILING, true);
    await waitUntil(async () => (await health())?.failures === 2, {
      deadlineMs: 10_000,
      what: 'the second time',
    });
    expect((await health())?.closedForMs).toBeGreaterThan(20_000);
  });

  it('is not opened by a message that had left before it closed', async () => {
    const desk = openDesk();
    desk.heard('s0', resultOf('config'), false);
    desk.heard('s0', WELL, false);
    expect(desk.closedForMs('s0')).toBeGreaterThan(0);
  });

  it('closes in its own worker though PostgreSQL is away', async () => {
    const away: Sql = { query: () => Promise.reject(new Error('away')) };
    const senders: DeskSender[] = [{ id: 's0', channel: 'sms', perSecond: null }];
    const desk = createDesk({ serves: 'exercise', database: away, senders, log: () => undefined });
    expect(desk.closedForMs('s0')).toBe(0);
    desk.heard('s0', resultOf('config'), false);
    expect(desk.closedForMs('s0')).toBeGreaterThan(0);
    await desk.close();
  });
});

it('halves the rate of a sender that is told to slow down, and nothing where there is no rate', async () => {
  const desk = openDesk([{ perSecond: 50 }, {}]);
  for (const id of ['s0', 's0', 's0', 's1']) desk.heard(id, resultOf('throttled'), false);
  await desk.close();
  expect(statements.filter((name) => name === 'slow-sender')).toHaveLength(1);
  expect(desk.closedForMs('s0')).toBe(0);
});

it('counts what the provider counts', async () => {
  const desk = openDesk([{ perSecond: 20, parts: () => 3 }]);
  const begin = performance.now();
  for (let message = 0; message < 4; message += 1) expect(await admit(desk)).toBe(true);
  // Three messages of three parts lie before the fourth: nine turns of a twentieth of a second.
  expect(performance.now() - begin).toBeGreaterThan(9 * 45);
});
