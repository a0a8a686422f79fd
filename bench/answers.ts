/**
 * Single answers by the link of an e-mail, each committed before its reply: with nothing else to do, and while a red warning opens, is
 * sent and climbs its ladder on the same cores.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Database } from '../db/database.ts';
import { DELIVERY_ID_STRIDE } from '../db/pages.ts';
import { answerNumber, answerToken, openToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import type { HeldLink, LoadJob, LoadMessage, LoadReport } from './answer-load.ts';
import type { Bench, BenchContext, Result, Verdict } from './bench.ts';
import { percentile, rounded } from './measure.ts';
import { NOBODY_ANSWERS, startSite, type Site } from './site.ts';
import { plantTree } from './tree.ts';
import { anotherIncident } from '../test/harness/small-tree.ts';

/** 3,400 a second is a million people in five minutes. */
const PER_SECOND = 3_400;
/** `speed` brings the first deadlines of the ladder (five minutes) into the run. */
const FULL = { seconds: 30, speed: 20 };
const QUICK = { seconds: 5, speed: 60 };

/** A web process that has just started compiles its code under the first load; production's has not just started. */
const WARM_UP = { perSecond: 1_000, seconds: 2 };
/** Until the new warning has links to answer by, those of the old one are answered again. */
const REPEATS_SECONDS = 4;
const LINKS_EVERY_MS = 500;
const QUIET_MS_MAX = 240_000;
/** The referee's number for answers that are nobody's act. */
const FALSE_ANSWERS = 3;
/** After an answer this long nothing may be sent to the one who gave it. */
const CHASED_AFTER_MS = 1_000;

/** Posts under way from a process of their own; `add` brings more links while they run. */
export type Posting = { add(links: readonly HeldLink[]): void; done: Promise<LoadReport> };

/** Starts posting answers at a fixed rate, in a process of its own. */
export function postAnswers(job: LoadJob): Posting {
  const child = fork(fileURLToPath(new URL('./answer-load.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  const say = (message: LoadMessage) => void (child.connected && child.send(message));
  const done = new Promise<LoadReport>((resolve, reject) => {
    child.once('message', (report) => resolve(report as LoadReport));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the load ended by itself (${code})`)));
  });
  say({ job });
  return { add: (more) => say({ more }), done };
}

/** Links of a warning's first messages, as their recipients hold them, from the pages after `afterPage`; the last page too. */
export async function readLinks(
  database: Database,
  keys: AnswerKeys,
  input: { warningId: number; afterPage: number },
): Promise<{ links: HeldLink[]; lastPage: number }> {
  const rows = await database.query<{ page: number; place: number; person: number }>(
    `select p.id as page, r.place, r.person
     from pages p, unnest(p.recipients) with ordinality as r (person, place)
     where p.warning_id = $1 and p.id > $2 and p.audience = 'people' and p.purpose = 'rung' and p.step = 0
       and p.delivery_ids is null order by p.id, r.place`,
    [input.warningId, input.afterPage],
  );
  const links = rows.map(({ page, place, person }) => ({
    token: answerToken(keys, page * DELIVERY_ID_STRIDE + place - 1),
    number: answerNumber(keys, input.warningId, recipientName('people', person)),
  }));
  return { links, lastPage: rows.at(-1)?.page ?? input.afterPage };
}

type Posts = {
  posts: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  mostMs: number;
  /** Replies with 200: the answer was said to be recorded. */
  acknowledged: number;
  refused: number;
  unanswered: number;
  /** Posts by a link that had been used before in the same run. */
  repeats: number;
  /** Acknowledged, and not in PostgreSQL. */
  lost: number;
};

export const bench: Bench = {
  name: 'answers',
  question:
    'Are single answers taken at 3,400 a second, idle and beside a cascade, and is nobody chased after?',
  async run(context): Promise<Result> {
    const { seconds, speed } = context.quick ? QUICK : FULL;
    const people = PER_SECOND * seconds + WARM_UP.perSecond * WARM_UP.seconds;
    const [server = 'dev'] = context.servers;
    const site = await startSite(context, { name: 'answers', server, people: NOBODY_ANSWERS });
    try {
      const keys = [{ id: '1', secret: site.installation.environment['FENGHUO_SECRET'] ?? '' }];
      const city = await plantTree(site.database, people);
      const told = await tellEverybody(context, site, { city, people });
      const quiet = told.warningId;
      const held = (await readLinks(site.database, keys, { warningId: quiet, afterPage: 0 })).links;
      const idle = await measureIdle(context, site, { keys, held, seconds });
      const busy = await measureBusy(context, site, { city, keys, held, seconds, speed });
      const chased = await countChased(site, busy.warningId);
      return {
        figures: {
          answers: {
            perSecond: Math.min(idle.perSecond, busy.posts.perSecond),
            p99IdleMs: idle.p99Ms,
            p99BusyMs: busy.posts.p99Ms,
            lost: idle.lost + busy.posts.lost,
          },
          rates: { answers: Math.min(idle.perSecond, busy.posts.perSecond) },
        },
        settings: { people, perSecond: PER_SECOND, seconds, speedBusy: speed },
        farSide: { chasedAfterAnswering: chased.chased, messagesBusy: chased.messages },
        verdicts: [await judgeBut(site, quiet), await judgeBut(site, busy.warningId)],
        details: {
          idle,
          busy: busy.posts,
          cascade: { ...busy.cascade, secondsWithoutAnswers: told.seconds },
        },
      };
    } finally {
      await site.stop();
    }
  },
};

/** The referee's word on all but false answers: the people of this load have no ledger of what they did. */
export async function judgeBut(site: Site, warningId: number): Promise<Verdict> {
  const { judged, broken, ...verdict } = await site.judge(warningId);
  return {
    ...verdict,
    judged: judged.filter((number) => number !== FALSE_ANSWERS),
    broken: broken.filter(({ number }) => number !== FALSE_ANSWERS),
  };
}

/** A red warning to all, until everybody has it and nothing is left to do. */
async function tellEverybody(
  context: BenchContext,
  site: Site,
  input: { city: string; people: number },
): Promise<{ warningId: number; seconds: number }> {
  const { warningId } = await issueRed(site, { city: input.city, speed: 1 });
  const from = Date.now();
  context.say(`W${warningId}: ${input.people} people are told …`);
  await site.untilTaken({
    warning: String(warningId),
    channel: 'sms',
    messages: input.people,
    deadlineMs: QUIET_MS_MAX,
  });
  const seconds = rounded((Date.now() - from) / 1_000);
  await untilQuiet(site, warningId);
  return { warningId, seconds };
}

/** Answers by everybody, with nothing else to do but to take what follows from them. */
async function measureIdle(
  context: BenchContext,
  site: Site,
  input: { keys: AnswerKeys; held: readonly HeldLink[]; seconds: number },
): Promise<Posts> {
  const { held, seconds } = input;
  const posts = PER_SECOND * seconds;
  await postAnswers({ url: webOf(site), links: held.slice(posts), ...WARM_UP }).done;
  context.say(`Idle: ${PER_SECOND} answers a second for ${seconds} s …`);
  const links = held.slice(0, posts);
  const report = await postAnswers({ url: webOf(site), links, perSecond: PER_SECOND, seconds }).done;
  return judgePosts(site, input.keys, report, links);
}

/** Answers to a warning while it opens, is sent and climbs its ladder. */
async function measureBusy(
  context: BenchContext,
  site: Site,
  input: { city: string; keys: AnswerKeys; held: readonly HeldLink[]; seconds: number; speed: number },
): Promise<{ posts: Posts; warningId: number; cascade: Record<string, number> }> {
  const { city, keys, seconds, speed } = input;
  context.say(`Busy: the same while a red warning goes out at ${speed} times its speed …`);
  const links = input.held.slice(0, PER_SECOND * Math.min(REPEATS_SECONDS, seconds / 2));
  const { warningId } = await issueRed(site, { city, speed });
  const posting = postAnswers({ url: webOf(site), links, perSecond: PER_SECOND, seconds });
  let lastPage = 0;
  const feed = async () => {
    const found = await readLinks(site.database, keys, { warningId, afterPage: lastPage });
    lastPage = found.lastPage;
    links.push(...found.links);
    posting.add(found.links);
  };
  let feeding = Promise.resolve();
  const timer = setInterval(() => {
    feeding = feeding.then(feed);
  }, LINKS_EVERY_MS);
  const report = await posting.done.finally(() => clearInterval(timer));
  await feeding;
  const cascade = await cascadeDuring(site, warningId, report);
  return { posts: await judgePosts(site, keys, report, links), warningId, cascade };
}

/** What the far side took of the cascade while the answers came, so that a reader knows how busy it was. */
async function cascadeDuring(
  site: Site,
  warningId: number,
  report: LoadReport,
): Promise<Record<string, number>> {
  const arrivals = [...(await site.ledger(String(warningId))).arrivals.values()];
  const until = report.startedAt + report.tookMs;
  return { messages: arrivals.filter((at) => at >= report.startedAt && at <= until).length };
}

/** Compares what was acknowledged with what is in PostgreSQL, answer by answer. */
async function judgePosts(
  site: Site,
  keys: AnswerKeys,
  report: LoadReport,
  links: readonly HeldLink[],
): Promise<Posts> {
  const deliveryOf = links.map(({ token }) => openToken(keys, token) ?? -1);
  const acknowledged = new Map<number, number>();
  const seen = new Set<number>();
  for (const [post, place] of report.linkPlaces.entries()) {
    const delivery = deliveryOf[place] ?? -1;
    seen.add(delivery);
    if (report.statuses[post] === 200) acknowledged.set(delivery, (acknowledged.get(delivery) ?? 0) + 1);
  }
  const stored = await site.database.query<{ delivery: number; count: number }>(
    `select delivery_id as delivery, count(*)::int as count from answers
     where delivery_id = any($1) and at >= to_timestamp($2::float8 / 1000) - interval '1 second' group by delivery_id`,
    [[...seen], report.startedAt],
  );
  const storedOf = new Map(stored.map(({ delivery, count }) => [delivery, count]));
  const latencies = report.latenciesMs.filter((ms) => ms >= 0);
  const count = (is: (status: number) => boolean) => report.statuses.filter(is).length;
  return {
    posts: report.statuses.length,
    perSecond: rounded((count((status) => status === 200) * 1_000) / report.tookMs, 0),
    p50Ms: rounded(percentile(latencies, 0.5), 1),
    p99Ms: rounded(percentile(latencies, 0.99), 1),
    mostMs: rounded(percentile(latencies, 1), 1),
    acknowledged: count((status) => status === 200),
    refused: count((status) => status !== 200 && status !== 0),
    unanswered: count((status) => status === 0),
    repeats: report.statuses.length - seen.size,
    lost: [...acknowledged].reduce(
      (lost, [delivery, times]) => lost + Math.max(0, times - (storedOf.get(delivery) ?? 0)),
      0,
    ),
  };
}

/** Messages that the far side took for somebody more than a second after their unit had answered. */
export async function countChased(
  site: Site,
  warningId: number,
): Promise<{ chased: number; messages: number }> {
  await untilQuiet(site, warningId);
  const { arrivals } = await site.ledger(String(warningId));
  const taken = [...arrivals].map(([reference, at]) => ({ parts: reference.split('.').map(Number), at }));
  const [row] = await site.database.query<{ chased: number }>(
    `select count(*)::int as chased from unnest($2::bigint[], $3::int[], $4::float8[]) as f (id, attempt, at)
     join deliveries d on d.id = f.id and d.attempt = f.attempt and d.purpose = 'rung'
     where exists (select from answers a where a.warning_id = $1 and a.unit_id = d.unit_id
       and a.at < to_timestamp((f.at - $5::float8) / 1000))`,
    [
      warningId,
      taken.map(({ parts }) => parts[0]),
      taken.map(({ parts }) => parts[1]),
      taken.map(({ at }) => at),
      CHASED_AFTER_MS,
    ],
  );
  return { chased: row?.chased ?? 0, messages: taken.length };
}

async function issueRed(site: Site, input: { city: string; speed: number }): Promise<{ warningId: number }> {
  await anotherIncident(site.database);
  return issueWarning(site.database, {
    hazard: '暴雨',
    level: 'red',
    areas: [input.city],
    expires: '+24h',
    issuer: '演练气象台',
    speed: input.speed,
  });
}

/** Until no letter waits and no page is open. */
async function untilQuiet(site: Site, warningId: number): Promise<void> {
  await waitUntil(
    async () => {
      const [row] = await site.database.query<{ busy: boolean }>(
        `select exists (select from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1)
           or exists (select from pages where warning_id = $1 and ended_at is null) as busy`,
        [warningId],
      );
      return row?.busy === false;
    },
    { deadlineMs: QUIET_MS_MAX, what: `quiet in W${warningId}` },
  );
}

function webOf(site: Site): string {
  return site.installation.environment['FENGHUO_PUBLIC_URL'] ?? '';
}
