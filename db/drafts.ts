/** Drafts of actual warnings, who approved which version, and what was published on whose word. */
import type { LevelId } from '../domain/levels.ts';
import type { Instant } from '../domain/time.ts';
import type { Sql } from './database.ts';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

export type DraftStatus = 'waiting' | 'published' | 'rejected' | 'withdrawn' | 'not sent';
export type DraftAct = 'issue' | 'update' | 'cancel';
export type ApprovalStep = 'review' | 'release';

export type DraftApproval = {
  step: ApprovalStep;
  version: number;
  operatorId: number;
  operator: string;
  at: Instant;
  validUntil: Instant;
};

export type DraftRow = {
  draftId: number;
  act: DraftAct;
  status: DraftStatus;
  /** When the first version was written: the clock of whoever must decide. */
  writtenAt: Instant;
  endedAt: Instant | null;
  endedBy: string | null;
  endReason: string | null;
  warningId: number | null;
  version: number;
  hash: string;
  /** The canonical JSON that was hashed. */
  content: string;
  authorId: number;
  author: string;
  /** Names of the areas. */
  areas: string[];
  /** Newest first, of all versions. */
  approvals: DraftApproval[];
};

const DRAFT = `select d.id as "draftId", d.act, d.status, ${MS('d.written_at')} as "writtenAt", ${MS('d.ended_at')} as "endedAt",
    d.end_reason as "endReason", d.warning_id as "warningId", v.version, v.hash, v.content, v.author_id as "authorId",
    author.name as author, ender.name as "endedBy",
    array(select u.name from units u
      where u.id in (select jsonb_array_elements_text(v.content::jsonb -> 'areaIds')::int) order by u.id) as areas,
    coalesce((select json_agg(json_build_object('step', a.step, 'version', a.version, 'operatorId', a.operator_id,
      'operator', o.name, 'at', ${MS('a.at')}, 'validUntil', ${MS('a.valid_until')}) order by a.id desc)
      from approvals a join operators o on o.id = a.operator_id where a.draft_id = d.id), '[]') as approvals
  from drafts d join lateral (select * from draft_versions where draft_id = d.id order by version desc limit 1) v on true
  join operators author on author.id = v.author_id left join operators ender on ender.id = d.ended_by`;

export async function readDraft(sql: Sql, draftId: number): Promise<DraftRow | null> {
  const [row] = await sql.query<DraftRow>(`${DRAFT} where d.id = $1`, [draftId]);
  return row ?? null;
}

/** Drafts that wait, the longest waiting first; with `all` also those that have ended, newest first. */
export async function readDrafts(sql: Sql, input: { all: boolean; most: number }): Promise<DraftRow[]> {
  return input.all
    ? sql.query<DraftRow>(`${DRAFT} order by d.id desc limit $1`, [input.most])
    : sql.query<DraftRow>(`${DRAFT} where d.status = 'waiting' order by d.written_at limit $1`, [input.most]);
}

export async function insertDraft(sql: Sql, act: DraftAct): Promise<number> {
  const [row] = await sql.query<{ id: number }>('insert into drafts (act) values ($1) returning id', [act]);
  return row?.id ?? 0;
}

/** One more version; PostgreSQL numbers it. What was approved before is void from here on. */
export async function insertDraftVersion(
  sql: Sql,
  version: { draftId: number; hash: string; content: string; authorId: number },
): Promise<void> {
  await sql.query(
    `insert into draft_versions (draft_id, version, hash, content, author_id) values ($1, 0, $2, $3, $4)`,
    [version.draftId, version.hash, version.content, version.authorId],
  );
}

/** True where a warning, or the newest version of another draft that waits, has this name. */
export async function isIdentifierTaken(
  sql: Sql,
  identifier: string,
  exceptDraftId: number | null,
): Promise<boolean> {
  const rows = await sql.query(
    `select 1 from warnings where identifier = $1
     union all select 1 from drafts d
       cross join lateral (select content from draft_versions where draft_id = d.id order by version desc limit 1) v
     where d.status = 'waiting' and d.id is distinct from $2 and v.content::jsonb ->> 'identifier' = $1`,
    [identifier, exceptDraftId],
  );
  return rows.length > 0;
}

/** Locks a draft that waits until the transaction ends, and gives its newest version; refused where it does not wait. */
export async function lockWaitingDraft(
  sql: Sql,
  draftId: number,
): Promise<{ version: number; hash: string; content: string; authorId: number }> {
  const [row] = await sql.query<{ version: number; hash: string; content: string; authorId: number }>(
    `select version, hash, content, author_id as "authorId" from lock_waiting_draft($1)`,
    [draftId],
  );
  if (!row) throw new Error(`draft ${draftId} has no version`);
  return row;
}

export async function insertApproval(
  sql: Sql,
  approval: { draftId: number; version: number; hash: string; step: ApprovalStep; operatorId: number },
): Promise<Instant> {
  const [row] = await sql.query<{ until: Instant }>(
    `insert into approvals (draft_id, version, hash, step, operator_id) values ($1, $2, $3, $4, $5)
     returning ${MS('valid_until')} as until`,
    [approval.draftId, approval.version, approval.hash, approval.step, approval.operatorId],
  );
  return row?.until ?? 0;
}

/** Who reviewed and who released the newest version, each the latest word; null where nobody did. */
export async function readApprovers(
  sql: Sql,
  draftId: number,
  version: number,
): Promise<{ reviewerId: number | null; releaserId: number | null }> {
  const [row] = await sql.query<{ reviewerId: number | null; releaserId: number | null }>(
    `select
       (select operator_id from approvals where draft_id = $1 and version = $2 and step = 'review' order by id desc limit 1)
         as "reviewerId",
       (select operator_id from approvals where draft_id = $1 and version = $2 and step = 'release' order by id desc limit 1)
         as "releaserId"`,
    [draftId, version],
  );
  return row ?? { reviewerId: null, releaserId: null };
}

export type NewRelease = {
  draftId: number;
  version: number;
  hash: string;
  authorId: number;
  reviewerId: number | null;
  releaserId: number | null;
  publisherId: number;
  emergencyReason: string | null;
};

/** The word on which a draft is published; PostgreSQL checks every part of it. */
export async function insertRelease(sql: Sql, release: NewRelease): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `insert into releases (act, draft_id, version, hash, author_id, reviewer_id, releaser_id, publisher_id, emergency_reason)
     select act, $1, $2, $3, $4, $5, $6, $7, $8 from drafts where id = $1 returning id`,
    [
      release.draftId,
      release.version,
      release.hash,
      release.authorId,
      release.reviewerId,
      release.releaserId,
      release.publisherId,
      release.emergencyReason,
    ],
  );
  return row?.id ?? 0;
}

/** One person takes back what was false: the correction was released with the warning. */
export async function insertRetraction(
  sql: Sql,
  input: { warningId: number; operatorId: number; reason: string },
): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `insert into releases (act, target_id, author_id, publisher_id, emergency_reason) values ('retract', $1, $2, $2, $3)
     returning id`,
    [input.warningId, input.operatorId, input.reason],
  );
  return row?.id ?? 0;
}

/** Ends a draft that is locked and waits. */
export async function endDraft(
  sql: Sql,
  end: {
    draftId: number;
    status: 'rejected' | 'withdrawn' | 'not sent';
    operatorId: number;
    reason: string | null;
  },
): Promise<void> {
  await sql.query(
    `update drafts set status = $2, ended_at = clock_timestamp(), ended_by = $3, end_reason = $4 where id = $1`,
    [end.draftId, end.status, end.operatorId, end.reason],
  );
}

export async function insertDecision(
  sql: Sql,
  decision: {
    draftId: number | null;
    hazard: string;
    level: LevelId;
    areaIds: readonly number[];
    operatorId: number;
    reason: string;
  },
): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    'insert into decisions (draft_id, hazard, level, area_ids, operator_id, reason) values ($1, $2, $3, $4, $5, $6) returning id',
    [
      decision.draftId,
      decision.hazard,
      decision.level,
      decision.areaIds,
      decision.operatorId,
      decision.reason,
    ],
  );
  return row?.id ?? 0;
}

/** Somebody decided not to send something, because; kept for good. `draftId` is null where nobody had written it down. */
export type DecisionRow = {
  decisionId: number;
  draftId: number | null;
  hazard: string;
  level: LevelId;
  /** Names of the areas. */
  areas: string[];
  operator: string;
  reason: string;
  at: Instant;
};

const DECISION = `select d.id as "decisionId", d.draft_id as "draftId", d.hazard, d.level, d.reason, ${MS('d.at')} as at,
    o.name as operator, array(select u.name from units u where u.id = any(d.area_ids) order by u.id) as areas
  from decisions d join operators o on o.id = d.operator_id`;

export async function readDecision(sql: Sql, decisionId: number): Promise<DecisionRow | null> {
  const [row] = await sql.query<DecisionRow>(`${DECISION} where d.id = $1`, [decisionId]);
  return row ?? null;
}

/** Newest first. */
export async function readDecisions(sql: Sql, most: number): Promise<DecisionRow[]> {
  return sql.query<DecisionRow>(`${DECISION} order by d.id desc limit $1`, [most]);
}

/** What one person did alone. */
export type AfterReview = {
  releaseId: number;
  act: DraftAct | 'retract';
  draftId: number | null;
  /** The warning that was published or ended. */
  warningId: number | null;
  operatorId: number;
  operator: string;
  reason: string;
  at: Instant;
};

/** What one person did alone and nobody has looked at since, the oldest first. */
export async function readOpenAfterReviews(sql: Sql): Promise<AfterReview[]> {
  return sql.query<AfterReview>(
    `select r.id as "releaseId", r.act, r.draft_id as "draftId", r.publisher_id as "operatorId", o.name as operator,
       coalesce((select w.id from warnings w where w.release_id = r.id), r.target_id) as "warningId",
       r.emergency_reason as reason, ${MS('r.at')} as at
     from releases r join operators o on o.id = r.publisher_id
     where r.emergency_reason is not null and r.used_at is not null
       and not exists (select from after_reviews a where a.release_id = r.id) order by r.id`,
  );
}

export async function insertAfterReview(
  sql: Sql,
  review: {
    releaseId: number;
    operatorId: number;
    verdict: 'justified' | 'not justified';
    finding: string;
  },
): Promise<void> {
  await sql.query(
    `insert into after_reviews (release_id, operator_id, verdict, finding) values ($1, $2, $3, $4)`,
    [review.releaseId, review.operatorId, review.verdict, review.finding],
  );
}

/** The kept rule pack of this id and version; null where none is kept. */
export async function readKeptRulePack(sql: Sql, id: string, version: number): Promise<unknown> {
  const [row] = await sql.query<{ body: unknown }>(
    'select body from rule_packs where id = $1 and version = $2',
    [id, version],
  );
  return row?.body ?? null;
}

/** PostgreSQL's clock. */
export async function readNow(sql: Sql): Promise<Instant> {
  const [row] = await sql.query<{ now: Instant }>(`select ${MS('clock_timestamp()')} as now`);
  return row?.now ?? Date.now();
}
