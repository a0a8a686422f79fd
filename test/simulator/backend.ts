/** What the simulator asks of a store beside the engine's own ports; in memory, or PostgreSQL itself. */
import type { AnswerKind, UnitId } from '../../domain/unit.ts';
import type { PageStore, StepStore } from '../../domain/store.ts';
import type { Instant } from '../../domain/time.ts';
import type { Process } from './connection.ts';

export type Act = {
  actId: number;
  by:
    | { audience: 'people' | 'households'; recipientId: number }
    /** Somebody vouches for the unit. */
    | { audience: 'vouched'; unitId: UnitId };
  kind: AnswerKind;
};

export type CellView = {
  cellId: number;
  closed: boolean;
  mail: boolean;
  nextDeadline: Instant | null;
  steppedAt: Instant | null;
  rungAt: Instant | null;
  ringAfter: Instant | null;
  /** The end of its warning waits in its inbox. */
  urgent: boolean;
  locked: boolean;
};

export type Backend = {
  steps(process: Process): StepStore;
  pages(process: Process): PageStore;
  issue(process: Process): Promise<void>;
  /** False where the warning was over. */
  cancel(process: Process): Promise<boolean>;
  /** Another warning takes its place; false where it was over. */
  supersede(process: Process): Promise<boolean>;
  /** `lateMs` passes between the insert and the commit. */
  answer(process: Process, act: Act, lateMs: number): Promise<void>;
  poison(process: Process, unitId: UnitId): Promise<void>;
  /** The ringer's look: cells to ring, marked as rung. */
  ring(process: Process): Promise<number[]>;
  cells(): CellView[];
  /** Rises whenever something was committed. */
  version(): number;
  /** Ends transactions of a killed process. */
  processKilled(process: Process): void;
  /** Ends all transactions: the server goes down. */
  serverDown(): { aborted: number; committed: number };
};

/** As in db/ringing.ts. */
export const RING_AGAIN_MS = 5_000;
const URGENT_AFTER_MS = 800;
const OVERDUE_MS = 1_000;
const UNSTEPPED_MS = 60_000;

/** When db/ringing.ts will next want to ring this cell. */
export function wantsRingAt(cell: CellView, now: Instant): Instant {
  const open = cell.closed ? Infinity : 0;
  const wanted = cell.mail
    ? now
    : Math.min(
        cell.nextDeadline === null ? Infinity : cell.nextDeadline + OVERDUE_MS + 1 + open,
        (cell.steppedAt ?? -Infinity) + UNSTEPPED_MS + 1 + open,
      );
  const rested = (cell.ringAfter ?? -Infinity) + 1;
  const urgent = cell.urgent ? (cell.rungAt ?? -Infinity) + URGENT_AFTER_MS + 1 : Infinity;
  return Math.max(wanted, Math.min(rested, urgent));
}
