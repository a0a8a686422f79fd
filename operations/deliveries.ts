/** Deliveries and dead letters of a warning: which there are, why, and once more. */
import { putLetters } from '../db/cells.ts';
import type { Database } from '../db/database.ts';
import {
  auditRetry,
  putBackLetter,
  putRetries,
  readDeadLetters,
  readDeliveries,
  type DeadLetter,
  type DeliveryKind,
  type DeliveryRow,
} from '../db/delivery-list.ts';
import type { WarningRow } from '../db/warnings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { messageOrder, type Message } from '../domain/unit.ts';
import { findUnits } from './organisation-find.ts';
import { maskAddress } from './organisation-person.ts';
import { refusalOf } from './refusals.ts';
import { requireWarning } from './warnings.ts';

export type ListedDelivery = Omit<DeliveryRow, 'address'> & {
  /** Masked: `138****0000`, `a***@example.com`. */
  address: string | null;
};

export type DeliveryList = { deliveries: ListedDelivery[]; dead: DeadLetter[] };

/** One delivery or one dead letter. */
export type DeliveryName = { deliveryId: number } | { letterId: number };

/** Tried again at once; more of them are left for the next command. */
export const RETRIED_MOST = 5_000;

/** Deliveries by their last attempt, newest first, and letters that were put aside. `dead`: those letters alone. */
export async function listDeliveries(
  database: Database,
  input: { warningId: number; kind: DeliveryKind | 'dead'; unit?: string; most: number },
): Promise<DeliveryList> {
  const { warningId, kind, most } = input;
  await requireWarning(database, warningId);
  const unitId = input.unit === undefined ? null : (await findUnits(database, input.unit)).id;
  const deliveries =
    kind === 'dead'
      ? []
      : await readDeliveries(database, { warningId, unitId, deliveryId: null, kind, most });
  const dead =
    kind === 'dead' || kind === 'all'
      ? await readDeadLetters(database, { warningId, unitId, letterId: null, most })
      : [];
  return {
    deliveries: deliveries.map((row) => ({
      ...row,
      address: row.address === null ? null : maskAddress(row.address),
    })),
    dead,
  };
}

/** The number of a delivery, or `L7` for a dead letter. */
export function parseDeliveryName(word: string): DeliveryName {
  const match = /^([Ll]?)(\d{1,15})$/.exec(word.trim());
  if (!match) {
    throw refuse(
      'delivery-id',
      'usage',
      `"${word}" is no delivery: a number such as 4097, or L7 for a dead letter. \`fenghuo delivery list\` shows them.`,
    );
  }
  return match[1] === '' ? { deliveryId: Number(match[2]) } : { letterId: Number(match[2]) };
}

export type Retried = { retried: number; refused: number };

/** By whose word something is sent again, and why. For an actual warning nobody does so without being logged in: `actor` is who. */
export type RetryWord = {
  by: string;
  reason: string;
  /** @default null */
  actor?: string | null;
};

/** Sends one delivery again, or puts a dead letter back. Refuses, with the reason, what could not go or should not. */
export async function retryDelivery(
  database: Database,
  input: RetryWord & { warningId: number; name: DeliveryName },
): Promise<Retried> {
  const { warningId, name } = input;
  const [by, reason] = [required('--by', input.by), required('--reason', input.reason)];
  const warning = await openWarning(database, input);
  if ('letterId' in name) {
    await retryLetter(database, { warning, letterId: name.letterId, by, reason });
  } else {
    const { deliveryId } = name;
    const [row] = await readDeliveries(database, {
      ...{ warningId, unitId: null, deliveryId, kind: 'all', most: 1 },
    });
    if (!row) {
      throw refuse(
        'no-such-delivery',
        'notFound',
        `W${warningId} has no delivery ${deliveryId} with an outcome. \`fenghuo delivery list W${warningId}\` shows them.`,
      );
    }
    const refusal = whyNot(row);
    if (refusal)
      throw refuse('not-again', 'conflict', `Delivery ${deliveryId} is not sent again: ${refusal}`);
    await sendAgain(database, { warningId, rows: [row], by, reason });
  }
  return { retried: 1, refused: 0 };
}

/** Sends all again that failed and may go. */
export async function retryFailed(
  database: Database,
  input: RetryWord & { warningId: number },
): Promise<Retried> {
  const { warningId } = input;
  const [by, reason] = [required('--by', input.by), required('--reason', input.reason)];
  await openWarning(database, input);
  const failed = await readDeliveries(database, {
    ...{ warningId, unitId: null, deliveryId: null, kind: 'failed', most: RETRIED_MOST },
  });
  const rows = failed.filter((row) => whyNot(row) === null);
  if (rows.length > 0) await sendAgain(database, { warningId, rows, by, reason });
  return { retried: rows.length, refused: failed.length - rows.length };
}

/** Why a delivery cannot or must not be sent again; null where it may. */
function whyNot(row: DeliveryRow): string | null {
  const reported = row.receipt === 'failed' || row.receipt === 'undelivered';
  if (row.underWay) return 'another attempt is under way.';
  if (row.outcome === 'dropped') return `it was left out on purpose (${row.reason ?? 'no longer needed'}).`;
  if ((row.outcome === 'handed off' || row.outcome === 'merged') && !reported)
    return 'the channel has taken it; a second message would be a duplicate.';
  if (row.answered) return `${row.path.at(-1) ?? 'the unit'} has answered.`;
  if (row.address === null) return `the recipient has no address for ${row.channel} any more.`;
  if (row.fault !== null)
    return `the address cannot be used (${row.fault}); correct it by \`fenghuo people import\` first.`;
  return null;
}

async function sendAgain(
  database: Database,
  input: { warningId: number; rows: readonly DeliveryRow[]; by: string; reason: string },
): Promise<void> {
  const { warningId, rows, by, reason } = input;
  await database.transaction(async (sql) => {
    await putRetries(sql, rows);
    // The unit had given these up: it waits for them again, so that their failing once more counts once.
    const letters = rows
      .filter(
        ({ purpose, outcome }) => purpose === 'rung' && outcome !== 'handed off' && outcome !== 'merged',
      )
      .map(({ unitId, step }) => ({
        unitId,
        message: { kind: 'planned', rung: step, deliveries: 1 } satisfies Message,
      }));
    await putLetters(sql, warningId, letters);
    const cells = [...new Set(rows.map(({ cellId }) => cellId))];
    const bodyOf = (cellId: number) => {
      const deliveries = rows.filter((row) => row.cellId === cellId).map(({ deliveryId }) => deliveryId);
      return { retried: { by, reason, deliveries } };
    };
    await auditRetry(
      sql,
      cells.map((cellId) => ({ cellId, body: bodyOf(cellId) })),
    );
  });
}

async function retryLetter(
  database: Database,
  input: { warning: WarningRow; letterId: number; by: string; reason: string },
): Promise<void> {
  const { letterId, by, reason } = input;
  const { warningId } = input.warning;
  await database.transaction(async (sql) => {
    const [letter] = await readDeadLetters(sql, { warningId, unitId: null, letterId, most: 1 });
    if (!letter) {
      throw refuse(
        'no-such-delivery',
        'notFound',
        `W${warningId} has no dead letter L${letterId}. \`fenghuo delivery list W${warningId} --dead\` shows them.`,
      );
    }
    if (letter.ended) throw refuse('not-again', 'conflict', `L${letterId} is of a unit that has ended.`);
    await putBackLetter(sql, letterId, messageOrder(letter.kind as Message['kind']));
    const body = { retried: { by, reason, letter: letterId, unitId: letter.unitId } };
    await auditRetry(sql, [{ cellId: letter.cellId, body }]);
  });
}

async function openWarning(
  database: Database,
  { warningId, actor = null }: { warningId: number; actor?: string | null },
): Promise<WarningRow> {
  const warning = await requireWarning(database, warningId);
  if (warning.kind === 'actual' && actor === null) throw refusalOf('no-operator');
  if (warning.status === 'open' && warning.expiresAt > Date.now()) return warning;
  throw refuse(
    'warning-ended',
    'conflict',
    `W${warningId} has ended (${warning.status}); nothing of it is sent any more.`,
  );
}

function required(option: string, value: string): string {
  const trimmed = value.trim();
  if (trimmed !== '') return trimmed;
  throw refuse(
    'empty-option',
    'usage',
    `${option} is empty. Say it in a word or two: it is kept for the record.`,
  );
}

function refuse(code: string, refusal: 'usage' | 'notFound' | 'conflict', sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
