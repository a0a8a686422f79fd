/** Who operators are at a provider of log-in. */
import type { Identity } from '../domain/login.ts';
import type { Sql } from './database.ts';

/** The operator that is linked to this subject; null where nobody is, or they were revoked. */
export async function findIdentity(
  sql: Sql,
  { issuer, subject }: Identity,
): Promise<{ identityId: number; operatorId: number; name: string } | null> {
  const [row] = await sql.query<{ identityId: number; operatorId: number; name: string }>(
    `select i.id as "identityId", o.id as "operatorId", o.name
     from operator_identities i join operators o on o.id = i.operator_id
     where i.issuer = $1 and i.subject = $2 and i.unlinked_at is null and o.revoked_at is null`,
    [issuer, subject],
  );
  return row ?? null;
}

export async function insertIdentity(
  sql: Sql,
  identity: Identity & { operatorId: number; linkedBy: number },
): Promise<void> {
  await sql.query(
    'insert into operator_identities (operator_id, issuer, subject, linked_by) values ($1, $2, $3, $4)',
    [identity.operatorId, identity.issuer, identity.subject, identity.linkedBy],
  );
}

/** Unlinks an operator from all subjects, and ends the tokens that came of them; gives back from which. */
export async function endIdentities(
  sql: Sql,
  input: { operatorId: number; unlinkedBy: number },
): Promise<Identity[]> {
  const rows = await sql.query<Identity & { id: number }>(
    `update operator_identities set unlinked_at = clock_timestamp(), unlinked_by = $2
     where operator_id = $1 and unlinked_at is null returning id, issuer, subject`,
    [input.operatorId, input.unlinkedBy],
  );
  // A statement of its own: it sees the token of a log-in that the first one has waited for.
  await sql.query(
    `update operator_tokens set revoked_at = clock_timestamp()
     where identity_id = any ($1::int[]) and revoked_at is null`,
    [rows.map(({ id }) => id)],
  );
  return rows.map(({ issuer, subject }) => ({ issuer, subject }));
}

/** The issuers of the log-in services there are. */
export async function readLoginIssuers(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ issuer: string }>(
    `select distinct login_issuer as issuer from operators
     where login_issuer is not null and revoked_at is null order by 1`,
  );
  return rows.map(({ issuer }) => issuer);
}
