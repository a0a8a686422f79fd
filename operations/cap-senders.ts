/**
 * Who sends us CAP messages, by which key they sign, and where our answers go. A key on file is believed without a second look, so it is
 * handed out as authority is: by an administrator.
 */
import { putSender, readSenders, removeSender, type CapSender } from '../db/cap.ts';
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import { administers, hasAdministrator } from '../db/operators.ts';
import type { Operator } from '../domain/authority.ts';
import { KEY_BITS_LEAST, readPublicKey } from '../domain/cap/signature.ts';
import { FenghuoError } from '../domain/errors.ts';
import { refusalOf } from './refusals.ts';

export type SenderRequest = {
  sender: string;
  name: string | null;
  /** Text of a PEM file with a public key or a certificate. */
  keyText: string | null;
  replyUrl: string | null;
};

/** Adds a sender, or changes all that is known of it. `by` is who does it; nobody only where there is no administrator yet. */
export async function addSender(
  database: Database,
  request: SenderRequest,
  by: Operator | null,
): Promise<CapSender> {
  const { sender, name, keyText, replyUrl } = request;
  if (sender === '' || /[\s,<&]/.test(sender))
    throw refuse('cap-sender', `"${sender}" is no CAP sender: no space, comma, < or &.`);
  const publicKey = keyText === null ? null : readPublicKey(keyText);
  if (keyText !== null && publicKey === null)
    throw refuse('cap-key', `The file holds no RSA public key of ${KEY_BITS_LEAST} bits or more (PEM).`);
  if (replyUrl !== null && !/^https?:\/\/[^\s/]+/.test(replyUrl))
    throw refuse('cap-reply-url', `"${replyUrl}" is no address; it looks like https://weather.example/cap.`);
  const row = { sender, name, publicKey, replyUrl };
  await database.transaction(async (sql) => {
    await requireMayPin(sql, by);
    await putSender(sql, row);
    await appendRecord(sql, { kind: 'cap sender', warningId: null, actor: by?.name ?? null, body: row });
  });
  return row;
}

/** Forgets a sender; by whoever may add one. */
export async function dropSender(database: Database, sender: string, by: Operator | null): Promise<void> {
  await database.transaction(async (sql) => {
    await requireMayPin(sql, by);
    if (!(await removeSender(sql, sender))) {
      throw refuse(
        'no-such-cap-sender',
        `${sender} is not known here. \`fenghuo cap sender list\` shows all.`,
        'notFound',
      );
    }
    await appendRecord(sql, {
      kind: 'cap sender removed',
      warningId: null,
      actor: by?.name ?? null,
      body: { sender },
    });
  });
}

/** At first set-up whoever sits at the machine; from the first administrator on, administrators. */
async function requireMayPin(sql: Sql, by: Operator | null): Promise<void> {
  if (by ? await administers(sql, by.operatorId) : !(await hasAdministrator(sql))) return;
  throw by
    ? refusalOf('not-administrator', 'Only an administrator says whose CAP messages are believed.')
    : refusalOf('no-operator');
}

export async function listSenders(database: Database): Promise<CapSender[]> {
  return readSenders(database);
}

function refuse(code: string, sentence: string, refusal: 'usage' | 'notFound' = 'usage'): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
