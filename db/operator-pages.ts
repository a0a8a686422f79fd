/** Whom to tell, by e-mail, of what waits for their decision: each once, and again as long as it waits. */
import type { Instant } from '../domain/time.ts';
import type { Sql } from './database.ts';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** Who this is, and where e-mail reaches them: their own address, else that of the person they are. */
const REACHED = `operators o left join people p on p.id = o.person_id
  cross join lateral (select coalesce(o.email, (select c.address from person_channels c
    where c.person_id = p.id and c.channel = 'email' and c.fault is null)) as email) reached`;

/** Writes down who is told of what now, and who need not be: told within the time. Of two processes one gets it. */
const CLAIM = `insert into operator_pages as told (subject, operator_id) select subject, "operatorId" from due
  on conflict (subject, operator_id) do update set times = told.times + 1, at = clock_timestamp()
    where told.at <= clock_timestamp() - $1::float8 * interval '1 millisecond'
  returning subject, operator_id`;

/** One e-mail to one operator. */
export type OperatorPage = { subject: string; operatorId: number; email: string };

export type DraftPage = OperatorPage & {
  draftId: number;
  hazard: string;
  level: string;
  areas: string[];
  author: string;
  writtenAt: Instant;
};

/**
 * Drafts that wait for a release, for each who may release them; those that wait for longer than `alsoDutyMs` also for who may publish
 * in an emergency. Authors of a draft are not told of it, and made-up people only where `synthetic` are served.
 */
export async function claimDraftPages(
  sql: Sql,
  input: { againMs: number; alsoDutyMs: number; synthetic: boolean },
): Promise<DraftPage[]> {
  return sql.query<DraftPage>(
    `with due as materialized (
       select 'D' || d.id || ' v' || v.version as subject, o.id as "operatorId", reached.email, d.id as "draftId",
         v.content::jsonb ->> 'hazard' as hazard, v.content::jsonb ->> 'level' as level, author.name as author,
         array(select u.name from units u where u.id in
           (select jsonb_array_elements_text(v.content::jsonb -> 'areaIds')::int) order by u.id) as areas,
         ${MS('d.written_at')} as "writtenAt"
       from drafts d join lateral (select * from draft_versions where draft_id = d.id order by version desc limit 1) v on true
       join operators author on author.id = v.author_id cross join ${REACHED}
       where d.status = 'waiting' and o.revoked_at is null and reached.email is not null and ($3 or not coalesce(p.synthetic, false))
         and not has_written(o.id, d.id)
         and not exists (select from approvals a where a.draft_id = d.id and a.version = v.version and a.step = 'release'
           and a.valid_until > clock_timestamp())
         and (may_act_on(o.id, 'release', v.content::jsonb)
           or (d.written_at < clock_timestamp() - $2::float8 * interval '1 millisecond'
             and may_act_on(o.id, 'emergency', v.content::jsonb)))),
     claimed as (${CLAIM})
     select due.* from due join claimed c on c.subject = due.subject and c.operator_id = due."operatorId" order by 1, 2`,
    [input.againMs, input.alsoDutyMs, input.synthetic],
  );
}

export type AfterReviewPage = OperatorPage & {
  releaseId: number;
  warningId: number | null;
  operator: string;
  reason: string;
  at: Instant;
};

/** What one person did alone and nobody has looked at since, for each who may. */
export async function claimAfterReviewPages(
  sql: Sql,
  input: { againMs: number; synthetic: boolean },
): Promise<AfterReviewPage[]> {
  return sql.query<AfterReviewPage>(
    `with open as (
       select r.*, coalesce(w.id, r.target_id) as about_id, alone.name as operator
       from releases r join operators alone on alone.id = r.publisher_id left join warnings w on w.release_id = r.id
       where r.emergency_reason is not null and r.used_at is not null
         and not exists (select from after_reviews a where a.release_id = r.id)),
     due as materialized (
       select 'R' || r.id as subject, o.id as "operatorId", reached.email, r.id as "releaseId", r.about_id as "warningId",
         r.operator, r.emergency_reason as reason, ${MS('r.at')} as at
       from open r join warnings w on w.id = r.about_id cross join ${REACHED}
       where o.revoked_at is null and reached.email is not null and ($2 or not coalesce(p.synthetic, false))
         and o.id not in (r.author_id, r.publisher_id)
         and may_act(o.id, 'release', array(select unit_id from warning_areas where warning_id = w.id), w.level, w.hazard)),
     claimed as (${CLAIM})
     select due.* from due join claimed c on c.subject = due.subject and c.operator_id = due."operatorId" order by 1, 2`,
    [input.againMs, input.synthetic],
  );
}

/** An e-mail that no server took: it is due again after `retryMs`. */
export async function retryOperatorPage(
  sql: Sql,
  page: OperatorPage,
  waits: { againMs: number; retryMs: number },
): Promise<void> {
  await sql.query(
    `update operator_pages set at = clock_timestamp() - ($3::float8 - $4::float8) * interval '1 millisecond'
     where subject = $1 and operator_id = $2`,
    [page.subject, page.operatorId, waits.againMs, waits.retryMs],
  );
}
