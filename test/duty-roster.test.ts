/** Who is on duty at this hour is told in place of the holder, answers like one, and the referee knows it. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { insertDuties } from '../db/duties.ts';
import { findSilentBelow, findVouchable } from '../db/below.ts';
import { findLink } from '../db/answer-links.ts';
import { findOtherWarnings } from '../db/other-warnings.ts';
import { readSilentUnits } from '../db/warnings.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { answerByLink } from '../operations/answer-links.ts';
import { answerByReply } from '../operations/answers.ts';
import { judge, type FarSideAct, type Invariant } from '../operations/referee.ts';
import { issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import {
  makeDeadlinesDue,
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { appoint, plantSmallTree, type SmallTree } from './harness/small-tree.ts';
import { broken } from './harness/stack.ts';

const HOUR_MS = 3_600_000;
const REQUEST = { hazard: '暴雨', level: '红', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' };

let database: Database;
let tree: SmallTree;
let sms: RecordingChannel;
let email: RecordingChannel;
/** Holds a post of the city's, far down its ladder; all else they do is by the roster. */
let officer: number;

beforeEach(async () => {
  await database?.close();
  database = await testDatabase('duty roster');
  tree = await plantSmallTree(database);
  officer = await appoint(database, tree.unit('乡二'), '值班员', 9);
  sms = recordingChannel('sms');
  email = recordingChannel('email');
});
afterAll(() => database.close());

async function duty(unit: string, rank: number, hours: [number, number] = [-1, 1]): Promise<void> {
  const [from, until] = hours.map((hour) => Date.now() + hour * HOUR_MS) as [number, number];
  await insertDuties(database, [{ unitId: tree.unit(unit), rank, personId: officer, from, until }]);
}

const run = (warningId: number) => runUntilQuiet(database, warningId, [sms, email]);

async function issue(): Promise<number> {
  const { warningId } = await issueWarning(database, REQUEST);
  await run(warningId);
  return warningId;
}

const addressOf = async (personId: number, channel = 'sms') =>
  (
    await database.query<{ address: string }>(
      'select address from person_channels where person_id = $1 and channel = $2',
      [personId, channel],
    )
  )[0]?.address ?? '';

const toldBy = async (channel: RecordingChannel, personId: number) => {
  const address = await addressOf(personId, channel.channel);
  return channel.messages.filter((message) => message.address === address);
};

const numberOf = (warningId: number, personId: number) =>
  answerNumber(TEST_KEYS, warningId, recipientName('people', personId));

/** What the referee says of a warning, with all that the far side has; these tests move clocks, so it is not asked for times. */
async function judged(warningId: number, acts: FarSideAct[] = []): Promise<Invariant[]> {
  const attempts = new Map<string, number>();
  for (const { deliveryId, attempt } of [...sms.messages, ...email.messages])
    attempts.set(`${deliveryId}.${attempt}`, 1);
  const arrivals = new Map([...attempts.keys()].map((reference) => [reference, Date.now()]));
  const invariants = await judge(database, warningId, { attempts, arrivals, acts });
  return invariants.filter(({ name }) => !name.includes('on time'));
}

const brokenPromises = async (warningId: number, acts: FarSideAct[] = []) =>
  broken(await judged(warningId, acts));

describe('while somebody is on duty for a post', () => {
  it('they are told in place of its holder, who is told of nothing; the next rung goes to them as well', async () => {
    await duty('村一', 0);
    const id = await issue();
    expect(await toldBy(sms, officer)).toHaveLength(1);
    expect(await toldBy(sms, tree.person('村一'))).toEqual([]);
    await makeDeadlinesDue(database, id);
    await run(id);
    expect((await toldBy(email, officer)).length).toBeGreaterThan(0);
    expect(await toldBy(email, tree.person('村一'))).toEqual([]);
    expect(await brokenPromises(id)).toEqual([]);
  });

  it('a roster of another hour changes nothing', async () => {
    await duty('村一', 0, [1, 2]);
    await duty('乡一', 0, [-2, -1]);
    const id = await issue();
    expect(await toldBy(sms, officer)).toEqual([]);
    expect(await toldBy(sms, tree.person('村一'))).toHaveLength(1);
    expect(await brokenPromises(id)).toEqual([]);
  });

  it('a post that nobody holds is told through them', async () => {
    await database.query('delete from posts where unit_id = $1', [tree.unit('村一')]);
    await duty('村一', 0);
    const id = await issue();
    expect(await toldBy(sms, officer)).toHaveLength(1);
    expect(await brokenPromises(id)).toEqual([]);
    await database.query(`update unit_states set silent_at = clock_timestamp() where warning_id = $1`, [id]);
    const silent = (await readSilentUnits(database, id, 9)).find(({ path }) => path.at(-1) === '村一');
    expect(silent?.people).toMatchObject([{ name: '值班员', rank: 0, phone: await addressOf(officer) }]);
  });

  it('on duty for two units they have one message, which names both, and one answer settles both', async () => {
    await duty('村一', 0);
    await duty('乡一', 0);
    const id = await issue();
    const [message, ...others] = await toldBy(sms, officer);
    expect(others).toEqual([]);
    expect(message?.text).toContain('乡一');
    expect(message?.text).toContain('村一');
    const from = await addressOf(officer);
    const act: FarSideAct = {
      ...{ actId: 'r1', deliveryId: message?.deliveryId ?? '', address: from, via: 'sms', kind: 'received' },
      ...{ at: new Date().toISOString(), status: 200 },
    };
    const text = `1 ${numberOf(id, officer)}`;
    expect(await answerByReply(database, TEST_KEYS, { id: 'r1', from, text })).toBe('recorded');
    const answered = await database.query<{ name: string }>(
      'select u.name from answers a join units u on u.id = a.unit_id where warning_id = $1 order by 1',
      [id],
    );
    expect(answered.map(({ name }) => name)).toEqual(['乡一', '村一']);
    await run(id);
    expect(await brokenPromises(id, [act])).toEqual([]);
  });

  it('the answer counts after the shift too, the holder may answer as well, and a stranger may not', async () => {
    await duty('村一', 0);
    const id = await issue();
    await database.query(`update duties set until_at = clock_timestamp()`);
    const say = async (person: number, key: string) =>
      answerByReply(database, TEST_KEYS, {
        ...{ id: key, from: await addressOf(person), text: `1 ${numberOf(id, person)}` },
      });
    expect(await say(officer, 'a')).toBe('recorded');
    expect(await say(tree.person('村一'), 'b')).toBe('recorded');
    expect(await say(tree.person('村二'), 'c')).toBe('nothing open');
  });

  it('their link shows the unit and what is below it, lists their other warnings, and takes the answer', async () => {
    await duty('乡一', 0);
    const id = await issue();
    const { warningId: other } = await issueWarning(database, { ...REQUEST, hazard: '大风' });
    await run(other);
    await makeDeadlinesDue(database, id);
    await run(id);
    const message = (await toldBy(email, officer)).find(({ warningId }) => warningId === String(id));
    expect(await findLink(database, Number(message?.deliveryId))).toMatchObject({
      ...{ recipientId: officer, units: ['乡一'], hasBelow: true, hasOthers: true },
    });
    const person = { warningId: id, personId: officer };
    expect((await findSilentBelow(database, { ...person, most: 9 })).units).toMatchObject([{ name: '村一' }]);
    expect(await findVouchable(database, { ...person, unitIds: [tree.unit('组一')] })).toEqual({
      ...{ name: '值班员', unitIds: [tree.unit('组一')] },
    });
    expect(await findOtherWarnings(database, { ...person, most: 9 })).toMatchObject([
      { warningId: other, units: ['乡一'] },
    ]);
    const token = /\/a\/(\S+)/.exec(message?.text ?? '')?.[1] ?? '';
    const answer = { token, number: numberOf(id, officer), answer: 'done', doneCount: 3 } as const;
    expect(await answerByLink(database, TEST_KEYS, answer)).toMatchObject({ kind: 'recorded' });
  });
});

describe('the referee', () => {
  it('sees that the holder was told although somebody was on duty', async () => {
    const id = await issue();
    expect(await brokenPromises(id)).toEqual([]);
    await duty('村一', 0);
    expect(await brokenPromises(id)).toMatchObject([{ number: 1, counts: { missing: 1 } }]);
  });

  it('sees a message and an answer of somebody who was never on duty for that unit', async () => {
    await duty('村一', 0);
    const id = await issue();
    const from = await addressOf(officer);
    await answerByReply(database, TEST_KEYS, { id: 'r', from, text: `1 ${numberOf(id, officer)}` });
    const counts = async () => Object.assign({}, ...(await judged(id)).map((one) => one.counts)) as object;
    expect(await counts()).toMatchObject({ notTheirs: 0, outside: 0 });
    await database.query('delete from duties');
    expect(await counts()).toMatchObject({ notTheirs: 1, outside: 1 });
  });
});
