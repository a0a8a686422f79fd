/**
 * 10,000 replies by SMS and 20,000 answers by page within a minute, while the ladder of their warning runs: all stored, each reply
 * answered once, and nobody chased who has answered.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { request } from 'undici';
import { answerNumber, recipientName, type AnswerKeys } from '../domain/links.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { countChased, judgeBut, postAnswers, readLinks } from './answers.ts';
import type { Bench, BenchContext, Result } from './bench.ts';
import { rounded } from './measure.ts';
import { NOBODY_ANSWERS, startSite, type Site } from './site.ts';
import { plantTree } from './tree.ts';

/** `speed` brings the first deadline, five minutes after the hand-off, into the minute. */
const FULL = { replies: 10_000, pages: 20_000, seconds: 60, speed: 6 };
const QUICK = { replies: 1_000, pages: 2_000, seconds: 15, speed: 20 };
/** Replies in one push of the gateway. */
const PUSH = 100;
const TOLD_MS_MAX = 240_000;
const SETTLED_MS_MAX = 120_000;

export const bench: Bench = {
  name: 'replies',
  question: 'Are replies and answers of a minute all stored, each reply answered once, and is nobody chased?',
  async run(context): Promise<Result> {
    const size = context.quick ? QUICK : FULL;
    const [server = 'dev'] = context.servers;
    const site = await startSite(context, { name: 'replies', server, people: NOBODY_ANSWERS });
    try {
      const keys = [{ id: '1', secret: site.installation.environment['FENGHUO_SECRET'] ?? '' }];
      const people = size.replies + size.pages;
      const city = await plantTree(site.database, people);
      const { warningId } = await issueWarning(site.database, {
        ...{ hazard: '暴雨', level: 'red', areas: [city], expires: '+24h', issuer: '演练气象台' },
        speed: size.speed,
      });
      await site.untilTaken({
        warning: String(warningId),
        channel: 'sms',
        messages: people,
        deadlineMs: TOLD_MS_MAX,
      });
      context.say(`${size.replies} replies and ${size.pages} answers in ${size.seconds} s …`);
      const { links } = await readLinks(site.database, keys, { warningId, afterPage: 0 });
      const posting = postAnswers({
        url: site.installation.environment['FENGHUO_PUBLIC_URL'] ?? '',
        links: links.slice(size.replies),
        perSecond: size.pages / size.seconds,
        seconds: size.seconds,
      });
      const [pushed, posted] = await Promise.all([
        pushReplies(context, site, { keys, warningId, ...size }),
        posting.done,
      ]);
      const backs = await untilToldBack(site, size.replies);
      const stored = await countStored(site, warningId);
      const chased = await countChased(site, warningId);
      const found = {
        repliesRecorded: pushed.recorded,
        repliesStored: stored.gateway,
        saidBack: backs,
        pagesAcknowledged: posted.statuses.filter((status) => status === 200).length,
        pagesStored: stored.page,
        seconds: rounded(Math.max(pushed.tookMs, posted.tookMs) / 1_000),
        chased: chased.chased,
      };
      context.say(JSON.stringify(found));
      return {
        figures: {},
        settings: { ...size },
        farSide: { messages: chased.messages, saidBack: backs },
        verdicts: [await judgeBut(site, warningId)],
        details: found,
      };
    } finally {
      await site.stop();
    }
  },
};

type Replying = { keys: AnswerKeys; warningId: number; replies: number; seconds: number };

/** Pushes a reply of each of the first people at an even pace; gives how many were recorded. */
async function pushReplies(
  context: BenchContext,
  site: Site,
  { keys, warningId, replies, seconds }: Replying,
): Promise<{ recorded: number; tookMs: number }> {
  const people = await site.database.query<{ id: number; address: string }>(
    `select r.person as id, c.address from pages p, unnest(p.recipients) with ordinality as r (person, place)
     join person_channels c on c.person_id = r.person and c.channel = 'sms'
     where p.warning_id = $1 and p.audience = 'people' and p.purpose = 'rung' and p.step = 0 and p.delivery_ids is null
     order by p.id, r.place limit $2`,
    [warningId, replies],
  );
  const startedAt = Date.now();
  const pushes: Promise<number>[] = [];
  for (let from = 0; from < people.length; from += PUSH) {
    await wait(Math.max(0, startedAt + (from / replies) * seconds * 1_000 - Date.now()));
    const some = people.slice(from, from + PUSH).map(({ id, address }) => ({
      id: `bench-${warningId}-${id}`,
      from: address,
      text: `1 ${answerNumber(keys, warningId, recipientName('people', id))}`,
    }));
    pushes.push(push(site, some));
  }
  const recorded = (await Promise.all(pushes)).reduce((sum, count) => sum + count, 0);
  const tookMs = Date.now() - startedAt;
  context.say(`${recorded} of ${people.length} replies recorded after ${rounded(tookMs / 1_000)} s`);
  return { recorded, tookMs };
}

/** One push, signed as the gateway signs; pushed again until it is taken, as gateways do. */
async function push(site: Site, replies: readonly object[]): Promise<number> {
  const { environment } = site.installation;
  const body = JSON.stringify(replies);
  for (;;) {
    const timestamp = String(Date.now());
    const answer = await request(`${environment['FENGHUO_PUBLIC_URL'] ?? ''}/gateway/replies`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-gateway-timestamp': timestamp,
        'x-gateway-signature': createHmac('sha256', environment['FENGHUO_GATEWAY_SECRET'] ?? '')
          .update(`${timestamp}.${body}`)
          .digest('hex'),
      },
      body,
    });
    const { replies: said = [] } = (await answer.body.json()) as { replies?: { verdict: string }[] };
    if (answer.statusCode === 200) return said.filter(({ verdict }) => verdict === 'recorded').length;
  }
}

/** How many were told so; waits until each was, and a moment longer would show one too many. */
async function untilToldBack(site: Site, replies: number): Promise<number> {
  const url = `${site.installation.environment['FENGHUO_GATEWAY_URL'] ?? ''}/ledger/stats`;
  const backs = async () => ((await (await request(url)).body.json()) as { backs: number }).backs;
  await waitUntil(async () => (await backs()) >= replies, {
    deadlineMs: SETTLED_MS_MAX,
    what: `${replies} replies to be answered`,
    everyMs: 200,
  });
  await wait(1_000);
  return backs();
}

async function countStored(site: Site, warningId: number): Promise<{ gateway: number; page: number }> {
  const rows = await site.database.query<{ via: 'gateway' | 'page'; count: number }>(
    `select via, count(distinct person_id)::int as count from answers where warning_id = $1 group by via`,
    [warningId],
  );
  const of = (via: string) => rows.find((row) => row.via === via)?.count ?? 0;
  return { gateway: of('gateway'), page: of('page') };
}
