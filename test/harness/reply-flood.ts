/** A flood of replies by SMS: everybody answers at once, and each is told so once, by the gateway they wrote to. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gatewayReceipt } from '../../channels/gateway-receipts.ts';
import { createSmsBack } from '../../channels/sms-back.ts';
import { answerNumber, recipientName } from '../../domain/links.ts';
import { waitUntil } from '../../runtime/processes.ts';
import { ledgerBacks } from '../../sandbox/ledger.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import type { GatewayDoor } from '../../web/gateway.ts';
import { GATEWAY_SECRET, startAnswerSite } from '../../web/testing.ts';
import { TEST_KEYS } from './local-cascade.ts';

const REPLIES_PER_PUSH = 1_000;

export type ReplyFlood = {
  recorded: number;
  answers: number;
  /** What was said back, by the reply's id: how often. */
  saidBack: Map<string, number>;
  /** From the first push to the last answer of the web process; to the last word said back. */
  storedMs: number;
  saidMs: number;
};

/** `people` households answer, each push twice at the same time. */
export async function floodOfReplies(name: string, people: number): Promise<ReplyFlood> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fenghuo-flood-'));
  const quiet = () => undefined;
  const sandbox = await startSandbox({
    ...{ directory, repliesUrl: 'http://127.0.0.1:9/', secret: GATEWAY_SECRET, seed: name, log: quiet },
  });
  const back = createSmsBack({ url: sandbox.gatewayUrl, secret: GATEWAY_SECRET, live: false });
  const door: GatewayDoor = { receiptOf: gatewayReceipt, sayBack: (words) => back.say(words) };
  const site = await startAnswerSite(name, undefined, door);
  try {
    const homes = await site.database.query<{ id: number; address: string }>(
      `insert into households (unit_id, name, channel, address, synthetic)
       select $1, '户' || n, 'sms', '+86101' || lpad(n::text, 8, '0'), true from generate_series(1, $2) n
       returning id, address`,
      [site.tree.unit('组一'), people],
    );
    const warningId = await site.issue();
    const replies = homes.map(({ id, address }) => ({
      id: `flood-${id}`,
      from: address,
      text: `1 ${answerNumber(TEST_KEYS, warningId, recipientName('households', id))}`,
    }));
    const beganAt = performance.now();
    let recorded = 0;
    for (let from = 0; from < replies.length; from += REPLIES_PER_PUSH) {
      const push = replies.slice(from, from + REPLIES_PER_PUSH);
      for (const response of await Promise.all([site.push(push), site.push(push.toReversed())])) {
        const body = (await response.json()) as { replies: { verdict: string }[] };
        recorded += body.replies.filter(({ verdict }) => verdict === 'recorded').length;
      }
    }
    const storedMs = performance.now() - beganAt;
    const saidBack = new Map<string, number>();
    await waitUntil(
      async () => {
        saidBack.clear();
        for await (const entry of ledgerBacks(directory))
          if (entry) saidBack.set(entry.replyId, (saidBack.get(entry.replyId) ?? 0) + 1);
        return saidBack.size >= people || null;
      },
      { deadlineMs: 60_000, what: 'something to be said back to each' },
    );
    const [stored] = await site.database.query<{ count: number }>(
      'select count(*)::int as count from answers where warning_id = $1 and household_id is not null',
      [warningId],
    );
    return {
      recorded,
      answers: stored?.count ?? 0,
      saidBack,
      storedMs,
      saidMs: performance.now() - beganAt,
    };
  } finally {
    await site.stop();
    await back.close();
    await sandbox.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
