/**
 * The wall between Exercises and actual warnings, on real processes: each side has a sandbox and a ledger of its own, payloads are put
 * into the wrong queue and the wrong tables, environments are mixed up, and both ledgers are read.
 */
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SENDER_ADDRESSES, SENDER_CREDENTIALS, readConfig } from '../config.ts';
import { KINDS, type WarningKind } from '../domain/kinds.ts';
import { readinessOf } from '../operations/kinds.ts';
import { viewWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { queuesOf } from '../worker/queues.ts';
import { bindToKind } from '../worker/wall.ts';
import { cell } from '../workflows/cell.ts';
import { stray } from './harness/stray.ts';
import { pastTriggers } from './harness/office.ts';
import { startKindsSite, type KindsSite } from './harness/two-kinds.ts';

const OTHER: Record<WarningKind, WarningKind> = { exercise: 'actual', actual: 'exercise' };
/** Numbers of warnings from here on are copies that nobody rings. */
const SLEEPING = 1_000;
const MARK = '【演练】';

let site: KindsSite;
/** One warning of each kind, told to everybody by every channel. */
const warnings: Record<WarningKind, number> = { exercise: 0, actual: 0 };
const strays: Partial<Record<WarningKind, Worker>> = {};
const running: Promise<void>[] = [];

beforeAll(async () => {
  site = await startKindsSite('kinds');
  const workflowsPath = fileURLToPath(new URL('./harness/stray.ts', import.meta.url));
  const quiet = () => undefined;
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath,
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, log: quiet },
  });
  const connection = await NativeConnection.connect({
    address: site.installation.services.temporal.address,
  });
  for (const kind of KINDS) {
    const { namespace } = (await site.client(kind)).options;
    const worker = await Worker.create({ connection, namespace, taskQueue: strayQueue(), workflowBundle });
    running.push(worker.run());
    strays[kind] = worker;
  }
}, 180_000);
afterAll(async () => {
  for (const worker of Object.values(strays)) worker.shutdown();
  await Promise.all(running);
  await site?.stop();
});

const strayQueue = () => `${site.database.schema}-strays`;

describe('side by side', () => {
  it('an Exercise and an actual warning go out, each at its own far side and nowhere else', async () => {
    for (const kind of KINDS) warnings[kind] = await site.publish(kind);
    for (const kind of KINDS) {
      await waitUntil(
        async () => {
          const { tiers, progress } = await viewWarning(site.database, warnings[kind]);
          return tiers.every((tier) => tier.told === tier.units) && progress.pagesOpen === 0;
        },
        { deadlineMs: 90_000, what: `everybody to be told of the ${kind} warning` },
      );
    }
    for (const kind of KINDS) {
      const { senders } = await eachHasItsOwn(kind);
      expect(senders).toEqual(
        new Set([
          ...['smtp', 'sms-gateway', 'twilio-sms', 'voice-gateway', 'twilio-voice'],
          ...['loudspeaker', 'chat-robot', 'ntfy'],
        ]),
      );
    }
  });

  it('actual texts are not marked as an Exercise, and are answered by reply, key and page', async () => {
    const messages = await site.messages('actual');
    // What is said in a call of Twilio's is asked for when somebody takes it.
    const texts = messages.flatMap(({ messageId, body }) => (messageId.startsWith('CA') ? [] : [body ?? '']));
    expect(texts.filter((text) => !/强降雨|叫应情况/.test(text))).toEqual([]);
    expect(texts.filter((text) => /演练|exercise|drill/i.test(text))).toEqual([]);
    expect(messages.filter(({ step, speed }) => step !== null || speed !== null)).toEqual([]);
    const ways = await waitUntil(
      async () => {
        const rows = await site.database.query<{ via: string }>(
          'select distinct via from answers where warning_id = $1',
          [warnings.actual],
        );
        return rows.length >= 4 && rows.map(({ via }) => via);
      },
      { deadlineMs: 60_000, what: 'answers by four ways' },
    );
    expect(ways).toEqual(expect.arrayContaining(['page', 'gateway', 'twilio', 'voice']));
  });

  it('marks every Exercise', async () => {
    const marked = (await site.messages('exercise')).filter(({ body }) => body);
    expect(marked.length).toBeGreaterThan(0);
    expect(marked.filter(({ body }) => !body?.includes(MARK))).toEqual([]);
  });
});

describe('what is put on the wrong side', () => {
  it.each(KINDS)(
    'a page of an %s warning in the other queue is refused for good, and written down',
    async (kind) => {
      const { pageId } = await sleepingPage(kind);
      const other = OTHER[kind];
      for (const queue of Object.values(queuesOf(site.database.schema, other).pages.officials).slice(0, 2)) {
        const client = await site.client(other);
        const running = client.workflow.execute(stray, {
          taskQueue: strayQueue(),
          workflowId: `${queue}-${pageId}`,
          args: [{ queue, pageId }],
          workflowExecutionTimeout: '20 seconds',
        });
        await expect(running).rejects.toMatchObject({
          cause: { cause: { type: 'Misdirected', nonRetryable: true } },
        });
      }
      await nothingCrossed();
      expect(await misdirected('page', pageId)).toEqual([{ kind, served: other, times: 2 }]);
      const claims = await site.database.query('select from claims where page_id = $1', [pageId]);
      expect(claims).toEqual([]);
    },
  );

  it.each(KINDS)(
    'a cell of an %s warning with the other worker fails, and nothing of it is touched',
    async (kind) => {
      const { cellId } = await sleepingPage(kind);
      const other = OTHER[kind];
      const queues = queuesOf(site.database.schema, other);
      const client = await site.client(other);
      const running = client.workflow.execute(cell, {
        taskQueue: queues.cells,
        workflowId: `${site.database.schema}-wrong-${cellId}`,
        args: [{ cellId, level: 'red', pageQueues: queues.pages }],
        workflowExecutionTimeout: '20 seconds',
      });
      await expect(running).rejects.toMatchObject({ cause: { type: 'Misdirected' } });
      await nothingCrossed();
      expect(await misdirected('cell', cellId)).toEqual([{ kind, served: other, times: 1 }]);
    },
  );

  it('the tables themselves keep a page out of the cells of another warning', async () => {
    for (const kind of KINDS) {
      const { pageId } = await sleepingPage(kind);
      const moved = site.database.query(
        'update pages set cell_id = (select min(id) from cells where warning_id = $2) where id = $1',
        [pageId, warnings[OTHER[kind]]],
      );
      await expect(moved).rejects.toMatchObject({ code: '23503' });
    }
  });

  it('doctor says so for both, and for actual warnings that links would lead to this machine', async () => {
    const { gaps, facts } = await readinessOf(site.database, 'actual');
    expect(gaps).toEqual(['plain address', 'address of this machine', 'misdirected']);
    expect(facts.workers).toHaveLength(1);
    expect((await readinessOf(site.database, 'exercise')).gaps).toEqual(['misdirected']);
    const { code, said } = await site.run(['doctor', '--lang', 'en'], site.environment('exercise'));
    expect(said).toMatch(/FAILS\s+actual warnings\s+not ready: .*payloads of the other kind/s);
    expect(code).toBe(1);
  });
});

describe('a process with an environment that is mixed up', () => {
  const names = [...SENDER_ADDRESSES, ...SENDER_CREDENTIALS];

  it.each(KINDS)('is refused with any one variable of the other, serving %s warnings', async (kind) => {
    const [own, others] = [site.environment(kind), site.environment(OTHER[kind])];
    for (const name of names) {
      const config = readConfig({ ...own, [name]: others[name] });
      await expect(bindToKind(config, site.database), name).rejects.toMatchObject({
        code: 'other-kind',
        details: [name],
      });
    }
    // As it was, it is let in.
    expect(await bindToKind(readConfig(own), site.database)).toMatchObject({ serves: kind });
  });

  it('sends nothing: the process ends, and both ledgers stay as they are', async () => {
    const [exercise, actual] = [site.environment('exercise'), site.environment('actual')];
    const mixed: [what: string, env: Record<string, string>, code: number, args?: string[]][] = [
      ['stand-ins called live', { ...exercise, FENGHUO_CHANNELS: 'live' }, 4],
      ['live senders called a sandbox', { ...actual, FENGHUO_CHANNELS: 'sandbox' }, 4],
      ['all sender variables of the other', { ...actual, ...only(exercise, names) }, 4],
      [
        'the other namespace',
        { ...exercise, TEMPORAL_NAMESPACE: `${exercise['TEMPORAL_NAMESPACE']}-actual` },
        4,
      ],
      ['an environment of the other kind', exercise, 2, ['worker', '--kind', 'actual']],
    ];
    await Promise.all(
      mixed.map(async ([what, env, code, args = ['worker']]) =>
        expect(await site.run(args, env), what).toMatchObject({ code }),
      ),
    );
    await nothingCrossed();
  });
});

function only(env: Record<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, env[name] ?? '']));
}

/** One side has what was handed over of its own warning, message for message. What is under way is waited for. */
async function eachHasItsOwn(kind: WarningKind) {
  return waitUntil(
    async () => {
      const stored = await handedOff(warnings[kind]);
      return stored.sent.join() === (await arrivals(kind)).join() && stored;
    },
    { deadlineMs: 30_000, what: `the ${kind} side to have what was handed over to it, and nothing else` },
  );
}

/** Both sides have their own alone, and of what sleeps nothing was claimed or sent. */
async function nothingCrossed(): Promise<void> {
  for (const kind of KINDS) await eachHasItsOwn(kind);
  const touched = await site.database.query(
    `select id from deliveries where warning_id > $1
     union all select page_id from claims c join pages p on p.id = c.page_id where p.warning_id > $1`,
    [SLEEPING],
  );
  expect(touched).toEqual([]);
}

/** What we have handed over, by channel and address, and by which senders. */
async function handedOff(warningId: number) {
  const rows = await site.database.query<{ what: string; sender: string }>(
    `select d.channel || ' ' || coalesce(p.address, h.address) as what, d.sender from deliveries d
     left join person_channels p on d.audience = 'people' and p.person_id = d.recipient_id and p.channel = d.channel
     left join households h on d.audience = 'households' and h.id = d.recipient_id
     where d.warning_id = $1 and d.outcome = 'handed off'`,
    [warningId],
  );
  return { sent: rows.map(({ what }) => what).sort(), senders: new Set(rows.map(({ sender }) => sender)) };
}

/** What arrived at one side, in the same words. A chat names people without their country. */
async function arrivals(side: WarningKind): Promise<string[]> {
  const messages = await site.messages(side);
  return messages
    .map(({ channel, address }) => `${channel} ${channel === 'chat' ? country(address) : address}`)
    .sort();
}

const country = (mobile: string) => (mobile.startsWith('1202555') ? `+${mobile}` : `+86${mobile}`);

/** A page that nobody has sent or will: its cell, of a copy of the warning, is never rung. */
async function sleepingPage(kind: WarningKind): Promise<{ pageId: number; cellId: number }> {
  const ids = {
    warning: warnings[kind] + SLEEPING,
    cell: warnings[kind] + 1_000_000,
    page: warnings[kind] + 2_000_000,
  };
  await pastTriggers(
    site.database,
    `insert into warnings overriding system value
     select (jsonb_populate_record(w, jsonb_build_object('id', $2::int, 'identifier', null, 'release_id', null))).* from warnings w where id = $1
     on conflict do nothing`,
    [warnings[kind], ids.warning],
  );
  await pastTriggers(
    site.database,
    `insert into cells (id, warning_id, unit_id, ring_after) overriding system value values ($1, $2, $3, 'infinity')
     on conflict do nothing`,
    [ids.cell, ids.warning, site.tree.unit('区')],
  );
  await site.database.query(
    `insert into pages (id, cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
     overriding system value
     values ($1, $2, $3, 1, 'rung', 0, 'sms', 'people', 1, array[$4::bigint], array[$5::int]) on conflict do nothing`,
    [ids.page, ids.cell, ids.warning, site.tree.person('区'), site.tree.unit('区')],
  );
  return { pageId: ids.page, cellId: ids.cell };
}

async function misdirected(what: 'cell' | 'page', subject: number) {
  return site.database.query('select kind, served, times from misdirected where what = $1 and subject = $2', [
    what,
    subject,
  ]);
}
