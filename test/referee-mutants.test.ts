/**
 * Builds that are broken on purpose, over real PostgreSQL, and judged by the referee alone: each turns it red, and the build
 * that is whole leaves it green in the very same scene. The simulator judges the same and more in virtual time.
 */
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendPage } from '../activities/send-page.ts';
import { stepCell } from '../activities/step.ts';
import { storeVouchedAnswer, type AnswerAct } from '../db/answers.ts';
import type { Database } from '../db/database.ts';
import { createPageStore } from '../db/page-store.ts';
import { createStepStore } from '../db/step-store.ts';
import { answerNumber, openToken, recipientName } from '../domain/links.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import type { InboxLetter, PageStore, StepStore } from '../domain/store.ts';
import { answerByCommand } from '../operations/answers.ts';
import { judge } from '../operations/referee.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { answerPageRoutes } from '../web/answer-page.ts';
import { testDatabase } from './database.ts';
import {
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { appoint, holdPost, plantSmallTree, type SmallTree } from './harness/small-tree.ts';
import { MUTANTS } from './simulator/mutants.ts';

let database: Database;
let tree: SmallTree;

beforeAll(async () => {
  database = await testDatabase('referee-mutants');
  tree = await plantSmallTree(database);
  const busy = await appoint(database, tree.unit('组二'), '兼任', 0);
  await holdPost(database, tree.unit('村二'), busy, 0);
});
afterAll(() => database.close());

async function issue(): Promise<number> {
  await database.query('update people set synthetic = true');
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' },
  });
  return warningId;
}

/** The numbers of the invariants that do not hold, by what the channels took; nobody at the far side did anything. */
async function brokenNumbers(warningId: number, channels: readonly RecordingChannel[]): Promise<number[]> {
  const attempts = new Map<string, number>();
  for (const { deliveryId, attempt } of channels.flatMap(({ messages }) => messages)) {
    const reference = `${deliveryId}.${attempt}`;
    attempts.set(reference, (attempts.get(reference) ?? 0) + 1);
  }
  const invariants = await judge(database, warningId, { attempts, arrivals: new Map(), acts: [] });
  return invariants.filter(({ holds }) => !holds).map(({ number }) => number);
}

/** A warning whose pages are written, then something happens, and only then they are sent by this build. */
type Scene = { before?: (warningId: number) => Promise<void>; live?: boolean };

const LONG_AGO = `interval '1 minute'`;

const SCENES: [mutant: string, number: number, scene: Scene][] = [
  ['claim removed', 6, {}],
  ['dedupe dropped', 6, {}],
  [
    'cancel ignored',
    5,
    {
      before: async (warningId) => {
        await cancelWarning(database, warningId, null);
        await database.query(`update warnings set ended_at = ended_at - ${LONG_AGO} where id = $1`, [
          warningId,
        ]);
      },
    },
  ],
  [
    'answer ignored',
    7,
    {
      before: async (warningId) => {
        await answerByCommand(database, {
          ...{
            warningId,
            unit: '乡一',
            answer: 'received',
            doneCount: null,
            vouchedBy: '值班员',
            how: '电话核实',
          },
        });
        await database.query(`update answers set at = at - ${LONG_AGO} where warning_id = $1`, [warningId]);
      },
    },
  ],
  [
    'drill flag lost',
    4,
    { live: true, before: () => database.query('update people set synthetic = false').then(() => undefined) },
  ],
];

async function play(
  { before, live = false }: Scene,
  wrap: (store: PageStore) => PageStore,
): Promise<number[]> {
  const channels = [recordingChannel('sms'), recordingChannel('email')].map((channel) => ({
    ...channel,
    live,
  }));
  const warningId = await issue();
  await stepAll(warningId);
  await before?.(warningId);
  await runUntilQuiet(database, warningId, channels, wrap);
  return brokenNumbers(warningId, channels);
}

describe('the referee turns red where a build has', () => {
  it.each(SCENES)('%s', async (name, number, scene) => {
    const mutant = MUTANTS.find((one) => one.name.startsWith(name));
    const pages = mutant?.options.wrap?.().pages;
    if (!pages) throw new RangeError(`there is no mutant ${name} that wraps the store of pages`);
    expect(await play(scene, (store) => store)).not.toContain(number);
    expect(await play(scene, pages)).toContain(number);
  });

  it('lease ignored: another attempt takes a slice that is being sent', async () => {
    expect(await playTwice((store) => store)).not.toContain(6);
    expect(await playTwice(withoutLeases)).toContain(6);
  });

  it('inbox read by cursor: a letter that commits after a later one is never read', async () => {
    expect(await playOvertaking((store) => store)).toEqual([]);
    expect(await playOvertaking(byCursor)).toContain(7);
  });

  it('an answer page whose GET answers: a mail scanner that follows links and presses buttons is heard', async () => {
    const email = recordingChannel('email');
    const failing = recordingChannel('sms', () => ({ outcome: 'failed', reason: 'bad-contact' }));
    const warningId = await issue();
    await runUntilQuiet(database, warningId, [failing, email]);
    const routes = answerPageRoutes({ database, keys: TEST_KEYS, log: () => undefined });
    const whole = async (path: string, init: RequestInit) => routes.request(path, init);
    await scan(email.messages, whole);
    expect(await brokenNumbers(warningId, [email])).not.toContain(3);
    await scan(email.messages, async (path, init) =>
      routes.request(path, init.method === 'GET' ? await answered(warningId, path) : init),
    );
    expect(await brokenNumbers(warningId, [email])).toContain(3);
  });
});

/** Two attempts at one page: the second begins while the first has its slice with a slow provider. */
async function playTwice(wrap: (store: PageStore) => PageStore): Promise<number[]> {
  const warningId = await issue();
  await stepAll(warningId);
  const [page] = await database.query<{ id: number }>(
    `select id from pages where warning_id = $1 and channel = 'sms' order by size desc limit 1`,
    [warningId],
  );
  const provider = gate();
  const sms = recordingChannel('sms', async () => {
    await provider.opened;
    return { outcome: 'handed off', providerId: 'p' };
  });
  const run = () =>
    sendPage(
      {
        store: wrap(createPageStore(database)),
        serves: 'exercise',
        ...{ channel: sms, keys: TEST_KEYS, publicUrl: 'http://answers.example' },
        ...{ monotonic: () => performance.now(), pause: (ms) => setTimeout(ms) },
      },
      page?.id ?? 0,
    );
  const arrived = (most: number) =>
    waitUntil(() => sms.messages.length >= most, { deadlineMs: 10_000, what: `${most} messages` });
  const first = run();
  await arrived(1);
  const begun = sms.messages.length;
  const second = run();
  // In the build that is whole nothing more arrives, and the second attempt ends.
  await Promise.race([second, arrived(begun + 1).catch(() => undefined)]);
  provider.open();
  await Promise.all([first, second]);
  return brokenNumbers(warningId, [sms]);
}

function withoutLeases(store: PageStore): PageStore {
  return {
    ...store,
    claim: async (pageId, input) => {
      await database.query('delete from claims where page_id = $1 and settled_at is null', [pageId]);
      return store.claim(pageId, input);
    },
  };
}

/** An answer whose commit waits, and one that comes later and commits before: steps read in between and after. */
async function playOvertaking(wrap: (store: StepStore) => StepStore): Promise<number[]> {
  const warningId = await issue();
  const channels = [recordingChannel('sms'), recordingChannel('email')];
  await runUntilQuiet(database, warningId, channels);
  const steps = wrap(createStepStore(database));
  const vouched = (unitId: number): AnswerAct => ({
    ...{ warningId, kind: 'received', doneCount: null, via: 'command', deliveryId: null },
    by: { audience: 'vouched', unitId, vouchedBy: '值班员', how: '电话核实' },
  });
  const [stored, committed] = [gate(), gate()];
  const late = database.transaction(async (sql) => {
    await storeVouchedAnswer(sql, vouched(tree.unit('村一')));
    stored.open();
    await committed.opened;
  });
  await stored.opened;
  await storeVouchedAnswer(database, vouched(tree.unit('组一')));
  await stepAll(warningId, steps);
  committed.open();
  await late;
  await stepAll(warningId, steps);
  await database.query(
    `update inbox set at = at - ${LONG_AGO} where cell_id in (select id from cells where warning_id = $1)`,
    [warningId],
  );
  return brokenNumbers(warningId, channels);
}

function byCursor(store: StepStore): StepStore {
  const cursors = new Map<number, number>();
  return {
    step: (cellId, work) =>
      store.step(cellId, (cell, tx) => {
        tx.takeInbox = async () => {
          const rows = await database.query<{ id: number; letter: InboxLetter }>(
            `delete from inbox where cell_id = $1 and id > $2
             returning id, json_build_object('unitId', unit_id, 'body', body) as letter`,
            [cellId, cursors.get(cellId) ?? 0],
          );
          cursors.set(cellId, Math.max(cursors.get(cellId) ?? 0, ...rows.map(({ id }) => id)));
          return rows.map(({ letter }) => letter);
        };
        return work(cell, tx);
      }),
  };
}

async function stepAll(warningId: number, steps: StepStore = createStepStore(database)): Promise<void> {
  const cells = await database.query<{ id: number }>('select id from cells where warning_id = $1', [
    warningId,
  ]);
  for (const { id } of cells) await stepCell(steps, { cellId: id, withCounts: false, serves: 'exercise' });
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

type Ask = (path: string, init: RequestInit) => Promise<Response>;

/** Opens every link, and presses every button without the number that only a reader finds. */
async function scan(messages: readonly OutgoingMessage[], ask: Ask): Promise<void> {
  const paths = messages.flatMap(({ text }) => /\/a\/[\w.-]+/.exec(text) ?? []);
  expect(paths.length).toBeGreaterThan(0);
  for (const path of paths) {
    await ask(path, { method: 'GET' });
    for (const answer of ['received', 'done', 'cannot'])
      await ask(path, { method: 'POST', body: new URLSearchParams({ answer, number: '' }) });
  }
}

/** What a GET that answers does: it knows the number, for it is our own. */
async function answered(warningId: number, path: string): Promise<RequestInit> {
  const deliveryId = openToken(TEST_KEYS, path.slice('/a/'.length));
  const [row] = await database.query<{ id: number }>(
    'select recipient_id as id from deliveries where id = $1 limit 1',
    [deliveryId],
  );
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', row?.id ?? 0));
  return { method: 'POST', body: new URLSearchParams({ answer: 'received', number }) };
}
