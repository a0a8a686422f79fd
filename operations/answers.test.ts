/** Answers where they meet the database; over HTTP they are tested in web/. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { answerNumber, answerToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet, TEST_KEYS } from '../test/harness/local-cascade.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { answerByLink, answersByLink, openAnswerLink, type LinkForm } from './answer-links.ts';
import { answerByCommand, answerByReplies, answerByReply } from './answers.ts';
import { issueWarning } from './warnings.ts';

const DOOR = { via: 'gateway', serves: 'exercise' } as const;

let database: Database;
let tree: SmallTree;
let warningId: number;

beforeAll(async () => {
  database = await testDatabase('answers');
  tree = await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() - interval '2 days'`,
  );
  ({ warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['区/乡一'],
    expires: '+6h',
    issuer: '城气象台',
  }));
  await runUntilQuiet(database, warningId, [recordingChannel('sms'), recordingChannel('email')]);
  await database.query('delete from inbox');
});

const phoneOf = async (person: number) =>
  (
    await database.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [person],
    )
  )[0]?.address ?? '';

const numberOf = (person: number, keys = TEST_KEYS) =>
  answerNumber(keys, warningId, recipientName('people', person));

const said = () =>
  database.query(`select unit_id, kind, vouched_by, how from answers where warning_id = $1 order by id`, [
    warningId,
  ]);

it('takes a vouched answer with who vouches and how, also for a unit that answered before', async () => {
  const act = { warningId, unit: '区/乡一', doneCount: null, vouchedBy: '王值班', how: '电话' };
  const [recorded] = await answerByCommand(database, { ...act, answer: 'received' });
  expect(recorded).toMatchObject({ unit: '乡一', unitId: tree.unit('乡一') });
  await answerByCommand(database, { ...act, answer: 'cannot act', how: '对讲机' });
  expect(await said()).toEqual([
    { unit_id: tree.unit('乡一'), kind: 'received', vouched_by: '王值班', how: '电话' },
    { unit_id: tree.unit('乡一'), kind: 'cannot act', vouched_by: '王值班', how: '对讲机' },
  ]);
  const letters = await database.query(`select body->>'kind' as kind from inbox order by id`);
  expect(letters).toEqual([{ kind: 'answered' }, { kind: 'cannot act' }]);
});

it('refuses a vouched answer for a unit that the warning does not concern', async () => {
  const act = { warningId, unit: '区/乡二', doneCount: null, vouchedBy: '王', how: '电话' };
  await expect(answerByCommand(database, { ...act, answer: 'received' })).rejects.toMatchObject({
    code: 'unit-not-warned',
  });
  expect(await said()).toEqual([]);
});

it('keeps the same word said again, and tells the cell each time: another may have spoken in between', async () => {
  const person = tree.person('村一');
  for (const id of ['again-1', 'again-2', 'again-3'])
    await answerByReply(database, TEST_KEYS, {
      id: `${warningId}-${id}`,
      from: await phoneOf(person),
      text: `1 ${numberOf(person)}`,
    });
  expect(await said()).toHaveLength(3);
  expect(await database.query('select 1 from inbox')).toHaveLength(3);
});

it('takes links and numbers of an older key, which still lie in inboxes', async () => {
  const person = tree.person('村一');
  const keys: AnswerKeys = [{ id: '2', secret: 'a newer secret of the tests' }, ...TEST_KEYS];
  const [page] = await database.query<{ id: number }>(
    `select id * 1024 + array_position(recipients, $2) - 1 as id from pages
     where warning_id = $1 and audience = 'people' and $2 = any(recipients)`,
    [warningId, person],
  );
  const token = answerToken(TEST_KEYS, page?.id ?? 0);
  const act = { token, answer: 'received' as const, doneCount: null };
  for (const number of [numberOf(person), numberOf(person, keys)])
    expect(await answerByLink(database, keys, { ...act, number })).toMatchObject({ kind: 'recorded' });
  expect(await openAnswerLink(database, keys.slice(0, 1), token)).toBeNull();
});

/** Link and number of each of these units' principals, with an answer. */
async function formsOf(units: readonly string[]): Promise<LinkForm[]> {
  const people = units.map((unit) => tree.person(unit));
  const links = await database.query<{ person: number; id: number }>(
    `select r.person, min(p.id * 1024 + r.place - 1) as id
     from pages p, unnest(p.recipients) with ordinality as r (person, place)
     where p.warning_id = $1 and p.audience = 'people' and r.person = any($2) group by r.person`,
    [warningId, people],
  );
  return people.map((person) => ({
    token: answerToken(TEST_KEYS, links.find((link) => link.person === person)?.id ?? 0),
    number: numberOf(person),
    answer: 'received',
    doneCount: null,
  }));
}

it('stores forms that come together in one commit, each with its letter', async () => {
  const take = answersByLink(database, TEST_KEYS);
  const units = ['乡一', '村一', '组一'];
  const answers = await Promise.all((await formsOf(units)).map(take));
  expect(answers.map((answer) => answer.kind === 'recorded' && answer.link.units)).toEqual([
    ['乡一'],
    ['村一'],
    ['组一'],
  ]);
  const commits = await database.query('select distinct xmin::text from answers where warning_id = $1', [
    warningId,
  ]);
  expect(commits).toHaveLength(1);
  const letters = await database.query<{ unit_id: number }>('select unit_id from inbox order by unit_id');
  expect(letters.map((letter) => letter.unit_id)).toEqual(
    units.map((unit) => tree.unit(unit)).sort(byNumber),
  );
});

it('stores the neighbours of a form that cannot be stored', async () => {
  const poison = tree.person('村一');
  await database.query(`create or replace function refuse_person() returns trigger language plpgsql as
    'begin if new.person_id = ${poison} then raise exception ''poison'' using errcode = ''22000''; end if; return new; end'`);
  await database.query(
    `create or replace trigger poison before insert on answers for each row execute function refuse_person()`,
  );
  try {
    const take = answersByLink(database, TEST_KEYS);
    const settled = await Promise.allSettled((await formsOf(['乡一', '村一', '组一'])).map(take));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await said()).toHaveLength(2);
    expect(await database.query('select 1 from inbox')).toHaveLength(2);
  } finally {
    await database.query('drop trigger poison on answers');
  }
});

it('takes a wrong, a dead and a right link together, and counts only the wrong number', async () => {
  const take = answersByLink(database, TEST_KEYS);
  const [one, other, third] = await formsOf(['乡一', '村一', '组一']);
  if (!one || !other || !third) throw new RangeError('three forms');
  const wrong = String((Number(one.number) + 1) % 10_000).padStart(4, '0');
  const dead = answerToken(TEST_KEYS, 1_024 * 999_999);
  const answers = await Promise.all([
    take({ ...one, number: wrong }),
    take({ ...other, token: dead }),
    take(third),
  ]);
  expect(answers).toMatchObject([
    { kind: 'wrong number', triesLeft: 4 },
    { kind: 'no such link' },
    { kind: 'recorded' },
  ]);
  expect(await database.query('select tries from answer_tries')).toEqual([{ tries: 1 }]);
});

const byNumber = (one: number, other: number) => one - other;

it('names nobody where the numbers of two people on one telephone are the same', async () => {
  const [one, other] = [tree.person('村一'), tree.person('组一')];
  const own = await phoneOf(other);
  const shared = await phoneOf(one);
  await database.query(`update person_channels set address = $2 where person_id = $1 and channel = 'sms'`, [
    other,
    shared,
  ]);
  try {
    let keys: AnswerKeys = TEST_KEYS;
    for (let turn = 0; numberOf(one, keys) !== numberOf(other, keys); turn += 1)
      keys = [{ id: '1', secret: `a secret that makes them meet, ${turn}` }];
    const text = `1 ${numberOf(one, keys)}`;
    expect(await answerByReply(database, keys, { id: `meet-${warningId}`, from: shared, text })).toBe(
      'which warning',
    );
    expect(await said()).toEqual([]);
  } finally {
    await database.query(`update person_channels set address = $2 where person_id = $1 and channel = 'sms'`, [
      other,
      own,
    ]);
  }
});

it('stores the neighbours of a reply that cannot be stored, and says that one failed', async () => {
  await database.query(`create or replace function refuse_poison() returns trigger language plpgsql as
    'begin if new.provider_id like ''%poison'' then raise exception ''poison'' using errcode = ''22000''; end if; return new; end'`);
  await database.query(
    `create or replace trigger poison before insert on replies for each row execute function refuse_poison()`,
  );
  const units = ['城', '区', '乡一', '村一', '组一'];
  const replies = await Promise.all(
    units.map(async (unit) => ({
      id: `${warningId}-${unit === '乡一' ? 'poison' : unit}`,
      from: await phoneOf(tree.person(unit)),
      text: `1 ${numberOf(tree.person(unit))}`,
    })),
  );
  await expect(answerByReplies(database, TEST_KEYS, replies, DOOR)).rejects.toThrow('poison');
  expect(await said()).toHaveLength(4);
  await database.query('drop trigger poison on replies');
  const outcomes = await answerByReplies(database, TEST_KEYS, replies, DOOR);
  expect(outcomes.map(({ verdict }) => verdict)).toEqual([
    'repeated',
    'repeated',
    'recorded',
    'repeated',
    'repeated',
  ]);
  expect(await said()).toHaveLength(5);
});

it('whoever answers by SMS is proven reachable by it, and by nothing else; a wrong number proves nobody', async () => {
  const person = tree.person('组一');
  await database.query('update person_channels set proven_at = null');
  const proven = async () =>
    (
      await database.query<{ channel: string }>(
        'select channel from person_channels where person_id = $1 and proven_at is not null',
        [person],
      )
    ).map(({ channel }) => channel);
  const from = await phoneOf(person);
  const number = numberOf(person);
  const other = number === '1234' ? '4321' : '1234';
  await answerByReply(database, TEST_KEYS, { id: 'proof 1', from, text: `1 ${other}` });
  expect(await proven()).toEqual([]);
  await answerByReply(database, TEST_KEYS, { id: 'proof 2', from, text: `1 ${number}` });
  expect(await proven()).toEqual(['sms']);
});
