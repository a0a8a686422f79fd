/** A cancel at 10, 50 and 90 % of a warning: nothing is sent after it but what was leased, and exactly those reached hear of it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import type { PageStore } from '../domain/store.ts';
import { judge } from '../operations/referee.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { updateExercise } from '../operations/updates.ts';
import { testDatabase } from './database.ts';
import { measureCancel } from './harness/cancel-midway.ts';
import { recordingChannel, runUntilQuiet, type RecordingChannel } from './harness/local-cascade.ts';
import { anotherIncident, plantSmallTree } from './harness/small-tree.ts';

/** Members of a slice here: a page of the small tree would be one slice, and all of it leased. */
const SLICE = 2;

let database: Database;

beforeAll(async () => {
  database = await testDatabase('cancel-midway');
  await plantSmallTree(database);
});
afterAll(() => database.close());

async function issue(): Promise<number> {
  await anotherIncident(database);
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' },
  });
  return warningId;
}

const inSmallSlices = (store: PageStore): PageStore => ({
  ...store,
  claim: (pageId, input) => store.claim(pageId, { ...input, most: SLICE }),
});

/** Channels that cancel the warning while the n-th message is handed over; when it was committed. */
function cancelling(nth: number, cancel: () => Promise<unknown>) {
  let count = 0;
  const at = { committedAt: 0 };
  const respond = async () => {
    count += 1;
    if (count === nth) {
      await cancel();
      const [row] = await database.query<{ now: number }>(
        'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
      );
      at.committedAt = row?.now ?? 0;
    }
    return { outcome: 'handed off' as const, providerId: 'p' };
  };
  return { at, channels: [recordingChannel('sms', respond), recordingChannel('email', respond)] };
}

async function broken(warningId: number, channels: readonly RecordingChannel[]) {
  const messages = channels.flatMap((channel) => channel.messages);
  const own = messages.filter((message) => message.warningId === String(warningId));
  const attempts = new Map(own.map(({ deliveryId, attempt }) => [`${deliveryId}.${attempt}`, 1]));
  const invariants = await judge(database, warningId, { attempts, arrivals: new Map(), acts: [] });
  return invariants.filter(({ holds }) => !holds);
}

async function total(): Promise<number> {
  const warningId = await issue();
  const sms = recordingChannel('sms');
  await runUntilQuiet(database, warningId, [sms, recordingChannel('email')]);
  return sms.messages.length;
}

it.each([0.1, 0.5, 0.9])('at %f of the messages', async (share) => {
  const planned = await total();
  const warningId = await issue();
  const nth = Math.max(1, Math.round(planned * share));
  const { at, channels } = cancelling(nth, () => cancelWarning(database, warningId, null));
  await runUntilQuiet(database, warningId, channels, inSmallSlices);
  const measured = await measureCancel(database, warningId, at.committedAt);
  expect(measured).toMatchObject({ sendsAfter: 0, missed: 0, needless: 0 });
  expect(measured.leasedSends).toBeLessThanOrEqual(SLICE);
  expect(measured.told).toBe(measured.corrected);
  expect(measured.told).toBeGreaterThanOrEqual(nth);
  expect(measured.told).toBeLessThanOrEqual(nth + SLICE - 1);
  expect(await broken(warningId, channels)).toEqual([]);
});

it('before the first message reaches nobody, with nothing', async () => {
  const warningId = await issue();
  await cancelWarning(database, warningId, null);
  const { channels } = cancelling(0, () => Promise.resolve());
  await runUntilQuiet(database, warningId, channels);
  expect(channels.flatMap(({ messages }) => messages)).toEqual([]);
});

it('of an update in the middle of it reaches all whom either has told', async () => {
  const before = await issue();
  let after = 0;
  const first = cancelling(5, async () => {
    after = (await updateExercise(database, before, { level: 'orange' })).after.warningId;
  });
  await runUntilQuiet(database, before, first.channels, inSmallSlices);
  const second = cancelling(3, () => cancelWarning(database, after, null));
  await runUntilQuiet(database, after, second.channels, inSmallSlices);
  const said = [...first.channels, ...second.channels].flatMap(({ messages }) => messages);
  const lifted = (text: string) => text.includes('解除暴雨橙色');
  const told = new Set(said.filter(({ text }) => !lifted(text)).map(({ address }) => address));
  const corrected = said.filter(({ text }) => lifted(text)).map(({ address }) => address);
  expect(new Set(corrected)).toEqual(told);
  expect(corrected).toHaveLength(told.size);
  expect(await broken(before, first.channels)).toEqual([]);
  expect(await broken(after, second.channels)).toEqual([]);
});
