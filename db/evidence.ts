/**
 * What the evidence of one warning is made of. Large lists are read by cursors (db/audit-read.ts); what a report shows of them is
 * summed up here. Numbers leave this file masked by whoever prints them, never before.
 */
import type { RulePack, Channel } from '../domain/rules.ts';
import type { Language } from '../domain/texts.ts';
import type { Sql } from './database.ts';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** One line of the record about this warning: an act of a person, or what the database noted of the warning itself. */
export type ActLine = {
  chain: string;
  position: number;
  at: number;
  kind: string;
  actor: string | null;
  body: unknown;
};

/** What was decided against so long before a warning belongs to its story. Product choice, as long as an incident lasts. */
const DECISION_HOURS = 24;

/**
 * The acts about a warning; those about the draft it came from; every decision, while an actual one was weighed or stood, not to send
 * one of its hazard over its places; and who stopped everything meanwhile. All but the first stand in the chain without a warning.
 */
export async function readActs(sql: Sql, warningId: number): Promise<ActLine[]> {
  return sql.query<ActLine>(
    `with own as (select * from audit where chain = 'acts-' || $1::int),
     drafts as (select distinct body->>'draft' as name from own where body->>'draft' is not null)
     select chain, position, ${MS('at')} as at, kind, actor, body from own
     union all
     select a.chain, a.position, ${MS('a.at')}, a.kind, a.actor, a.body from audit a join warnings w on w.id = $1
     where a.chain = 'acts' and (a.body->>'draft' in (select name from drafts)
       or a.kind in ('pause', 'resume') and a.at between w.issued_at and coalesce(w.ended_at, w.expires_at)
       or w.kind = 'actual' and a.kind = 'decided not to send' and exists (
         -- Anybody who reaches the database can write a line that names an operator; the decision itself takes that operator's token.
         select from decisions d where d.operator_id::text = a.body->>'operatorId' and d.reason = a.body->>'reason'
           and d.at between a.at - interval '1 minute' and a.at and d.hazard = w.hazard
           and d.at between w.issued_at - interval '${DECISION_HOURS} hours' and coalesce(w.ended_at, w.expires_at)
           and exists (select from units u, warning_areas x join units au on au.id = x.unit_id
             where u.id = any(d.area_ids) and x.warning_id = w.id and (u.id = any(au.path) or au.id = any(u.path)))))
     order by at, chain, position`,
    [warningId],
  );
}

export async function readRulePack(
  sql: Sql,
  pack: { id: string; version: number },
): Promise<RulePack | null> {
  const [row] = await sql.query<{ body: RulePack }>(
    'select body from rule_packs where id = $1 and version = $2',
    [pack.id, pack.version],
  );
  return row?.body ?? null;
}

/** What the notice of the warning's end says; null where it is the standing words. */
export type EndTexts = { endTextZh: string | null; endTextEn: string | null };

export async function readEndTexts(sql: Sql, warningId: number): Promise<EndTexts> {
  const [row] = await sql.query<EndTexts>(
    `select coalesce(end_text_zh, case when retracted then correction_zh end) as "endTextZh",
       coalesce(end_text_en, case when retracted then correction_en end) as "endTextEn" from warnings where id = $1`,
    [warningId],
  );
  return row ?? { endTextZh: null, endTextEn: null };
}

/** How one unit came through the warning. Instants in milliseconds. */
export type UnitStory = {
  unitId: number;
  code: string | null;
  name: string;
  /** Its names from the top down. */
  path: string;
  tier: string;
  status: string;
  ended: string | null;
  rung: number;
  openedAt: number | null;
  toldAt: number | null;
  answeredAt: number | null;
  silentAt: number | null;
  doneAt: number | null;
};

export async function readUnitStories(sql: Sql, warningId: number): Promise<UnitStory[]> {
  return sql.query<UnitStory>(
    `select u.id as "unitId", u.code, u.name, s.tier, s.status, s.ended, s.rung,
       (select string_agg(p.name, '/' order by cardinality(p.path)) from units p where p.id = any(u.path)) as path,
       ${MS('s.opened_at')} as "openedAt", ${MS('s.told_at')} as "toldAt", ${MS('s.answered_at')} as "answeredAt",
       ${MS('s.silent_at')} as "silentAt", ${MS('s.done_at')} as "doneAt"
     from unit_states s join units u on u.id = s.unit_id
     where s.warning_id = $1 order by cardinality(u.path), u.id`,
    [warningId],
  );
}

/** A unit that reached a rung: when the first message of it was settled, and when the first of the rung before. */
export type Escalation = {
  unitId: number;
  rung: number;
  at: number;
  beforeAt: number | null;
  messages: number;
};

export async function readEscalations(sql: Sql, warningId: number): Promise<Escalation[]> {
  return sql.query<Escalation>(
    `select unit_id as "unitId", step as rung, ${MS('at')} as at, ${MS('lag(at) over (partition by unit_id order by step)')} as "beforeAt",
       messages
     from (select unit_id, step, min(at) as at, count(*)::int as messages from deliveries
       where warning_id = $1 and purpose = 'rung' group by unit_id, step) r
     order by at, unit_id`,
    [warningId],
  );
}

/** Messages of one purpose, step and channel in one language, with what came of them and what was reported. */
export type Sent = {
  purpose: string;
  step: number;
  channel: Channel;
  language: Language;
  firstAt: number;
  lastAt: number;
  attempts: number;
  handedOff: number;
  failed: number;
  unknown: number;
  dropped: number;
  merged: number;
  delivered: number;
  read: number;
  undelivered: number;
};

export async function readSent(sql: Sql, warningId: number): Promise<Sent[]> {
  const outcome = (name: string) => `count(*) filter (where d.outcome = '${name}')::int`;
  const reported = (...states: string[]) =>
    `count(*) filter (where exists (select from receipts r where r.delivery_id = d.id and r.attempt = d.attempt
       and r.state in (${states.map((state) => `'${state}'`).join(', ')})))::int`;
  return sql.query<Sent>(
    `select d.purpose, d.step, d.channel, coalesce(p.language, h.language, 'zh') as language,
       ${MS('min(d.at)')} as "firstAt", ${MS('max(d.at)')} as "lastAt", count(*)::int as attempts,
       ${outcome('handed off')} as "handedOff", ${outcome('failed')} as failed, ${outcome('unknown')} as unknown,
       ${outcome('dropped')} as dropped, ${outcome('merged')} as merged,
       ${reported('delivered', 'read')} as delivered, ${reported('read')} as read, ${reported('undelivered', 'failed')} as undelivered
     from deliveries d
     left join people p on d.audience = 'people' and p.id = d.recipient_id
     left join households h on d.audience = 'households' and h.id = d.recipient_id
     where d.warning_id = $1 group by 1, 2, 3, 4 order by min(d.at), 1, 2, 3, 4`,
    [warningId],
  );
}

/** An answer of an official, or one that was vouched for; households are counted. */
export type HeardAnswer = {
  at: number;
  unitId: number;
  unit: string;
  tier: string;
  kind: string;
  doneCount: number | null;
  via: string;
  person: string | null;
  vouchedBy: string | null;
  how: string | null;
  /** It was given to the warning before, and stands for this one. */
  carried: boolean;
};

export async function readHeardAnswers(sql: Sql, warningId: number): Promise<HeardAnswer[]> {
  return sql.query<HeardAnswer>(
    `select ${MS('a.at')} as at, u.id as "unitId", u.name as unit, u.tier, a.kind, a.done_count as "doneCount", a.via, p.name as person,
       a.vouched_by as "vouchedBy", a.how, a.carried_from is not null as carried
     from answers a join units u on u.id = a.unit_id left join people p on p.id = a.person_id
     where a.warning_id = $1 and a.household_id is null order by a.at, a.id`,
    [warningId],
  );
}

/** Households told, and those that answered. */
export async function countHouseholds(
  sql: Sql,
  warningId: number,
): Promise<{ told: number; answered: number }> {
  const [row] = await sql.query<{ told: number; answered: number }>(
    `select (select count(distinct recipient_id)::int from deliveries
         where warning_id = $1 and audience = 'households' and outcome in ('handed off', 'merged')) as told,
       (select count(distinct household_id)::int from answers where warning_id = $1 and household_id is not null) as answered`,
    [warningId],
  );
  return row ?? { told: 0, answered: 0 };
}

/** Who messages went to, by their addresses of today, which must be masked before anybody sees them. */
export type Recipient = {
  audience: string;
  recipientId: number;
  name: string;
  channel: string;
  address: string;
};

export const RECIPIENTS = `select distinct d.audience, d.recipient_id as "recipientId", p.name, a.channel, a.address
  from deliveries d join people p on p.id = d.recipient_id
  join person_channels a on a.person_id = p.id and a.channel = d.channel
  where d.warning_id = $1 and d.audience = 'people'
  union all
  select distinct d.audience, d.recipient_id, h.name, h.channel, h.address
  from deliveries d join households h on h.id = d.recipient_id where d.warning_id = $1 and d.audience = 'households'
  order by 1, 2, 4`;

export type WrittenAnchor = { seal: number; hash: string; at: number; writtenTo: string[] };

/** The anchors that were written since a seal. */
export async function readAnchorsSince(sql: Sql, seal: number): Promise<WrittenAnchor[]> {
  return sql.query<WrittenAnchor>(
    `select seal, encode(hash, 'hex') as hash, ${MS('at')} as at, written_to as "writtenTo" from anchors where seal >= $1 order by id`,
    [seal],
  );
}
