/**
 * Log-in by a provider: who an operator is there, and the token that a log-in service gives for it. What the provider said was checked
 * by whoever calls (web/oidc.ts); that a log-in service does nothing else, PostgreSQL sees to (migration 0014).
 */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import { endIdentities, findIdentity, insertIdentity, readLoginIssuers } from '../db/identities.ts';
import { markTokenUsed, readTokenHolder, type TokenHolder } from '../db/operators.ts';
import type { Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import { isIssuer, LOGIN_MS, subjectWord, type Identity } from '../domain/login.ts';
import type { Instant } from '../domain/time.ts';
import { administering, giveToken, hashOf, requireByName, type IssuedToken } from './operators.ts';
import { acting, refusalOf } from './refusals.ts';

export type Login = { operator: string } & IssuedToken;

/**
 * Gives the operator whom the provider knows by `identity` a token for a shift. Throws `not-linked` (not permitted) with the subject that an
 * administrator would link, and `login-service` (failed) where the service's own token or issuer is not right.
 */
export async function logIn(database: Database, serviceToken: string, identity: Identity): Promise<Login> {
  const service = await readTokenHolder(database, hashOf(serviceToken));
  if (faultOfService(service, identity.issuer) !== null) throw refusalOf('login-service');
  const known = await findIdentity(database, identity);
  if (!service || !known) throw notLinked(identity);
  await markTokenUsed(database, service.tokenId);
  const { operatorId, identityId } = known;
  const by = { ...service.operator, token: serviceToken };
  const issued = await acting(database, by, (sql) =>
    giveToken(sql, { operatorId, by, lastsMs: LOGIN_MS, identityId }),
  );
  return { operator: known.name, ...issued };
}

/** What is wrong with the token of a log-in service; null where nothing is. */
export type ServiceFault = 'unknown' | 'expired' | 'revoked' | 'no service' | 'other issuer';

/** How the log-in service of this configuration stands: its fault, its name, and for which issuer it was made. */
export async function inspectService(
  database: Database,
  serviceToken: string,
  issuer: string,
): Promise<{
  fault: ServiceFault | null;
  name: string | null;
  issuer: string | null;
  until: Instant | null;
}> {
  const holder = await readTokenHolder(database, hashOf(serviceToken));
  return {
    fault: faultOfService(holder, issuer),
    name: holder?.operator.name ?? null,
    issuer: holder?.loginIssuer ?? null,
    until: holder?.expiresAt ?? null,
  };
}

function faultOfService(holder: TokenHolder | null, issuer: string): ServiceFault | null {
  if (!holder) return 'unknown';
  if (holder.state !== 'good') return holder.state;
  if (holder.loginIssuer === null) return 'no service';
  return holder.loginIssuer === issuer ? null : 'other issuer';
}

/** Links an operator to a subject. Without `issuer` it is that of the only log-in service. */
export async function linkOperator(
  database: Database,
  by: Operator,
  name: string,
  input: { subject: string; issuer?: string },
): Promise<Identity> {
  const subject = input.subject.trim();
  if (subject === '') throw refuse('empty-option', 'usage', 'The subject is empty.');
  return administering(database, by, async (sql) => {
    const identity = { issuer: requireIssuer(input.issuer ?? (await onlyIssuer(sql))), subject };
    const { operatorId } = await requireByName(sql, name);
    const other = await findIdentity(sql, identity);
    if (other) {
      throw refuse(
        'subject-linked',
        'conflict',
        `${other.name} is linked to this subject already. \`fenghuo operator unlink\` takes that back.`,
      );
    }
    await insertIdentity(sql, { ...identity, operatorId, linkedBy: by.operatorId });
    await record(sql, by, 'link', { operator: name, ...identity });
    return identity;
  });
}

/** Unlinks an operator from whoever they are at providers; what they are logged in by ends. Gives back from which subjects. */
export async function unlinkOperator(database: Database, by: Operator, name: string): Promise<Identity[]> {
  return administering(database, by, async (sql) => {
    const { operatorId } = await requireByName(sql, name);
    const identities = await endIdentities(sql, { operatorId, unlinkedBy: by.operatorId });
    if (identities.length === 0) {
      throw refuse(
        'no-such-link',
        'notFound',
        `${name} is linked to nobody. \`fenghuo operator list\` shows it.`,
      );
    }
    await record(sql, by, 'unlink', { operator: name, identities });
    return identities;
  });
}

/** An address at which a provider can be asked; throws (usage) where it is none. */
export function requireIssuer(issuer: string): string {
  if (isIssuer(issuer)) return issuer;
  throw refuse('issuer', 'usage', `"${issuer}" is no issuer: an https address, as the provider writes it.`);
}

async function onlyIssuer(sql: Sql): Promise<string> {
  const [issuer, ...others] = await readLoginIssuers(sql);
  if (issuer !== undefined && others.length === 0) return issuer;
  throw refuse(
    'issuer',
    'usage',
    issuer === undefined
      ? 'There is no log-in service yet: `fenghuo operator add NAME --login-service ISSUER` makes one. Or give --issuer.'
      : 'There are log-in services of several issuers. Give --issuer.',
  );
}

function notLinked({ issuer, subject }: Identity): FenghuoError {
  return refusalOf(
    'not-linked',
    `${new URL(issuer).host} knows you as ${subjectWord(subject)}, and no operator is linked to that. Ask an administrator for: fenghuo operator link NAME --subject ${subjectWord(subject)}`,
  );
}

async function record(sql: Sql, by: Operator, kind: string, body: unknown): Promise<void> {
  await appendRecord(sql, { kind, warningId: null, actor: by.name, body });
}

function refuse(code: string, refusal: 'usage' | 'notFound' | 'conflict', sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
