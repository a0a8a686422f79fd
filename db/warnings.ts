/** Warnings: issue, update, cancel, and how one stands. */
import type { LevelId } from '../domain/levels.ts';
import type { WarningStatus } from '../domain/revisions.ts';
import type { AddressFault } from '../domain/results.ts';
import type { Channel, Rules, RulePack } from '../domain/rules.ts';
import type { Instant } from '../domain/time.ts';
import type { Sql } from './database.ts';
import { NOBODY_HEARD } from './doors.ts';
import { dutiesOfVacantPosts, phoneOf, standsFor } from './duties.ts';

/** A unit belongs to a warning when it lies in one of its areas or on the way down to one. `u` is the unit. */
export function inScope(areas: string): string {
  return `exists (select from units au where au.id = any(${areas}) and (au.id = any(u.path) or u.id = any(au.path)))`;
}

export type WarningRow = {
  warningId: number;
  revision: number;
  kind: 'exercise' | 'actual';
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
  status: WarningStatus;
  issuedAt: number;
  expiresAt: number;
  endedAt: number | null;
  endReason: string | null;
  /** It was false, and ended by its correction. */
  retracted: boolean;
  correctionZh: string | null;
  correctionEn: string | null;
  /** The warning whose place this one took, and the one that took its place; the number of the chain's first. */
  supersedesId: number | null;
  supersededById: number | null;
  chainId: number;
  /** The first warning of the incident; null where this is it. */
  incidentId: number | null;
  /** Of an update: whether those who had answered must answer anew. */
  asksAgain: boolean | null;
  speed: number;
  rules: Rules;
  areaIds: number[];
  areas: string[];
};

const WARNING = `select w.id as "warningId", w.revision, w.kind, w.hazard, w.level, w.issuer, w.text_zh as "textZh",
  w.text_en as "textEn", w.status, w.speed, w.rules, w.end_reason as "endReason", w.retracted,
  w.correction_zh as "correctionZh", w.correction_en as "correctionEn", w.supersedes_id as "supersedesId",
  (select s.id from warnings s where s.supersedes_id = w.id) as "supersededById", coalesce(w.chain_id, w.id) as "chainId",
  w.incident_id as "incidentId", w.asks_again as "asksAgain",
  floor(extract(epoch from w.issued_at) * 1000)::float8 as "issuedAt",
  floor(extract(epoch from w.expires_at) * 1000)::float8 as "expiresAt",
  floor(extract(epoch from w.ended_at) * 1000)::float8 as "endedAt",
  array(select a.unit_id from warning_areas a where a.warning_id = w.id order by a.unit_id) as "areaIds",
  array(select u.name from warning_areas a join units u on u.id = a.unit_id where a.warning_id = w.id order by u.id) as areas
  from warnings w`;

export async function readWarning(sql: Sql, warningId: number): Promise<WarningRow | null> {
  const [row] = await sql.query<WarningRow>(`${WARNING} where w.id = $1`, [warningId]);
  return row ?? null;
}

export async function readWarnings(sql: Sql, most: number): Promise<WarningRow[]> {
  return sql.query<WarningRow>(`${WARNING} order by w.id desc limit $1`, [most]);
}

/** Keeps a rule pack under its id and version; false where another text is already kept under them. */
export async function keepRulePack(sql: Sql, pack: RulePack): Promise<boolean> {
  await sql.query('insert into rule_packs (id, version, body) values ($1, $2, $3) on conflict do nothing', [
    pack.id,
    pack.version,
    JSON.stringify(pack),
  ]);
  const [row] = await sql.query<{ same: boolean }>(
    'select body = $3::jsonb as same from rule_packs where id = $1 and version = $2',
    [pack.id, pack.version, JSON.stringify(pack)],
  );
  return row?.same ?? false;
}

export type NewWarning = {
  kind: 'exercise' | 'actual';
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
  /** From the moment of the commit, in milliseconds. */
  lastsMs: number;
  speed: number;
  rules: Rules;
  areaIds: readonly number[];
  /** Instead of `lastsMs`: the very moment, where somebody has released it. */
  expiresAt?: Instant | null;
  /** The warning whose place this one takes. */
  supersedesId?: number | null;
  /** On whose word an actual warning goes out. */
  releaseId?: number | null;
  identifier?: string | null;
  correctionZh?: string | null;
  correctionEn?: string | null;
  /** Of an update; see `askingOf`. */
  asksAgain?: boolean | null;
  incidentId?: number | null;
};

/** Writes the warning, its areas and its cells; gives back its number. */
export async function insertWarning(sql: Sql, warning: NewWarning): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `with now as (select clock_timestamp() as at)
     insert into warnings (kind, hazard, level, issuer, text_zh, text_en, issued_at, expires_at, speed, rules,
       supersedes_id, release_id, identifier, correction_zh, correction_en, asks_again, incident_id, revision, chain_id)
     select $1, $2, $3, $4, $5, $6, now.at, coalesce('epoch'::timestamptz + $10::float8 * interval '1 millisecond',
       now.at + $7 * interval '1 millisecond'), $8, $9, $11, $12, $13, $14, $15, $16, $17,
       coalesce(o.revision, 0) + 1, coalesce(o.chain_id, o.id) from now left join warnings o on o.id = $11
     returning id`,
    [
      warning.kind,
      warning.hazard,
      warning.level,
      warning.issuer,
      warning.textZh,
      warning.textEn,
      warning.lastsMs,
      warning.speed,
      JSON.stringify(warning.rules),
      warning.expiresAt ?? null,
      warning.supersedesId ?? null,
      warning.releaseId ?? null,
      warning.identifier ?? null,
      warning.correctionZh ?? null,
      warning.correctionEn ?? null,
      warning.asksAgain ?? null,
      warning.incidentId ?? null,
    ],
  );
  const id = row?.id ?? 0;
  await sql.query('insert into warning_areas (warning_id, unit_id) select $1, unnest($2::int[])', [
    id,
    warning.areaIds,
  ]);
  await sql.query(
    `insert into cells (warning_id, unit_id, next_deadline)
     select $1, u.id, (select expires_at from warnings where id = $1)
     from units u where u.id = u.cell_unit_id and ${inScope('$2::int[]')}`,
    [id, warning.areaIds],
  );
  return id;
}

/** The roots of a warning's cells, with the tiers of the units above each. */
export async function readCellRoots(
  sql: Sql,
  warningId: number,
): Promise<{ unitId: number; tiersAbove: string[] }[]> {
  return sql.query(
    `select c.unit_id as "unitId",
       array(select a.tier from units a where a.id = any(u.path) and a.id <> u.id) as "tiersAbove"
     from cells c join units u on u.id = c.unit_id where c.warning_id = $1`,
    [warningId],
  );
}

/** Cancels an open warning; false where it was not open any more. */
export async function endWarning(
  sql: Sql,
  warningId: number,
  how: { reason: string | null; retracted?: boolean; textZh?: string | null; textEn?: string | null },
): Promise<boolean> {
  const rows = await sql.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp(), end_reason = $2, retracted = $3,
       end_text_zh = $4, end_text_en = $5
     where id = $1 and status = 'open' and expires_at > clock_timestamp() returning id`,
    [warningId, how.reason, how.retracted ?? false, how.textZh ?? null, how.textEn ?? null],
  );
  return rows.length > 0;
}

/** Holds an open warning for what is to take its place; false where it is not open any more: of two at once one gets it. */
export async function lockOpen(sql: Sql, warningId: number): Promise<boolean> {
  const rows = await sql.query(
    `select id from warnings where id = $1 and status = 'open' and expires_at > clock_timestamp() for no key update`,
    [warningId],
  );
  return rows.length > 0;
}

/** Ends a warning that is held because another takes its place. */
export async function supersedeWarning(sql: Sql, warningId: number): Promise<void> {
  await sql.query(
    `update warnings set status = 'superseded', ended_at = least(clock_timestamp(), expires_at) where id = $1 and status = 'open'`,
    [warningId],
  );
}

/** The newest warning of a chain. */
export async function readNewest(sql: Sql, chainId: number): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    'select max(id) as id from warnings where id = $1 or chain_id = $1',
    [chainId],
  );
  return row?.id ?? chainId;
}

/** The incident of the latest warning of this kind and hazard that overlaps these places within the time; null where there is none. */
export async function findIncident(
  sql: Sql,
  warning: { kind: 'exercise' | 'actual'; hazard: string; areaIds: readonly number[]; withinMs: number },
): Promise<number | null> {
  const [row] = await sql.query<{ id: number }>(
    `select coalesce(w.incident_id, w.id) as id from warnings w
     where w.kind = $1 and w.hazard = $2 and not w.retracted
       and w.issued_at > clock_timestamp() - $4::float8 * interval '1 millisecond' and ${OVERLAPS}
     order by w.id desc limit 1`,
    [warning.kind, warning.hazard, warning.areaIds, warning.withinMs],
  );
  return row?.id ?? null;
}

/** How many red signals of an incident were not lifted; a red that takes the place of a red is the same signal. */
export async function countReds(sql: Sql, incidentId: number): Promise<number> {
  const [row] = await sql.query<{ reds: number }>(
    `select count(*)::int as reds from warnings r left join warnings o on o.id = r.supersedes_id
     where (r.id = $1 or r.incident_id = $1) and r.level = 'red' and r.status <> 'cancelled' and not r.retracted
       and o.level is distinct from 'red'`,
    [incidentId],
  );
  return row?.reds ?? 0;
}

/** An area of warning `w` lies in one of `$3`, or one of those in it. */
const OVERLAPS = `exists (select from warning_areas a join units x on x.id = a.unit_id join units y on y.id = any($3::int[])
  where a.warning_id = w.id and (x.id = any(y.path) or y.id = any(x.path)))`;

/** Open warnings of this kind and hazard over the same places: what an update would take the place of. The newest first. */
export async function findOverlapping(
  sql: Sql,
  warning: { kind: 'exercise' | 'actual'; hazard: string; areaIds: readonly number[] },
): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `select w.id from warnings w where w.kind = $1 and w.hazard = $2 and w.status = 'open' and w.expires_at > clock_timestamp()
       and ${OVERLAPS} order by w.id desc`,
    [warning.kind, warning.hazard, warning.areaIds],
  );
  return rows.map(({ id }) => id);
}

export type TierStanding = {
  tier: string;
  units: number;
  opened: number;
  told: number;
  answered: number;
  silent: number;
  escalated: number;
};

/** How the official tiers of a warning stand; units that nothing has happened to yet are counted too. */
export async function readStanding(
  sql: Sql,
  warningId: number,
  areaIds: readonly number[],
): Promise<TierStanding[]> {
  return sql.query<TierStanding>(
    `select u.tier, count(*)::int as units, count(s.opened_at)::int as opened, count(s.told_at)::int as told,
       count(s.answered_at)::int as answered, count(s.silent_at)::int as silent,
       (count(*) filter (where s.rung > 0))::int as escalated
     from units u left join unit_states s on s.warning_id = $1 and s.unit_id = u.id
     where ${inScope('$2::int[]')} group by u.tier`,
    [warningId, areaIds],
  );
}

/** How the households stand: all below the warning's units, told, answered. */
export async function readHouseholdStanding(sql: Sql, warningId: number, areaIds: readonly number[]) {
  const [row] = await sql.query<{ units: number; told: number; answered: number }>(
    `select
       (select count(*) from households h join units u on u.id = h.unit_id where ${inScope('$2::int[]')})::int as units,
       (select count(distinct recipient_id) from deliveries
        where warning_id = $1 and audience = 'households' and purpose = 'household' and outcome = 'handed off')::int as told,
       (select count(distinct household_id) from answers where warning_id = $1 and not ${NOBODY_HEARD})::int as answered`,
    [warningId, areaIds],
  );
  return row ?? { units: 0, told: 0, answered: 0 };
}

export type Progress = {
  cellsOpen: number;
  mail: number;
  pagesOpen: number;
  nextDeadlines: number[];
};

/** What is still under way, and the next moments at which something is due. */
export async function readProgress(sql: Sql, warningId: number): Promise<Progress> {
  const [row] = await sql.query<Progress>(
    `select
       (select count(*) from cells where warning_id = $1 and status = 'open')::int as "cellsOpen",
       (select count(*) from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1)::int as mail,
       (select count(*) from pages where warning_id = $1 and ended_at is null)::int as "pagesOpen",
       array(select floor(extract(epoch from s.next_at) * 1000)::float8 from unit_states s
             join cells c on c.id = s.cell_id where c.warning_id = $1 and s.next_at is not null
             order by s.next_at limit 3) as "nextDeadlines"`,
    [warningId],
  );
  return row ?? { cellsOpen: 0, mail: 0, pagesOpen: 0, nextDeadlines: [] };
}

export type SilentUnit = {
  unitId: number;
  code: string | null;
  path: string[];
  tier: string;
  rung: number;
  told: boolean;
  silentAt: number | null;
  people: SilentPerson[];
};

/** Who stands for a silent unit now. */
export type SilentPerson = {
  personId: number;
  name: string;
  title: string;
  rank: number;
  phone: string | null;
  /** When they were telephoned for this warning and unit and did not answer, the last time. */
  triedAt: number | null;
  /** Channels by which nothing reaches them, and why. */
  faults: Partial<Record<Channel, AddressFault>>;
};

/** The columns of a `SilentUnit`, of a state `s`, its unit `u` and its warning `w`. */
export const SILENT_UNIT = `s.unit_id as "unitId", u.code, u.tier, s.rung, s.told_at is not null as told,
  floor(extract(epoch from s.silent_at) * 1000)::float8 as "silentAt",
  array(select p.name from unnest(u.path) with ordinality as step (id, place) join units p on p.id = step.id
        order by step.place) as path`;

/** Those who stand for unit `u` of warning `w` now, as JSON: the posts as they were held at issue, by the roster of this hour. */
export const SILENT_PEOPLE = `coalesce((
  select json_agg(json_build_object('personId', pe.id, 'name', pe.name, 'title', po.title, 'rank', po.rank,
    'phone', ${phoneOf('pe.id')},
    'faults', coalesce((select json_object_agg(c.channel, c.fault) from person_channels c
      where c.person_id = pe.id and c.fault is not null), '{}'),
    'triedAt', (select floor(extract(epoch from max(k.ended_at)) * 1000)::float8 from calls k where k.warning_id = w.id
      and k.unit_id = u.id and k.person_id = pe.id and k.outcome = 'no answer')) order by po.rank)
  from (
    select po.title, po.rank, ${standsFor('po')} as person_id from posts po where po.unit_id = u.id
      and po.held_from <= w.issued_at and (po.held_until is null or po.held_until > w.issued_at)
    union all select '值班', d.rank, d.person_id from ${dutiesOfVacantPosts('u.id', 'w.issued_at')} d) po
  join people pe on pe.id = po.person_id), '[]')`;

/** Every opened unit that nobody has heard from, the highest and the longest silent first. */
export async function readSilentUnits(sql: Sql, warningId: number, most: number): Promise<SilentUnit[]> {
  return sql.query<SilentUnit>(
    `select ${SILENT_UNIT}, ${SILENT_PEOPLE} as people
     from unit_states s join units u on u.id = s.unit_id join warnings w on w.id = s.warning_id
     where s.warning_id = $1 and s.status <> 'answered' and s.silent_at is not null
     order by cardinality(u.path), s.silent_at limit $2`,
    [warningId, most],
  );
}

/** Something that happened to a unit, or to the warning itself: then unit and tier are null, and `other` is what it replaced or was replaced by. */
export type WarningEvent = {
  at: number;
  event:
    | 'answered'
    /** Said of the warning before, and it stands for this one. */
    | 'carried'
    /** Answered when it was over. */
    | 'late'
    | 'silent'
    | 'issued'
    | 'replaces'
    | 'superseded'
    | 'cancelled'
    | 'retracted'
    | 'expired';
  unit: string | null;
  tier: string | null;
  other: number | null;
};

/** The latest events, the newest first. */
export async function readLatestEvents(sql: Sql, warningId: number, most: number): Promise<WarningEvent[]> {
  return sql.query<WarningEvent>(
    `select floor(extract(epoch from e.at) * 1000)::float8 as at, u.name as unit, e.tier, e.other,
       case when e.event = 'answered' and exists (select from answers a where a.warning_id = $1 and a.unit_id = e.unit_id
           and a.carried_from is not null and a.at = e.at) then 'carried'
         when e.event = 'answered' and e.at > (select least(ended_at, expires_at) from warnings where id = $1) then 'late'
         else e.event end as event
     from (
       (select answered_at as at, 'answered' as event, unit_id, tier, null::int as other from unit_states
        where warning_id = $1 and answered_at is not null order by answered_at desc limit $2)
       union all
       (select silent_at, 'silent', unit_id, tier, null from unit_states
        where warning_id = $1 and silent_at is not null order by silent_at desc limit $2)
       union all
       select issued_at, case when supersedes_id is null then 'issued' else 'replaces' end, null, null, supersedes_id
       from warnings where id = $1
       union all
       select coalesce(w.ended_at, w.expires_at), case when w.retracted then 'retracted' else w.status end, null, null,
         (select n.id from warnings n where n.supersedes_id = w.id)
       from warnings w where w.id = $1 and w.status <> 'open'
     ) e left join units u on u.id = e.unit_id
     order by e.at desc, e.unit_id nulls first limit $2`,
    [warningId, most],
  );
}

/** How soon those who had been told heard that it is over: milliseconds from its end to the first and the last such message. */
export type EndNotices = { sent: number; firstMs: number; lastMs: number };

/** Null where nobody has heard of its end, or has to. */
export async function readEndNotices(sql: Sql, warningId: number): Promise<EndNotices | null> {
  const [row] = await sql.query<EndNotices>(
    `select count(*)::int as sent,
       (extract(epoch from min(d.at) - min(w.ended_at)) * 1000)::float8 as "firstMs",
       (extract(epoch from max(d.at) - min(w.ended_at)) * 1000)::float8 as "lastMs"
     from deliveries d join warnings w on w.id = d.warning_id
     where d.warning_id = $1 and d.purpose = 'cancel notice' and d.outcome in ('handed off', 'unknown')`,
    [warningId],
  );
  return row && row.sent > 0 ? row : null;
}

/** When the first and the last message of a warning were handed over, in milliseconds from its commit. */
export async function readSendTimes(
  sql: Sql,
  warningId: number,
): Promise<{ firstSendMs: number | null; lastSendMs: number | null }> {
  const [row] = await sql.query<{ firstSendMs: number | null; lastSendMs: number | null }>(
    `select (extract(epoch from min(d.at) - min(w.issued_at)) * 1000)::float8 as "firstSendMs",
       (extract(epoch from max(d.at) - min(w.issued_at)) * 1000)::float8 as "lastSendMs"
     from deliveries d join warnings w on w.id = d.warning_id
     where d.warning_id = $1 and d.outcome in ('handed off', 'unknown')`,
    [warningId],
  );
  return row ?? { firstSendMs: null, lastSendMs: null };
}
