/** What waits for a decision reaches people's mailboxes: over real PostgreSQL and a mail server that refuses at first. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startScriptedSmtp, type ScriptedSmtp } from '../channels/testing.ts';
import { waitingWords } from '../cli/waiting-words.ts';
import { readConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { createDraft, publishDraft } from '../operations/drafts.ts';
import { testDatabase } from '../test/database.ts';
import { content, openOffice, pastTriggers, type Office } from '../test/harness/office.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { tellOfWaiting } from './waiting.ts';

let database: Database;
let smtp: ScriptedSmtp;
let tree: SmallTree;
let office: Office;
const logged: string[] = [];

beforeAll(async () => {
  database = await testDatabase('waiting');
  smtp = await startScriptedSmtp();
  tree = await plantSmallTree(database);
  office = await openOffice(database);
});
afterAll(async () => {
  await smtp.stop();
  await database.close();
});

function tell(channels: 'sandbox' | 'live' = 'sandbox'): Promise<number> {
  const config = readConfig({
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SECRET: 'x'.repeat(32),
    FENGHUO_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
    FENGHUO_CHANNELS: channels,
  });
  const words = waitingWords('en', 'https://warning.example');
  return tellOfWaiting({ database, config, words, log: (line) => logged.push(line) });
}

const recipients = () => smtp.mails.flatMap((mail) => mail.recipients.join());

it('reaches the person an operator is, again after a refusal, and never a made-up one by live senders', async () => {
  const author = (await office.hire('张三', 'author')).operator;
  const releaser = (await office.hire('李四', 'releaser')).operator;
  await database.query('update operators set person_id = $2 where id = $1', [
    releaser.operatorId,
    tree.person('城'),
  ]);
  const { draftId } = await createDraft(database, author, content([tree.unit('乡一')]));
  expect(await tell('live')).toBe(0);
  smtp.script.end = '451 later';
  expect(await tell()).toBe(0);
  expect(logged.join()).toContain(`about D${draftId} v1 to an operator could not be sent`);
  delete smtp.script.end;
  expect(await tell(), 'not before a minute has passed').toBe(0);
  await pastTriggers(database, `update operator_pages set at = at - interval '1 minute'`);
  expect(await tell()).toBe(1);
  expect(recipients().at(-1)).toContain(`p${tree.person('城')}@people.example`);
  expect(smtp.mails.at(-1)?.raw).toContain('warning approve');
  expect(await tell()).toBe(0);
  const duty = (await office.hire('王五', 'duty officer')).operator;
  await publishDraft(database, duty, draftId, `D${draftId}`, { emergency: '溃坝' });
  expect(await tell()).toBe(1);
  expect(smtp.mails.at(-1)?.raw).toContain('review-after');
});
