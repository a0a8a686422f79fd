/** Anchors as workers write them: sealed, appended to a file and mailed by a real mail server, each place at its own interval. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readConfig, type Config } from '../config.ts';
import { appendRecord } from '../db/audit.ts';
import { newestSeal, seal } from '../db/audit-seal.ts';
import type { Database } from '../db/database.ts';
import { readAnchors } from '../domain/anchors.ts';
import { verifyAudit } from '../operations/audit-verify.ts';
import { waitUntil } from '../runtime/processes.ts';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { testDatabase } from '../test/database.ts';
import { pastTriggers } from '../test/harness/office.ts';
import { writeAnchor } from './anchor.ts';
import { startRecorder, type Recorder } from './recorder.ts';

const ADDRESS = 'anchors@archive.example';
const REFUSES = { email: { replies: [{ share: 1, code: 451, text: 'later' }] } };

let database: Database;
let directory: string;
let sandbox: Sandbox;
let recorder: Recorder | null = null;
const logged: string[] = [];

beforeAll(async () => {
  database = await testDatabase('recorder');
});
afterAll(() => database.close());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-recorder-'));
  logged.length = 0;
  sandbox = await startSandbox({
    ...{ directory, repliesUrl: 'http://127.0.0.1:9', secret: 'a secret of the tests', seed: 'recorder' },
    keepTexts: true,
    log: () => undefined,
  });
  await database.query('delete from anchors');
  await act();
});
afterEach(async () => {
  await recorder?.stop();
  recorder = null;
  await sandbox.stop();
  rmSync(directory, { recursive: true });
});

const file = () => join(directory, 'anchors.jsonl');

const act = () =>
  appendRecord(database, { kind: 'pause', warningId: null, actor: '值班', body: { reason: '核实' } });

/** What a worker is configured with; `undefined` takes a variable away. */
function configure(other: Record<string, string | undefined> = {}): Config {
  return readConfig({
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SECRET: 'x'.repeat(32),
    FENGHUO_SMTP_URL: sandbox.smtpUrl,
    FENGHUO_ANCHOR_FILE: file(),
    FENGHUO_ANCHOR_EMAIL: ADDRESS,
    ...other,
  });
}

const inFile = () => readAnchors(readFileSync(file(), 'utf8')).anchors;

/** What came to that mailbox, as its owner saves it: the bodies one after the other. */
function mailed(): string {
  const lines = readFileSync(join(directory, 'messages.jsonl'), 'utf8').trim().split('\n');
  const mails = lines.map((line) => JSON.parse(line) as { address: string; body: string });
  return mails
    .filter(({ address }) => address === ADDRESS)
    .map(({ body }) => body)
    .join('\n');
}

const anchoredIn = () =>
  database.query<{ seal: number; places: string }>(
    `select seal, array_to_string(written_to, '+') as places from anchors order by id`,
  );

it('seals and anchors by itself, in the file and by e-mail, and both prove the record', async () => {
  const [before] = [(await newestSeal(database))?.seal ?? 0];
  recorder = startRecorder({ database, config: configure(), log: (line) => logged.push(line), everyMs: 20 });
  await waitUntil(async () => (await anchoredIn()).length > 0, { deadlineMs: 10_000, what: 'an anchor' });
  await recorder.stop();
  expect(logged).toEqual([]);
  const head = await newestSeal(database);
  expect(head?.seal).toBe(before + 1);
  const anchors = [...inFile(), ...readAnchors(mailed()).anchors];
  expect(anchors.map(({ seal: number, hash }) => [number, hash])).toEqual([
    [head?.seal, head?.hash],
    [head?.seal, head?.hash],
  ]);
  expect(await verifyAudit(database, { anchors })).toMatchObject({
    ...{ whole: true, faultCount: 0 },
    anchors: { compared: 2, matched: 2 },
  });
  // Who owns the database cuts off what was sealed, the seal with it.
  await pastTriggers(database, `delete from audit where chain = 'seals' and position = $1`, [head?.seal]);
  await pastTriggers(
    database,
    `update audit_heads set position = position - 1, sealed = 0 where chain = 'seals'`,
  );
  const found = await verifyAudit(database, { anchors });
  expect(found.faults.map(({ kind, chain }) => `${kind} ${chain}`)).toContain('cut off seals');
  await pastTriggers(database, `delete from audit`);
  await pastTriggers(database, `delete from audit_heads`);
});

it('writes no second one before the interval is over, nor where nothing was sealed since', async () => {
  const config = configure();
  await seal(database);
  expect(await writeAnchor(database, config, 'due')).toMatchObject({ writtenTo: ['file', 'e-mail'] });
  await act();
  await seal(database);
  expect(await writeAnchor(database, config, 'due')).toBeNull();
  await pastTriggers(database, `update anchors set at = at - interval '61 minutes'`);
  expect(await writeAnchor(database, config, 'due')).toMatchObject({ writtenTo: ['file', 'e-mail'] });
  await pastTriggers(database, `update anchors set at = at - interval '61 minutes'`);
  expect(await writeAnchor(database, config, 'due')).toBeNull();
  expect(inFile()).toHaveLength(2);
});

it('tries again where the mail server refused, and does not write the file anew', async () => {
  const config = configure();
  await seal(database);
  sandbox.setFaults(REFUSES);
  expect(await writeAnchor(database, config, 'due')).toMatchObject({
    ...{ writtenTo: ['file'], failed: [{ to: 'e-mail', reason: 'EMESSAGE' }] },
  });
  sandbox.setFaults({});
  expect(await writeAnchor(database, config, 'due')).toMatchObject({ writtenTo: ['e-mail'], failed: [] });
  expect((await anchoredIn()).map(({ places }) => places)).toEqual(['file', 'e-mail']);
  expect(inFile()).toHaveLength(1);
});

it('a worker that has only the file does not keep another one from its e-mail', async () => {
  await seal(database);
  const fileOnly = configure({ FENGHUO_ANCHOR_EMAIL: undefined });
  expect(await writeAnchor(database, fileOnly, 'due')).toMatchObject({ writtenTo: ['file'] });
  expect(await writeAnchor(database, configure(), 'due')).toMatchObject({ writtenTo: ['e-mail'] });
});

it('says in its log what could not be written, and goes on', async () => {
  const config = configure({ FENGHUO_ANCHOR_FILE: join(directory, 'nowhere', 'anchors.jsonl') });
  recorder = startRecorder({ database, config, log: (line) => logged.push(line), everyMs: 20 });
  await waitUntil(() => logged.length > 0, { deadlineMs: 10_000, what: 'a line' });
  expect(logged[0]).toBe('record: the anchor could not be written (file: ENOENT)');
  expect((await anchoredIn()).map(({ places }) => places)).toEqual(['e-mail']);
});
