/**
 * What a provider still has and nobody needs any more is asked for back: which messages, how often, and what is written down. On the
 * real stack, a cancelled warning's messages never leave the gateway's queue.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FROM_THE_BEGINNING, recallSome, type Recaller } from '../activities/recall.ts';
import type { Database } from '../db/database.ts';
import { createRecallStore } from '../db/recalls.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import type { OutgoingMessage, RecallResult, SentMessage } from '../domain/ports.ts';
import { answerByCommand, answerByReply } from '../operations/answers.ts';
import { takeReceipts } from '../operations/receipts.ts';
import { updateExercise } from '../operations/updates.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { testDatabase } from './database.ts';
import {
  makeDeadlinesDue,
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { holdPost, plantSmallTree, type SmallTree } from './harness/small-tree.ts';
import { broken, startStack, type Stack } from './harness/stack.ts';

const REQUEST = { hazard: '暴雨', level: '红', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' };

describe('of the messages that a sender has', () => {
  let database: Database;
  let tree: SmallTree;
  let sms: RecordingChannel;
  let email: RecordingChannel;
  let asked: SentMessage[];

  beforeEach(async () => {
    await database?.close();
    database = await testDatabase('recalls');
    tree = await plantSmallTree(database);
    const by = (sender: string) => (message: OutgoingMessage) => ({
      ...{ outcome: 'handed off' as const, sender },
      providerId: `${message.deliveryId}.${message.attempt}`,
    });
    sms = recordingChannel('sms', by('slow'));
    email = recordingChannel('email', by('smtp'));
    asked = [];
  });
  afterAll(() => database.close());

  const run = (warningId: number) => runUntilQuiet(database, warningId, [sms, email]);

  async function issue(): Promise<number> {
    const { warningId } = await issueWarning(database, REQUEST);
    await run(warningId);
    return warningId;
  }

  /** Rounds until nothing is left; `say` is the sender's word for each message. Gives the deliveries that were asked for. */
  async function recallAll(
    say: (sent: SentMessage) => RecallResult = () => 'recalled',
    serves: 'exercise' | 'actual' = 'exercise',
  ): Promise<string[]> {
    asked = [];
    const recall = async (sent: SentMessage) => {
      asked.push(sent);
      return say(sent);
    };
    const slow: Recaller = { ...sms, id: 'slow', refuses: () => null, recall };
    const store = createRecallStore(database, { serves, senders: ['slow'] });
    for (let round = 0; round < 9; round += 1) {
      await recallSome({ store, senders: [slow] }, FROM_THE_BEGINNING);
      await database.query('update recalls set due_at = clock_timestamp() where outcome is null');
    }
    return asked.map(({ deliveryId }) => String(deliveryId)).sort();
  }

  const idsOf = (messages: readonly OutgoingMessage[]) => messages.map(({ deliveryId }) => deliveryId).sort();
  const told = (warningId: number) =>
    sms.messages.filter(
      (message) => message.warningId === String(warningId) && !message.exercise?.step.startsWith('cancel'),
    );
  const of = async (unit: string, rank = 0) => {
    const [row] = await database.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [tree.person(unit, rank)],
    );
    return sms.messages.filter(({ address }) => address === row?.address);
  };

  it('those of a cancelled warning are asked for once each, but never the word that it is cancelled', async () => {
    const id = await issue();
    expect(await recallAll()).toEqual([]);
    await cancelWarning(database, id, 'over');
    await run(id);
    expect(sms.messages.length).toBeGreaterThan(told(id).length);
    expect(await recallAll()).toEqual(idsOf(told(id)));
    expect(
      asked.every(({ providerId, deliveryId, attempt }) => providerId === `${deliveryId}.${attempt}`),
    ).toBe(true);
    const receipts = await database.query<{ state: string; class: string }>(
      'select distinct state, class from receipts',
    );
    expect(receipts).toEqual([{ state: 'failed', class: 'recalled' }]);
    expect(await database.query('select 1 from retries')).toEqual([]);
    expect(await recallAll()).toEqual([]);
  });

  it('those of a superseded warning are, and none of what took its place', async () => {
    const id = await issue();
    const { after } = await updateExercise(database, id, { level: 'orange' });
    await run(id);
    await run(after.warningId);
    expect(told(after.warningId)).not.toEqual([]);
    expect(await recallAll()).toEqual(idsOf(told(id)));
  });

  it('those of an expired warning are', async () => {
    const id = await issue();
    expect(await recallAll()).toEqual([]);
    await database.query('update warnings set expires_at = clock_timestamp() where id = $1', [id]);
    expect(await recallAll()).toEqual(idsOf(told(id)));
  });

  it('what was reported as gone out is not asked for, and neither is an actual warning by a worker of Exercises', async () => {
    const id = await issue();
    const [first, second, third] = told(id);
    const states = ['delivered', 'sent', 'queued'] as const;
    for (const [place, message] of [first, second, third].entries())
      await takeReceipts(
        database,
        [
          {
            ...{
              deliveryId: Number(message?.deliveryId),
              attempt: 1,
              state: states[place] ?? 'sent',
              code: null,
            },
            ...{ reason: null, sender: 'slow', providerId: null },
          },
        ],
        'exercise',
      );
    await cancelWarning(database, id, 'over');
    expect(await recallAll(undefined, 'actual')).toEqual([]);
    const gone = [first?.deliveryId, second?.deliveryId];
    expect(await recallAll()).toEqual(idsOf(told(id)).filter((one) => !gone.includes(one)));
  });

  it('once a unit has answered, those to its people are, and to nobody else; after it cannot act none', async () => {
    const id = await issue();
    const say = { warningId: id, doneCount: null, vouchedBy: '值班员', how: '电话' };
    await answerByCommand(database, { ...say, unit: '组一', answer: 'cannot act' });
    await answerByCommand(database, { ...say, unit: '村一', answer: 'received' });
    expect(await recallAll()).toEqual(idsOf(await of('村一')));
  });

  it('one that speaks for several units of a person stays, whichever of them has answered', async () => {
    await holdPost(database, tree.unit('组一'), tree.person('村一'), 2);
    const id = await issue();
    await answerByCommand(database, {
      ...{
        warningId: id,
        unit: '村一',
        answer: 'received',
        doneCount: null,
        vouchedBy: '值班员',
        how: '电话',
      },
    });
    expect(await of('村一')).toHaveLength(1);
    expect(await recallAll()).toEqual([]);
  });

  it('a second rung waits for nobody who answered by the first', async () => {
    const id = await issue();
    await makeDeadlinesDue(database, id);
    await run(id);
    await makeDeadlinesDue(database, id, ['answerBy']);
    await run(id);
    const deputy = idsOf(await of('村一', 1));
    expect(deputy).toHaveLength(1);
    const person = tree.person('村一');
    const number = answerNumber(TEST_KEYS, id, recipientName('people', person));
    const [{ address } = { address: '' }] = await of('村一');
    expect(await answerByReply(database, TEST_KEYS, { id: 'r', from: address, text: `1 ${number}` })).toBe(
      'recorded',
    );
    expect(await recallAll()).toEqual([...idsOf(await of('村一')), ...deputy].sort());
  });

  it('what a sender does not say is asked five times, what it says once', async () => {
    const id = await issue();
    await cancelWarning(database, id, 'over');
    const [first, second, ...others] = idsOf(told(id));
    await recallAll(({ deliveryId }) => {
      if (String(deliveryId) === first) return 'unknown';
      return String(deliveryId) === second ? 'too late' : 'recalled';
    });
    const rows = await database.query<{ id: string; outcome: string; tries: number }>(
      'select delivery_id::text as id, outcome, tries from recalls order by 1',
    );
    expect(new Map(rows.map((row) => [row.id, [row.outcome, row.tries]]))).toEqual(
      new Map<string | undefined, unknown>([
        [first, ['unknown', 5]],
        [second, ['too late', 1]],
        ...others.map((other) => [other, ['recalled', 1]] as const),
      ]),
    );
  });
});

describe('on the real stack', () => {
  let stack: Stack;
  afterEach(() => stack.stop());

  it('a cancelled warning leaves the queue of the gateway empty, and nobody ever sees its messages', async () => {
    stack = await startStack('recall-stack', {
      faults: { sms: { queuedMs: 600_000 } },
      model: { neverAnswersShare: 0, wokenShare: { sms: 1, voice: 1, email: 1 } },
      variables: { FENGHUO_GATEWAY_RECALL_PATH: '/sms/recall' },
    });
    const { database } = stack;
    await plantSmallTree(database);
    const { warningId } = await issueWarning(database, { ...REQUEST, areas: ['城'], speed: 1 });
    await stack.startWorker();
    const ledger = () => stack.ledger(warningId);
    const queued = await waitUntil(
      async () => {
        const { attempts } = await ledger();
        return attempts.size >= 8 + 6 ? [...attempts.keys()] : null;
      },
      { deadlineMs: 60_000, what: 'the messages to be in the queue' },
    );
    await cancelWarning(database, warningId, 'over');
    await waitUntil(async () => ((await ledger()).recalled.size >= queued.length ? true : null), {
      deadlineMs: 60_000,
      what: 'the messages to be taken back',
    });
    await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
    const { recalled, acts, attempts } = await ledger();
    expect([...recalled].sort()).toEqual(queued.sort());
    expect(acts).toEqual([]);
    // The word that it is over waits in the queue, and stays there.
    expect(attempts.size).toBeGreaterThan(recalled.size);
    const outcomes = await database.query<{ outcome: string; because: string }>(
      'select distinct outcome, because from recalls',
    );
    expect(outcomes).toEqual([{ outcome: 'recalled', because: 'cancelled' }]);
    expect(broken(await stack.judge(warningId))).toEqual([]);
  });
});
