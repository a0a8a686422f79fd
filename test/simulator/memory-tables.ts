/** The tables of the memory database, row by row: those of db/migrations as far as the engine reads them. */
import type { WarningRow as StoredWarning } from '../../db/warnings.ts';
import type { Outcome } from '../../domain/delivery.ts';
import type { Purpose } from '../../domain/guard.ts';
import type { Channel } from '../../domain/rules.ts';
import type { Audience, CellLetter } from '../../domain/store.ts';
import type { Instant } from '../../domain/time.ts';
import { messageOrder, type Message, type UnitId, type UnitState } from '../../domain/unit.ts';

/** As in db/pages.ts. */
export const DELIVERY_ID_STRIDE = 1_024;

export type WarningRow = Omit<StoredWarning, 'endReason' | 'areaIds' | 'areas'> & {
  /** When the cancel could be read. */
  endCommittedAt: Instant | null;
};

export type CellRow = {
  cellId: number;
  unitId: UnitId;
  status: 'open' | 'closed';
  nextDeadline: Instant | null;
  steppedAt: Instant | null;
  rungAt: Instant | null;
  ringAfter: Instant | null;
  noticesWritten: boolean;
};

export type InboxRow = {
  id: number;
  cellId: number;
  unitId: UnitId | null;
  priority: number;
  body: Message | CellLetter;
  at: Instant;
};

export type UnitRow = { cellId: number; state: UnitState; nextAt: Instant | null; faulty: boolean };

export type PageRow = {
  pageId: number;
  cellId: number;
  revision: number;
  purpose: Purpose;
  step: number;
  channel: Channel;
  audience: Audience;
  members: { unitId: UnitId; recipientId: number; deliveryId: number; attempt: number; again: boolean }[];
  writtenAt: Instant;
  endedAt: Instant | null;
};

export type ClaimRow = {
  pageId: number;
  first: number;
  size: number;
  leaseUntil: Instant;
  claimedAt: Instant;
  settledAt: Instant | null;
};

export type DeliveryRow = {
  deliveryId: number;
  attempt: number;
  pageId: number;
  cellId: number;
  unitId: UnitId;
  recipientId: number;
  audience: Audience;
  purpose: Purpose;
  step: number;
  channel: Channel;
  outcome: Outcome;
  reason: string | null;
  possibleDuplicate: boolean;
  at: Instant;
  /** When the row could be read. */
  committedAt: Instant;
};

export type RetryRow = {
  deliveryId: number;
  attempt: number;
  cellId: number;
  pageId: number;
  unitId: UnitId;
  recipientId: number;
  dueAt: Instant;
};

export type KeyRow = { deliveryId: number; outcome: Outcome | null; at: Instant | null };

export type AnswerRow = {
  id: number;
  actId: number;
  unitId: UnitId;
  personId: number | null;
  householdId: number | null;
  kind: 'received' | 'done' | 'cannot act';
  at: Instant;
  committedAt: Instant;
};

export function deliveryKey(deliveryId: number, attempt: number): number {
  return deliveryId * 1_024 + attempt;
}

/** As `putCellLetter` ranks them. */
export function cellLetterPriority(letter: CellLetter): number {
  return letter.kind === 'ended' ? 0 : messageOrder('handed off');
}

/** The address of one recipient by one channel. */
export function addressKey(audience: Audience, recipientId: number, channel: Channel): string {
  return `${audience} ${recipientId} ${channel}`;
}
