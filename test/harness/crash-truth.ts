/**
 * What really happened to a warning: the far side's ledger against the tree, the rule pack and the people. Of the engine's
 * own records it takes only which rung each unit reached, who answered and which attempts were flagged.
 */
import type { Database } from '../../db/database.ts';
import { ledgerActs, ledgerMessages, type LedgerAct, type LedgerMessage } from '../../sandbox/ledger.ts';

export type Truth = {
  counts: TruthCounts;
  /** By name, the first few of what must not be; empty where all is well. */
  wrongs: Partial<Record<Wrong, string[]>>;
};

export type TruthCounts = {
  /** Messages that tree × rules ask for: to whom, by what, on which step. */
  planned: number;
  /** Of these the far side has. */
  reached: number;
  /** Not sent, because the unit's people had answered. */
  excused: number;
  /** All that the far side has, notices and reports too. */
  messages: number;
  /** Of these more than one for the same delivery. */
  duplicates: number;
  /** Attempts flagged as possible duplicates. */
  flags: number;
  /** Acts of people that were thanked for. */
  thanked: number;
  /** Acts without a result: the stand-ins were killed over them. */
  cutShort: number;
  /** The last of these; null where there is none. */
  lastCutShortAt: number | null;
  /** People who found nobody to answer to. */
  givenUp: number;
};

export type Wrong =
  /** Planned, not at the far side, and nobody had answered. */
  | 'lost'
  /** Duplicates that no flag of ours foretells. */
  | 'unflagged'
  /** The same attempt of the same delivery, twice. */
  | 'repeated attempts'
  /** Rungs that arrived although the unit had answered longer ago than any send lasts. */
  | 'chased'
  /** Answers that people were thanked for, and of which nothing is stored. */
  | 'lost answers'
  /** Stored answers that nobody gave. */
  | 'false answers';

/** Of each kind of wrong so many are shown. */
const SHOWN_MOST = 5;

/** A message leaves at the latest so long after its slice was claimed: e-mail's time-out, the longest. */
const SEND_MS_MAX = 20_000;

type Expected = {
  unitId: number;
  address: string;
  channel: string;
  step: string;
  answeredAt: number | null;
};

export async function readTruth(
  database: Database,
  ledgerDirectory: string,
  warningId: number,
): Promise<Truth> {
  const messages = await messagesOf(ledgerDirectory, warningId);
  const expected = await readExpected(database, warningId);
  const arrived = new Set([
    ...messages.map(keyOf),
    ...(await readAlong(database, ledgerDirectory, warningId)).map(keyOf),
  ]);
  const missing = expected.filter((one) => !arrived.has(keyOf(one)));
  const lost = missing.filter(({ answeredAt }) => answeredAt === null);
  const duplicates = await readDuplicates(database, warningId, messages);
  const answers = await readAnswers(database, ledgerDirectory, warningId);
  const found: Record<Wrong, string[]> = {
    lost: lost.map((one) => `unit ${one.unitId}: ${keyOf(one)}`),
    chased: chasedOf(expected, messages),
    ...duplicates.wrongs,
    ...answers.wrongs,
  };
  const wrongs = Object.entries(found).filter(([, list]) => list.length > 0);
  return {
    counts: {
      planned: expected.length,
      reached: expected.length - missing.length,
      excused: missing.length - lost.length,
      messages: messages.length,
      ...duplicates.counts,
      ...answers.counts,
    },
    wrongs: Object.fromEntries(wrongs.map(([name, list]) => [name, list.slice(0, SHOWN_MOST)])),
  };
}

async function messagesOf(ledgerDirectory: string, warningId: number): Promise<LedgerMessage[]> {
  const messages: LedgerMessage[] = [];
  for await (const message of ledgerMessages(ledgerDirectory)) {
    if (message?.warningId === String(warningId)) messages.push(message);
  }
  return messages;
}

/** What went along with another warning's message to the same person, where the far side has that one. */
async function readAlong(database: Database, ledgerDirectory: string, warningId: number) {
  const rows = await database.query<{ into: string; address: string; channel: string; step: string }>(
    `select b.into_id::text as into, c.address, p.channel, p.purpose || ' ' || p.step as step
     from combined b join pages p on p.id = b.delivery_id / 1024
     join person_channels c on c.person_id = p.recipients[b.delivery_id % 1024 + 1] and c.channel = p.channel
     where p.warning_id = $1`,
    [warningId],
  );
  const taken = new Set<string>();
  for await (const message of ledgerMessages(ledgerDirectory)) if (message) taken.add(message.deliveryId);
  return rows.filter(({ into }) => taken.has(into));
}

function keyOf({
  address,
  channel,
  step,
}: {
  address: string;
  channel: string;
  step: string | null;
}): string {
  return `${step} by ${channel} to ${address}`;
}

/** Each rung a unit reached, to each person of it by each channel they have; and each household below. */
async function readExpected(database: Database, warningId: number): Promise<Expected[]> {
  return database.query<Expected>(
    `with answered as (
       select unit_id, extract(epoch from min(at))::float8 * 1000 as at from answers
       where warning_id = $1 and household_id is null group by unit_id)
     select s.unit_id as "unitId", c.address, c.channel, 'rung ' || l.place - 1 as step, a.at as "answeredAt"
     from warnings w
     join unit_states s on s.warning_id = w.id
     join lateral jsonb_array_elements(w.rules->'ladder') with ordinality as l (rung, place) on l.place - 1 <= s.rung
     join posts p on p.unit_id = s.unit_id and case l.rung->>'who'
       when 'principal' then p.rank = 0 when 'deputies' then p.rank > 0 else l.rung->>'who' = 'everyone' end
     join person_channels c on c.person_id = p.person_id and l.rung->'by' ? c.channel
     left join answered a on a.unit_id = s.unit_id
     where w.id = $1
     union all
     select h.unit_id, h.address, h.channel, 'household 0', null
     from unit_states s join households h on h.unit_id = s.unit_id where s.warning_id = $1`,
    [warningId],
  );
}

async function readDuplicates(database: Database, warningId: number, messages: readonly LedgerMessage[]) {
  const flagged = await database.query<{ id: string; flags: number }>(
    `select id::text, count(*)::int as flags from deliveries where warning_id = $1 and possible_duplicate group by id`,
    [warningId],
  );
  const flags = new Map(flagged.map((row) => [row.id, row.flags]));
  const repeated = [...countBy(messages, ({ deliveryId }) => deliveryId)].filter(([, count]) => count > 1);
  return {
    counts: {
      duplicates: repeated.reduce((sum, [, count]) => sum + count - 1, 0),
      flags: flagged.reduce((sum, row) => sum + row.flags, 0),
    },
    wrongs: {
      unflagged: repeated
        .filter(([id, count]) => count - 1 > (flags.get(id) ?? 0))
        .map(([id, count]) => `delivery ${id}: ${count} messages, ${flags.get(id) ?? 0} flags`),
      'repeated attempts': [...countBy(messages, ({ reference }) => reference)]
        .filter(([, count]) => count > 1)
        .map(([reference, count]) => `${reference}: ${count}`),
    },
  };
}

function countBy<Item>(items: readonly Item[], key: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}

/** Who holds several posts may be called for another of them: only where all have answered is it a chase. */
function chasedOf(expected: readonly Expected[], messages: readonly LedgerMessage[]): string[] {
  const answeredAt = new Map<string, number>();
  for (const one of expected) {
    if (!one.step.startsWith('rung')) continue;
    answeredAt.set(keyOf(one), Math.max(answeredAt.get(keyOf(one)) ?? 0, one.answeredAt ?? Infinity));
  }
  return messages
    .filter((message) => Date.parse(message.at) > (answeredAt.get(keyOf(message)) ?? Infinity) + SEND_MS_MAX)
    .map((message) => `${keyOf(message)} at ${message.at}`);
}

async function readAnswers(database: Database, ledgerDirectory: string, warningId: number) {
  const acts: LedgerAct[] = [];
  const results = new Map<string, number | 'given-up'>();
  for await (const entry of ledgerActs(ledgerDirectory)) {
    if (entry?.type === 'act' && entry.warningId === String(warningId)) acts.push(entry);
    else if (entry?.type === 'result') results.set(entry.actId, entry.status);
  }
  const answers = await database.query<{ id: number; addresses: string[] }>(
    `select a.id, array(select address from person_channels where person_id = a.person_id
       union select address from households where id = a.household_id) as addresses
     from answers a where a.warning_id = $1`,
    [warningId],
  );
  const stored = new Set(answers.flatMap(({ addresses }) => addresses));
  const acted = new Set(acts.map(({ address }) => address));
  const thanked = acts.filter(({ actId }) => {
    const status = results.get(actId);
    return typeof status === 'number' && status >= 200 && status < 300;
  });
  const cutShort = acts.filter(({ actId }) => !results.has(actId));
  return {
    counts: {
      thanked: thanked.length,
      cutShort: cutShort.length,
      lastCutShortAt: cutShort.length > 0 ? Math.max(...cutShort.map(({ at }) => Date.parse(at))) : null,
      givenUp: acts.filter(({ actId }) => results.get(actId) === 'given-up').length,
    },
    wrongs: {
      'lost answers': thanked
        .filter(({ address }) => !stored.has(address))
        .map(({ actId, via }) => `${via} ${actId}`),
      'false answers': answers
        .filter(({ addresses }) => !addresses.some((address) => acted.has(address)))
        .map(({ id }) => `answer ${id}`),
    },
  };
}
