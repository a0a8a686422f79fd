/** The referee on revisions: green on a chain as the engine made it, red on each way in which one can be wrong. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database, Sql } from '../db/database.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import { judgeMoment } from '../operations/referee.ts';
import { answerByCommand } from '../operations/answers.ts';
import { updateExercise } from '../operations/updates.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { recordingChannel, runUntilQuiet } from './harness/local-cascade.ts';
import { plantSmallTree } from './harness/small-tree.ts';

let database: Database;
let messages: OutgoingMessage[];

/** W1 red for the whole city, answered by one village; W2 orange without one township; W3 the same, cancelled. */
beforeAll(async () => {
  database = await testDatabase('referee-chains');
  await plantSmallTree(database);
  const channels = [recordingChannel('sms'), recordingChannel('email')];
  const run = (warningId: number) => runUntilQuiet(database, warningId, channels);
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' },
  });
  await run(warningId);
  await answerByCommand(database, {
    ...{ warningId, unit: '村一', answer: 'received', doneCount: null, vouchedBy: '值班员', how: '电话' },
  });
  await run(warningId);
  await updateExercise(database, 1, { level: 'orange', areas: ['城/区/乡一'] });
  await run(1);
  await run(2);
  await updateExercise(database, 2, { expires: '+9h' });
  await run(2);
  await run(3);
  await cancelWarning(database, 3, null);
  await run(3);
  messages = channels.flatMap((channel) => channel.messages);
});
afterAll(() => database.close());

/** The numbers of the invariants that do not hold in what `spoil` makes of it; nothing of that stays. */
async function broken(warningId: number, spoil: (sql: Sql) => Promise<unknown>): Promise<number[]> {
  const undo = new Error('undo');
  let numbers: number[] = [];
  await database
    .transaction(async (sql) => {
      await spoil(sql);
      const own = messages.filter((message) => message.warningId === String(warningId));
      const attempts = new Map(own.map(({ deliveryId, attempt }) => [`${deliveryId}.${attempt}`, 1]));
      const invariants = await judgeMoment(sql, warningId, { attempts, arrivals: new Map(), acts: [] });
      numbers = invariants.filter(({ holds }) => !holds).map(({ number }) => number);
      throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
  return numbers;
}

it.each([1, 2, 3])('holds W%i of a chain for whole', async (warningId) => {
  expect(await broken(warningId, () => Promise.resolve())).toEqual([]);
});

const SPOILED: [what: string, warningId: number, number: number, sql: string][] = [
  [
    'an all-clear to somebody the update leaves out is missing',
    1,
    1,
    `delete from deliveries where (id, attempt) in (select id, attempt from deliveries where warning_id = 1
       and purpose = 'cancel notice' limit 1)`,
  ],
  [
    'an all-clear went to somebody the update keeps',
    1,
    5,
    `update deliveries set recipient_id = (select person_id from posts p join units u on u.id = p.unit_id
       where u.name = '村一' and rank = 0) where warning_id = 1 and purpose = 'cancel notice' and audience = 'people'`,
  ],
  [
    'a cancel did not reach somebody whom only an earlier warning had told',
    3,
    1,
    `delete from deliveries where warning_id = 3 and purpose = 'cancel notice'
       and recipient_id = (select min(recipient_id) from deliveries where warning_id = 3 and purpose = 'cancel notice')`,
  ],
  ['a carried answer was never given', 2, 3, `update answers set kind = 'done' where warning_id = 2`],
  [
    'an answer was carried although a new one is asked for',
    2,
    3,
    'update warnings set asks_again = true where id = 2',
  ],
  [
    'an answer was not carried',
    2,
    8,
    'update answers set carried_from = null, warning_id = 1 where warning_id = 2',
  ],
  [
    'whoever had answered heard of no change',
    2,
    1,
    `delete from deliveries where warning_id = 2 and purpose = 'change notice'`,
  ],
  [
    'the update overtook what it supersedes',
    2,
    5,
    `update claims set settled_at = clock_timestamp() + interval '1 hour', lease_until = clock_timestamp() + interval '1 hour'
     where page_id in (select id from pages where warning_id = 1)`,
  ],
  [
    'somebody was dropped as superseded by nothing',
    3,
    1,
    `update deliveries set outcome = 'dropped', reason = 'superseded' where warning_id = 3 and purpose = 'rung'`,
  ],
];

it.each(SPOILED)('turns red where %s', async (_what, warningId, number, statement) => {
  expect(await broken(warningId, (sql) => sql.query(statement))).toContain(number);
});
