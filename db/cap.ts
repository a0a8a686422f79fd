/** CAP messages: what came, what became of it, and what still has to be said to their senders. */
import type { CapArea } from '../domain/cap/alert.ts';
import type { Finding } from '../domain/cap/findings.ts';
import type { WarningForCap } from '../domain/cap/from-warning.ts';
import type { Shape } from '../domain/geometry.ts';
import type { Sql } from './database.ts';

export type CapSender = {
  sender: string;
  name: string | null;
  /** PEM; null where they do not sign. */
  publicKey: string | null;
  replyUrl: string | null;
};

const SENDER = `select sender, name, public_key as "publicKey", reply_url as "replyUrl" from cap_senders`;

export async function readSender(sql: Sql, sender: string): Promise<CapSender | null> {
  const [row] = await sql.query<CapSender>(`${SENDER} where sender = $1`, [sender]);
  return row ?? null;
}

export async function readSenders(sql: Sql): Promise<CapSender[]> {
  return sql.query<CapSender>(`${SENDER} order by sender`);
}

export async function putSender(sql: Sql, sender: CapSender): Promise<void> {
  await sql.query(
    `insert into cap_senders (sender, name, public_key, reply_url) values ($1, $2, $3, $4)
     on conflict (sender) do update
     set name = excluded.name, public_key = excluded.public_key, reply_url = excluded.reply_url`,
    [sender.sender, sender.name, sender.publicKey, sender.replyUrl],
  );
}

/** False where there was none. */
export async function removeSender(sql: Sql, sender: string): Promise<boolean> {
  return (await sql.query('delete from cap_senders where sender = $1 returning sender', [sender])).length > 0;
}

export type CapVerdict = 'refused' | 'held' | 'recorded' | 'issued' | 'updated' | 'cancelled' | 'drafted';

export type CapMessage = {
  messageId: number;
  origin: string;
  sender: string | null;
  identifier: string | null;
  sent: string | null;
  status: string | null;
  msgType: string | null;
  verdict: CapVerdict;
  findings: Finding[];
  /** What came of it, also by way of a draft that was published. */
  warningId: number | null;
  draftId: number | null;
  receivedAt: number;
};

const MESSAGE = `select id as "messageId", origin, sender, identifier, sent, status, msg_type as "msgType", verdict, findings,
  coalesce(warning_id, (select d.warning_id from drafts d where d.id = draft_id)) as "warningId", draft_id as "draftId",
  floor(extract(epoch from received_at) * 1000)::float8 as "receivedAt"
  from cap_messages`;

/** The very bytes that came before. */
export async function readMessageByHash(sql: Sql, sha256: Buffer): Promise<CapMessage | null> {
  const [row] = await sql.query<CapMessage>(`${MESSAGE} where sha256 = $1`, [sha256]);
  return row ?? null;
}

/** What was taken from a sender under an identifier, the latest first; refused ones are not among them. */
export async function readMessagesNamed(sql: Sql, sender: string, identifier: string): Promise<CapMessage[]> {
  return sql.query<CapMessage>(
    `${MESSAGE} where sender = $1 and identifier = $2 and verdict not in ('refused', 'held') order by id desc`,
    [sender, identifier],
  );
}

export async function readMessages(sql: Sql, most: number): Promise<CapMessage[]> {
  return sql.query<CapMessage>(`${MESSAGE} order by id desc limit $1`, [most]);
}

export type JudgedMessage = Omit<CapMessage, 'messageId' | 'receivedAt'> & {
  sha256: Buffer;
  raw: Buffer | null;
  /** Identifiers of the sender's own messages that it refers to. */
  names: string[];
};

/**
 * Records a verdict. One that was refused or held before is judged anew; null where the same message was taken already, by these
 * bytes or others.
 */
export async function putMessage(sql: Sql, message: JudgedMessage): Promise<number | null> {
  const [row] = await sql.query<{ id: number }>(
    `insert into cap_messages as m (sha256, raw, origin, sender, identifier, sent, status, msg_type, verdict, findings,
       warning_id, draft_id, names)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     on conflict (sha256) do update set verdict = excluded.verdict, findings = excluded.findings, names = excluded.names,
       warning_id = excluded.warning_id, draft_id = excluded.draft_id, judged_at = clock_timestamp()
       where m.verdict in ('refused', 'held')
     returning id`,
    [
      message.sha256,
      message.raw,
      message.origin,
      message.sender,
      message.identifier,
      message.sent,
      message.status,
      message.msgType,
      message.verdict,
      JSON.stringify(message.findings),
      message.warningId,
      message.draftId,
      message.names,
    ],
  );
  return row?.id ?? null;
}

/** One message at a time of each sender, so that one that comes twice, and one that ends another, see each other. Ends with the transaction. */
export async function lockSender(sql: Sql, sender: string): Promise<void> {
  await sql.query('select pg_advisory_xact_lock(hashtextextended($1, 1202))', [sender]);
}

export type NamingMessage = {
  messageId: number;
  msgType: 'Update' | 'Cancel';
  identifier: string;
  sent: string;
  verdict: CapVerdict;
  names: string[];
  warningId: number | null;
};

/**
 * Updates and Cancels of a sender that name one of these identifiers, the latest first: those that were taken, also where there was
 * nothing to cancel. Held ones are nobody's word yet. What is older than `days` names nothing that could still come.
 */
export async function readMessagesNaming(
  sql: Sql,
  about: { sender: string; status: string; identifiers: readonly string[]; days: number; most: number },
): Promise<NamingMessage[]> {
  return sql.query(
    `select id as "messageId", msg_type as "msgType", identifier, sent, verdict, names,
       coalesce(warning_id, (select d.warning_id from drafts d where d.id = draft_id)) as "warningId"
     from cap_messages
     where names && $3::text[] and sender = $1 and status = $2 and msg_type in ('Update', 'Cancel')
       and received_at > clock_timestamp() - $4 * interval '1 day'
       and (verdict not in ('refused', 'held')
         or verdict = 'refused' and jsonb_path_exists(findings, '$[*] ? (@.code == "CAP-714")'))
     order by id desc limit $5`,
    [about.sender, about.status, about.identifiers, about.days, about.most],
  );
}

export type WarningHead = { warningId: number; kind: 'exercise' | 'actual'; status: string };

/** The warning that stands in the place of this one now. */
export async function readHead(sql: Sql, warningId: number): Promise<WarningHead | null> {
  const [row] = await sql.query<WarningHead>(
    `with recursive chain (id) as (
       select $1::int union all select w.id from warnings w join chain c on w.supersedes_id = c.id)
     select w.id as "warningId", w.kind, w.status from warnings w where w.id = (select max(id) from chain)`,
    [warningId],
  );
  return row ?? null;
}

export async function putReply(
  sql: Sql,
  reply: { messageId: number; msgType: 'Ack' | 'Error'; url: string; body: string },
): Promise<void> {
  await sql.query(
    `insert into cap_replies (message_id, msg_type, url, body) values ($1, $2, $3, $4) on conflict do nothing`,
    [reply.messageId, reply.msgType, reply.url, reply.body],
  );
}

export type DueReply = { replyId: number; url: string; body: string; attempts: number };

/** Takes what is due; nobody else takes it for a minute, so what a dead process took comes back. */
export async function claimReplies(sql: Sql, most: number): Promise<DueReply[]> {
  return sql.query<DueReply>(
    `update cap_replies r set attempts = attempts + 1, next_at = clock_timestamp() + interval '1 minute'
     from (select id from cap_replies where sent_at is null and given_up_at is null and next_at <= clock_timestamp()
           order by id limit $1 for update skip locked) due
     where r.id = due.id returning r.id as "replyId", r.url, r.body, r.attempts`,
    [most],
  );
}

/** `fault` null: it arrived. Otherwise it waits, or is given up where `retryMs` is null. */
export async function settleReply(
  sql: Sql,
  replyId: number,
  outcome: { fault: string | null; retryMs: number | null },
): Promise<void> {
  await sql.query(
    `update cap_replies set fault = $2,
       sent_at = case when $2::text is null then clock_timestamp() end,
       given_up_at = case when $2::text is not null and $3::float8 is null then clock_timestamp() end,
       next_at = clock_timestamp() + coalesce($3::float8, 0) * interval '1 millisecond'
     where id = $1`,
    [replyId, outcome.fault, outcome.retryMs],
  );
}

type ExportRow = Omit<WarningForCap, 'areas' | 'supersedes'> & {
  supersedesId: number | null;
  supersededAt: number | null;
  supersededIdentifier: string | null;
  areas: { name: string; code: string | null; shape: Shape | null }[];
};

/** A warning with what CAP tells of it: the codes of its areas, and their shapes where there are any. */
export async function readWarningForCap(sql: Sql, warningId: number): Promise<WarningForCap | null> {
  const [row] = await sql.query<ExportRow>(
    `select w.id as "warningId", w.kind, w.hazard, w.level, w.issuer, w.text_zh as "textZh", w.text_en as "textEn",
       coalesce(w.end_text_zh, case when w.retracted then w.correction_zh end) as "endTextZh",
       coalesce(w.end_text_en, case when w.retracted then w.correction_en end) as "endTextEn",
       w.identifier, before.identifier as "supersededIdentifier", w.status, w.end_reason as "endReason",
       floor(extract(epoch from w.issued_at) * 1000)::float8 as "issuedAt",
       floor(extract(epoch from w.expires_at) * 1000)::float8 as "expiresAt",
       floor(extract(epoch from w.ended_at) * 1000)::float8 as "endedAt",
       before.id as "supersedesId", floor(extract(epoch from before.issued_at) * 1000)::float8 as "supersededAt",
       (select json_agg(json_build_object('name', u.name, 'code', u.code, 'shape', s.shape) order by u.id)
        from warning_areas a join units u on u.id = a.unit_id left join unit_shapes s on s.unit_id = u.id
        where a.warning_id = w.id) as areas
     from warnings w left join warnings before on before.id = w.supersedes_id where w.id = $1`,
    [warningId],
  );
  if (!row) return null;
  const { supersedesId, supersededAt, supersededIdentifier, areas, ...warning } = row;
  return {
    ...warning,
    supersedes:
      supersedesId === null || supersededAt === null
        ? null
        : { warningId: supersedesId, issuedAt: supersededAt, identifier: supersededIdentifier },
    areas: areas.map(areaOf),
  };
}

/** CAP's polygons have no holes: the outer ring alone covers more, never less. */
function areaOf(unit: { name: string; code: string | null; shape: Shape | null }): CapArea {
  return {
    areaDesc: unit.name,
    polygons: (unit.shape ?? []).map(([outer]) => (outer ?? []).map(([lon, lat]) => [lat, lon] as const)),
    circles: [],
    geocodes: unit.code === null ? [] : [{ valueName: '行政区划代码', value: unit.code }],
    altitude: null,
    ceiling: null,
  };
}

/** The names of units, in the order of their ids. */
export async function readUnitNames(sql: Sql, unitIds: readonly number[]): Promise<string[]> {
  const rows = await sql.query<{ name: string }>('select name from units where id = any ($1) order by id', [
    unitIds,
  ]);
  return rows.map(({ name }) => name);
}
