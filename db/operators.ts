/** Operators, what they may do, and the tokens by which they show who they are. */
import type { Grant, Operator, Role } from '../domain/authority.ts';
import type { LevelId } from '../domain/levels.ts';
import type { Instant } from '../domain/time.ts';
import type { Sql } from './database.ts';

/** SQLSTATE of what migration 0007 refuses; the message is a code that `operations/refusals.ts` knows. */
export const REFUSED = 'FH403';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

const OPERATOR = `o.id as "operatorId", o.name, coalesce((
  select json_agg(json_build_object('role', g.role, 'areaId', g.area_id, 'highestLevel', g.highest_level,
    'hazards', coalesce(to_json(g.hazards), '"all"'::json)) order by g.id)
  from grants g where g.operator_id = o.id and g.revoked_at is null), '[]') as grants`;

export type TokenHolder = {
  operator: Omit<Operator, 'token'>;
  tokenId: number;
  /** The issuer whose word it carries, where the holder is a log-in service. */
  loginIssuer: string | null;
  /** True where a log-in service gave it. */
  byLogin: boolean;
  expiresAt: Instant;
  state: 'good' | 'expired' | 'revoked';
};

/** Who holds a token, as long as it and they are good; and why not, where the token is known. */
export async function readTokenHolder(sql: Sql, hash: Buffer): Promise<TokenHolder | null> {
  const [row] = await sql.query<Omit<TokenHolder, 'operator'> & TokenHolder['operator']>(
    `select ${OPERATOR}, t.id as "tokenId", o.login_issuer as "loginIssuer", t.identity_id is not null as "byLogin",
       ${MS('t.expires_at')} as "expiresAt",
       case when o.revoked_at is not null or t.revoked_at is not null then 'revoked'
         when t.expires_at <= clock_timestamp() then 'expired' else 'good' end as state
     from operator_tokens t join operators o on o.id = t.operator_id where t.hash = $1`,
    [hash],
  );
  if (!row) return null;
  const { tokenId, state, loginIssuer, byLogin, expiresAt, ...operator } = row;
  return { operator, tokenId, state, loginIssuer, byLogin, expiresAt };
}

/** Writes down that a token was used, once a minute at most: commands come in bursts. */
export async function markTokenUsed(sql: Sql, tokenId: number): Promise<void> {
  await sql.query(
    `update operator_tokens set last_used_at = clock_timestamp()
     where id = $1 and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')`,
    [tokenId],
  );
}

/** Shows a token for the rest of the transaction: what is written under an operator's name is refused without it. */
export async function showToken(sql: Sql, token: string): Promise<void> {
  await sql.query(`select set_config('fenghuo.token', $1, true)`, [token]);
}

/** True where this operator hands out authority. */
export async function administers(sql: Sql, operatorId: number): Promise<boolean> {
  const [row] = await sql.query<{ yes: boolean }>('select administers($1) as yes', [operatorId]);
  return row?.yes ?? false;
}

/** True where somebody could log in and hand out authority. */
export async function hasAdministrator(sql: Sql): Promise<boolean> {
  const [row] = await sql.query<{ yes: boolean }>(
    `select exists (select from operators o join operator_tokens t on t.operator_id = o.id
       where o.administrator and o.revoked_at is null and t.revoked_at is null and t.expires_at > clock_timestamp()) as yes`,
  );
  return row?.yes ?? false;
}

export type ListedGrant = {
  grantId: number;
  role: Role;
  /** Path of names, from the top. */
  area: string;
  highestLevel: LevelId;
  hazards: string[] | null;
};

export type ListedOperator = {
  operatorId: number;
  name: string;
  administrator: boolean;
  /** Who this is among the people. */
  person: string | null;
  email: string | null;
  addedAt: Instant;
  /** Until when the longest of the good tokens lasts, and when one was last used. */
  tokenUntil: Instant | null;
  lastUsedAt: Instant | null;
  grants: ListedGrant[];
  /** The issuer whose word it carries, where this is a log-in service. */
  loginIssuer: string | null;
  /** Who they are at a provider. */
  identities: { issuer: string; subject: string }[];
};

/** All who have not been revoked, in the order in which they were added. */
export async function readOperators(sql: Sql): Promise<ListedOperator[]> {
  return sql.query<ListedOperator>(
    `select o.id as "operatorId", o.name, o.administrator, p.name as person, o.email, ${MS('o.added_at')} as "addedAt",
       (select ${MS('max(t.expires_at)')} from operator_tokens t where t.operator_id = o.id
          and t.revoked_at is null and t.expires_at > clock_timestamp()) as "tokenUntil",
       o.login_issuer as "loginIssuer",
       coalesce((select json_agg(json_build_object('issuer', i.issuer, 'subject', i.subject) order by i.id)
         from operator_identities i where i.operator_id = o.id and i.unlinked_at is null), '[]') as identities,
       (select ${MS('max(t.last_used_at)')} from operator_tokens t where t.operator_id = o.id) as "lastUsedAt",
       coalesce((select json_agg(json_build_object('grantId', g.id, 'role', g.role, 'highestLevel', g.highest_level,
         'hazards', g.hazards, 'area', (select string_agg(a.name, '/' order by step.place) from units u
           cross join unnest(u.path) with ordinality as step (id, place) join units a on a.id = step.id
           where u.id = g.area_id)) order by g.id)
         from grants g where g.operator_id = o.id and g.revoked_at is null), '[]') as grants
     from operators o left join people p on p.id = o.person_id where o.revoked_at is null order by o.id`,
  );
}

/** The operator of this name; null where there is none. */
export async function findOperatorByName(
  sql: Sql,
  name: string,
): Promise<{ operatorId: number; administrator: boolean } | null> {
  const [row] = await sql.query<{ operatorId: number; administrator: boolean }>(
    `select id as "operatorId", administrator from operators where name = $1 and revoked_at is null`,
    [name],
  );
  return row ?? null;
}

export async function insertOperator(
  sql: Sql,
  operator: {
    name: string;
    personId: number | null;
    email: string | null;
    administrator: boolean;
    loginIssuer: string | null;
    addedBy: number | null;
  },
): Promise<number> {
  const [row] = await sql.query<{ id: number }>(
    `insert into operators (name, person_id, email, administrator, login_issuer, added_by) values ($1, $2, $3, $4, $5, $6)
     returning id`,
    [
      ...[operator.name, operator.personId, operator.email],
      ...[operator.administrator, operator.loginIssuer, operator.addedBy],
    ],
  );
  return row?.id ?? 0;
}

export async function insertGrant(
  sql: Sql,
  input: { operatorId: number; grant: Grant; grantedBy: number },
): Promise<number> {
  const { role, areaId, highestLevel, hazards } = input.grant;
  const [row] = await sql.query<{ id: number }>(
    `insert into grants (operator_id, role, area_id, highest_level, hazards, granted_by) values ($1, $2, $3, $4, $5, $6)
     returning id`,
    [input.operatorId, role, areaId, highestLevel, hazards === 'all' ? null : hazards, input.grantedBy],
  );
  return row?.id ?? 0;
}

/** Takes grants back: one, or all of an operator; gives back how many. */
export async function revokeGrants(
  sql: Sql,
  input: { operatorId: number; grantId: number | null; revokedBy: number },
): Promise<number> {
  const rows = await sql.query(
    `update grants set revoked_at = clock_timestamp(), revoked_by = $3
     where operator_id = $1 and ($2::int is null or id = $2) and revoked_at is null returning id`,
    [input.operatorId, input.grantId, input.revokedBy],
  );
  return rows.length;
}

/** Ends an operator, and then their tokens: of a log-in service also those that it gave. */
export async function revokeOperator(sql: Sql, operatorId: number): Promise<void> {
  await sql.query(
    'update operators set revoked_at = clock_timestamp() where id = $1 and revoked_at is null',
    [operatorId],
  );
  await revokeTokens(sql, operatorId);
  await sql.query(
    `update operator_tokens set revoked_at = clock_timestamp()
     where issued_by = $1 and identity_id is not null and revoked_at is null`,
    [operatorId],
  );
}

export async function insertToken(
  sql: Sql,
  token: {
    operatorId: number;
    hash: Buffer;
    lastsMs: number;
    issuedBy: number | null;
    identityId: number | null;
  },
): Promise<Instant> {
  const [row] = await sql.query<{ until: Instant }>(
    `insert into operator_tokens (operator_id, hash, expires_at, issued_by, identity_id)
     values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond', $4, $5) returning ${MS('expires_at')} as until`,
    [token.operatorId, token.hash, token.lastsMs, token.issuedBy, token.identityId],
  );
  return row?.until ?? 0;
}

/** Ends all tokens of an operator, or one of them, or all but the one with this hash; gives back how many were still good. */
export async function revokeTokens(
  sql: Sql,
  operatorId: number,
  which: { tokenId?: number; except?: Buffer } = {},
): Promise<number> {
  const rows = await sql.query(
    `update operator_tokens set revoked_at = clock_timestamp()
     where operator_id = $1 and ($2::int is null or id = $2) and hash is distinct from $3::bytea and revoked_at is null
     returning id`,
    [operatorId, which.tokenId ?? null, which.except ?? null],
  );
  return rows.length;
}

/** Somebody among the people by reference, name, telephone or e-mail; up to two, so that doubt shows. */
export async function findPeopleByWord(
  sql: Sql,
  word: string,
): Promise<{ personId: number; name: string; synthetic: boolean }[]> {
  return sql.query(
    `select p.id as "personId", p.name, p.synthetic from people p
     where p.reference = $1 or p.name = $1
       or exists (select from person_channels c where c.person_id = p.id and c.address = $1) order by p.id limit 2`,
    [word],
  );
}

/** The paths of these units, each from the root down to itself; unknown ones are left out. */
export async function readPaths(sql: Sql, unitIds: readonly number[]): Promise<number[][]> {
  const rows = await sql.query<{ path: number[] }>('select path from units where id = any ($1) order by id', [
    unitIds,
  ]);
  return rows.map(({ path }) => path);
}
