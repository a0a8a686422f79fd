/** Operators: who they are, how they show it, and what they are granted. */
import { createHash, randomBytes } from 'node:crypto';
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import { endIdentities } from '../db/identities.ts';
import {
  administers,
  findOperatorByName,
  findPeopleByWord,
  hasAdministrator,
  insertGrant,
  insertOperator,
  insertToken,
  markTokenUsed,
  readOperators,
  readPaths,
  readTokenHolder,
  revokeGrants,
  revokeOperator,
  revokeTokens,
  showToken,
  type ListedOperator,
  type TokenHolder,
} from '../db/operators.ts';
import { readWarning } from '../db/warnings.ts';
import { mayAct, type Action, type Operator, type Role } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import { findHazard } from '../domain/hazards.ts';
import { findLevel, type LevelId } from '../domain/levels.ts';
import type { Instant } from '../domain/time.ts';
import { findUnits } from './organisation-find.ts';
import { acting, refusalOf, refusing } from './refusals.ts';

const DAY_MS = 86_400_000;
/** 256 random bits: nothing to guess, so a plain hash is enough to keep. */
const TOKEN_BYTES = 32;
/** Says what it is where it is found, to people and to scanners for secrets. */
const TOKEN_START = 'fenghuo_';
/** A token lasts a month, and a year at most. Product choice, no source. */
export const TOKEN_DAYS = { default: 30, most: 366 } as const;

/** A token as its operator gets it, once. */
export type IssuedToken = { token: string; expiresAt: Instant };

/** Whose token this is; throws where it is not good, or a log-in service's (not permitted): that one logs in others, never itself. */
export async function authenticate(database: Database, token: string): Promise<Operator> {
  const { operator, loginIssuer } = await requireHolder(database, token);
  if (loginIssuer !== null) throw refusalOf('token-of-service');
  return { ...operator, token: token.trim() };
}

/** Whose token this is, a log-in service's too; throws where it is not good (not permitted). */
async function requireHolder(database: Database, token: string): Promise<TokenHolder> {
  const holder = await readTokenHolder(database, hashOf(token));
  if (!holder) throw refusalOf('token-unknown');
  if (holder.state !== 'good') throw refusalOf(`token-${holder.state}`);
  await markTokenUsed(database, holder.tokenId);
  return holder;
}

/**
 * Ends the token itself: what `logout` does, so that a copy of it is worth nothing. With `onlyOfLogin` a token that somebody handed out,
 * and may have elsewhere, stays good.
 */
export async function endToken(
  database: Database,
  token: string,
  { onlyOfLogin = false } = {},
): Promise<void> {
  const { operator, tokenId, byLogin } = await requireHolder(database, token);
  if (onlyOfLogin && !byLogin) return;
  await acting(database, { ...operator, token: token.trim() }, (sql) =>
    revokeTokens(sql, operator.operatorId, { tokenId }),
  );
}

/**
 * The first operator is an administrator, and comes from nobody: only where none could still log in. One of this name whose tokens have
 * all ended gets a new one.
 */
export async function addFirstOperator(
  database: Database,
  name: string,
): Promise<{ operatorId: number } & IssuedToken> {
  return refusing(() =>
    database.transaction(async (sql) => {
      const added = { name: requiredName(name), personId: null, email: null, loginIssuer: null };
      if (await hasAdministrator(sql)) throw refusalOf('not-first-operator');
      const known = await findOperatorByName(sql, added.name);
      if (known?.administrator === false) throw operatorExists(added.name);
      const operatorId =
        known?.operatorId ?? (await insertOperator(sql, { ...added, administrator: true, addedBy: null }));
      await appendRecord(sql, {
        kind: 'operator add',
        warningId: null,
        actor: added.name,
        body: { operator: added.name, first: true },
      });
      return { operatorId, ...(await giveToken(sql, { operatorId, by: null, lastsMs: lastsMs() })) };
    }),
  );
}

/** The first operator where nobody could log in as administrator; null where somebody could. What `up` does at each start. */
export async function firstOperatorIfNone(
  database: Database,
  name: string,
): Promise<({ operatorId: number } & IssuedToken) | null> {
  if (await hasAdministrator(database)) return null;
  return addFirstOperator(database, name);
}

export type NewOperator = {
  name: string;
  /** Reference, name, telephone or e-mail of this operator among the people. */
  person?: string;
  email?: string;
  administrator?: boolean;
  /** Makes it a log-in service for what this issuer says; such a one is nobody among the people, and no administrator. */
  loginIssuer?: string;
};

/** Adds an operator, without authority yet and with a first token. */
export async function addOperator(
  database: Database,
  by: Operator,
  input: NewOperator,
): Promise<{ operatorId: number } & IssuedToken> {
  const name = requiredName(input.name);
  const { administrator = false, loginIssuer = null } = input;
  const personId = input.person === undefined ? null : await findPerson(database, input.person);
  return administering(database, by, async (sql) => {
    if (await findOperatorByName(sql, name)) {
      throw operatorExists(name);
    }
    const operatorId = await insertOperator(sql, {
      name,
      personId,
      email: input.email ?? null,
      ...{ administrator, loginIssuer },
      addedBy: by.operatorId,
    });
    const service = loginIssuer === null ? {} : { loginIssuer };
    await record(sql, by, 'operator add', { operator: name, administrator, ...service });
    return { operatorId, ...(await giveToken(sql, { operatorId, by, lastsMs: lastsMs() })) };
  });
}

export type GrantRequest = { role: Role; area: string; highestLevel: string; hazards: readonly string[] };

/** Grants a role in a unit and all below it, up to a level, for some hazards or (none named) all. */
export async function grantRole(
  database: Database,
  by: Operator,
  name: string,
  request: GrantRequest,
): Promise<{ grantId: number; area: string; highestLevel: LevelId; hazards: string[] | 'all' }> {
  const area = await findUnits(database, request.area);
  const level = findLevel(request.highestLevel);
  if (!level) throw refuse('level', 'usage', `"${request.highestLevel}" is not a level.`);
  const hazards = request.hazards.map((word) => {
    const hazard = findHazard(word);
    if (!hazard) throw refuse('hazard', 'usage', `"${word}" is not a hazard that is known here.`);
    return hazard.code;
  });
  return administering(database, by, async (sql) => {
    const { operatorId } = await requireByName(sql, name);
    const grant = {
      role: request.role,
      areaId: area.id,
      highestLevel: level.id,
      hazards: hazards.length === 0 ? ('all' as const) : hazards,
    };
    const grantId = await insertGrant(sql, { operatorId, grant, grantedBy: by.operatorId });
    await record(sql, by, 'grant', { operator: name, ...grant });
    return { grantId, area: area.place, highestLevel: level.id, hazards: grant.hazards };
  });
}

/** Takes back one grant, all grants, or (`whole`) the operator with everything; gives back how many grants ended. */
export async function revoke(
  database: Database,
  by: Operator,
  name: string,
  what: { grantId: number | null; whole: boolean },
): Promise<number> {
  return administering(database, by, async (sql) => {
    const { operatorId } = await requireByName(sql, name);
    const grants = await revokeGrants(sql, { operatorId, grantId: what.grantId, revokedBy: by.operatorId });
    if (what.grantId !== null && grants === 0) {
      throw refuse(
        'no-such-grant',
        'notFound',
        `${name} has no grant ${what.grantId}. \`fenghuo operator list\` shows them.`,
      );
    }
    if (what.whole) {
      // Who it was at a provider may be another operator from now on.
      await endIdentities(sql, { operatorId, unlinkedBy: by.operatorId });
      await revokeOperator(sql, operatorId);
    }
    await record(sql, by, 'revoke', { operator: name, ...what, grants });
    return grants;
  });
}

/** A new token: for oneself, or by an administrator for anybody. With `revokeOthers` all earlier ones end. */
export async function issueToken(
  database: Database,
  by: Operator,
  input: { name: string; days: number; revokeOthers: boolean },
): Promise<IssuedToken> {
  return acting(database, by, async (sql) => {
    const { operatorId } = await requireByName(sql, input.name);
    if (operatorId !== by.operatorId) await requireAdministrator(sql, by);
    const issued = await giveToken(sql, { operatorId, by, lastsMs: lastsMs(input.days) });
    if (input.revokeOthers) {
      // The one by which this is asked for may be among them.
      if (operatorId === by.operatorId) await showToken(sql, issued.token);
      await revokeTokens(sql, operatorId, { except: hashOf(issued.token) });
    }
    await record(sql, by, 'token', {
      operator: input.name,
      days: input.days,
      revokeOthers: input.revokeOthers,
    });
    return issued;
  });
}

/** Ends all tokens of an operator; gives back how many. */
export async function endTokens(database: Database, by: Operator, name: string): Promise<number> {
  return acting(database, by, async (sql) => {
    const { operatorId } = await requireByName(sql, name);
    if (operatorId !== by.operatorId) await requireAdministrator(sql, by);
    // The one by which this is asked for comes last.
    const others = await revokeTokens(sql, operatorId, { except: hashOf(by.token) });
    const ended = others + (await revokeTokens(sql, operatorId));
    await record(sql, by, 'token', { operator: name, ended });
    return ended;
  });
}

export async function listOperators(database: Database): Promise<ListedOperator[]> {
  return readOperators(database);
}

/** Throws (not permitted) where this operator may not do this to a warning of these units; nobody may without being logged in. */
export async function requireMayAct(
  sql: Sql,
  operator: Operator | null,
  action: Action,
  target: { areaIds: readonly number[]; level: LevelId; hazard: string },
): Promise<void> {
  if (!operator) throw refusalOf('no-operator');
  const { areaIds, level, hazard } = target;
  const verdict = mayAct(operator, action, { areaPaths: await readPaths(sql, areaIds), level, hazard });
  if (verdict.allowed) return;
  throw refusalOf(
    'no-authority',
    `Not permitted: ${verdict.because}. \`fenghuo whoami\` shows what you may do; an administrator grants more.`,
  );
}

/**
 * Telephone numbers of an actual warning are for those with the right; of Exercises they are for everybody at the desk. `who` is asked
 * only where it matters.
 */
export async function requireNumbers(
  sql: Sql,
  who: () => Promise<Operator | null>,
  warningIds: readonly number[],
): Promise<void> {
  for (const warningId of new Set(warningIds)) {
    const warning = await readWarning(sql, warningId);
    if (warning?.kind === 'actual') await requireMayAct(sql, await who(), 'read numbers', warning);
  }
}

/** Throws where this operator may do none of these. */
export async function requireOneOf(
  sql: Sql,
  operator: Operator,
  actions: readonly Action[],
  target: { areaIds: readonly number[]; level: LevelId; hazard: string },
): Promise<void> {
  const { areaIds, level, hazard } = target;
  const areaPaths = await readPaths(sql, areaIds);
  if (actions.some((action) => mayAct(operator, action, { areaPaths, level, hazard }).allowed)) return;
  const [first] = actions;
  if (first) await requireMayAct(sql, operator, first, target);
}

function operatorExists(name: string): FenghuoError {
  return refuse('operator-exists', 'conflict', `There is an operator ${name} already. Choose another name.`);
}

/** As it is kept. */
export function hashOf(token: string): Buffer {
  return createHash('sha256').update(token.trim()).digest();
}

/** How long a token of so many days lasts; throws (usage) where there is none of so many. */
function lastsMs(days: number = TOKEN_DAYS.default): number {
  if (days > 0 && days <= TOKEN_DAYS.most) return days * DAY_MS;
  throw refuse('token-days', 'usage', `A token lasts from 1 to ${TOKEN_DAYS.most} days.`);
}

/** Makes a token and stores its hash. `identityId` is by whom its holder was known, where a log-in service gives it. */
export async function giveToken(
  sql: Sql,
  input: {
    operatorId: number;
    by: Pick<Operator, 'operatorId'> | null;
    lastsMs: number;
    identityId?: number;
  },
): Promise<IssuedToken> {
  const { operatorId, by, identityId = null } = input;
  const token = TOKEN_START + randomBytes(TOKEN_BYTES).toString('base64url');
  const issuedBy = by?.operatorId ?? null;
  const expiresAt = await insertToken(sql, {
    ...{ operatorId, issuedBy, identityId },
    hash: hashOf(token),
    lastsMs: input.lastsMs,
  });
  return { token, expiresAt };
}

/** Work of an administrator, in one transaction. */
export async function administering<T>(
  database: Database,
  by: Operator,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  return acting(database, by, async (sql) => {
    await requireAdministrator(sql, by);
    return work(sql);
  });
}

async function requireAdministrator(sql: Sql, by: Operator): Promise<void> {
  if (!(await administers(sql, by.operatorId))) throw refusalOf('not-administrator');
}

/** The operator of this name; throws (not found) where there is none. */
export async function requireByName(sql: Sql, name: string): Promise<{ operatorId: number }> {
  const found = await findOperatorByName(sql, name.trim());
  if (found) return found;
  throw refuse(
    'no-such-operator',
    'notFound',
    `There is no operator ${name}. \`fenghuo operator list\` shows all.`,
  );
}

async function findPerson(sql: Sql, word: string): Promise<number> {
  const [one, ...others] = await findPeopleByWord(sql, word.trim());
  if (one && others.length === 0) return one.personId;
  throw one
    ? refuse(
        'several-people',
        'usage',
        `Several people are called ${word}. Give the staff number or the telephone number.`,
      )
    : refuse(
        'unknown-person',
        'notFound',
        `Nobody is known as ${word}. \`fenghuo people import\` adds people.`,
      );
}

async function record(sql: Sql, by: Operator, kind: string, body: unknown): Promise<void> {
  await appendRecord(sql, { kind, warningId: null, actor: by.name, body });
}

function requiredName(name: string): string {
  const trimmed = name.trim();
  if (trimmed !== '') return trimmed;
  throw refuse('empty-option', 'usage', 'The name of the operator is empty.');
}

function refuse(code: string, refusal: 'usage' | 'notFound' | 'conflict', sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
