/** Senders by hand: how each stands, and its circuit opened or closed by somebody's word, with the reason in the record. */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import { closeSender, openSender, readSenders, type SenderState } from '../db/senders.ts';
import { FenghuoError } from '../domain/errors.ts';

/** Stands as the reason while somebody has closed it. */
const BY_HAND = 'by hand';

/** The senders that workers have used so far, by channel. */
export async function listSenders(database: Database): Promise<SenderState[]> {
  return readSenders(database);
}

/** Lets messages through again at once; every worker knows within a second. */
export async function openByHand(
  database: Database,
  input: { sender: string; by: string; reason: string },
): Promise<SenderState> {
  return changed(database, 'open sender', input, (sql, { id }) => openSender(sql, id));
}

/** Lets no message through for so long; after that one finds out, and while it fails it stays closed. */
export async function closeByHand(
  database: Database,
  input: { sender: string; by: string; reason: string; forMs: number },
): Promise<SenderState> {
  const { forMs } = input;
  return changed(database, 'close sender', input, (sql, { id, failures }) =>
    closeSender(sql, { id, reason: BY_HAND, forMs, failures: failures + 1 }),
  );
}

/** @throws FenghuoError `unknown-sender` (not found), `empty-option` (usage) */
async function changed(
  database: Database,
  kind: string,
  input: { sender: string; by: string; reason: string },
  change: (sql: Sql, sender: SenderState) => Promise<void>,
): Promise<SenderState> {
  const [by, reason] = [required('--by', input.by), required('--reason', input.reason)];
  return database.transaction(async (sql) => {
    const senders = await readSenders(sql);
    const sender = senders.find(({ id }) => id === input.sender);
    if (!sender) {
      throw new FenghuoError({
        code: 'unknown-sender',
        refusal: 'notFound',
        sentence: `No worker has used a sender "${input.sender}". Those that were used: ${senders.map(({ id }) => id).join(', ') || 'none yet'}.`,
      });
    }
    await change(sql, sender);
    await appendRecord(sql, { kind, warningId: null, actor: by, body: { sender: sender.id, reason } });
    return (await readSenders(sql)).find(({ id }) => id === sender.id) ?? sender;
  });
}

function required(option: string, value: string): string {
  const trimmed = value.trim();
  if (trimmed !== '') return trimmed;
  throw new FenghuoError({
    code: 'empty-option',
    refusal: 'usage',
    sentence: `${option} is empty. It is kept for the record.`,
  });
}
