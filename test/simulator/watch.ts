/**
 * Invariants that are looked at while a seed runs: at each message a provider takes, at each commit of a step, and now and
 * then. It reads the tables and the far side's ledger; of the engine's own rules it uses none.
 */
import type { OutgoingMessage } from '../../domain/ports.ts';
import type { Instant } from '../../domain/time.ts';
import type { UnitId, UnitState } from '../../domain/unit.ts';
import type { Taken } from './far-side.ts';
import type { CommitWatch, MemoryDatabase } from './memory-database.ts';
import {
  deliveryKey,
  type AnswerRow,
  type ClaimRow,
  type DeliveryRow,
  type PageRow,
} from './memory-tables.ts';

/** A broken promise, by its number in the README. */
export type Violation = { invariant: number; what: string; at: Instant };

const VIOLATIONS_MOST = 12;
/** Once faults have stopped, nothing waits longer than this. */
const LATE_MOST_MS = 20_000;

export class Watch implements CommitWatch {
  readonly violations: Violation[] = [];
  /** Greatest lateness of a timer that was seen after the faults, in milliseconds. */
  latestMs = 0;
  /** Pages by the attempts they hold. */
  readonly pageOf = new Map<number, { page: PageRow; place: number }>();
  readonly takenAt = new Map<number, Instant>();
  private readonly db: MemoryDatabase;
  private readonly oneMessage = new Map<string, number>();
  private readonly rungBeganAt = new Map<UnitId, Instant>();

  constructor(db: MemoryDatabase) {
    this.db = db;
  }

  broken(invariant: number, what: string): void {
    if (this.violations.length < VIOLATIONS_MOST) this.violations.push({ invariant, what, at: this.db.now });
  }

  pageWritten(page: PageRow): void {
    for (const [place, { deliveryId, attempt }] of page.members.entries()) {
      const key = deliveryKey(deliveryId, attempt);
      if (this.pageOf.has(key)) this.broken(6, `${name(deliveryId, attempt)} stands on two pages`);
      this.pageOf.set(key, { page, place });
    }
  }

  // ── a message leaves ────────────────────────────────────────────────────────────────────────────────────

  taken(entry: Taken, message: OutgoingMessage): PageRow | null {
    const { deliveryId, attempt } = entry;
    const which = name(deliveryId, attempt);
    const found = this.pageOf.get(deliveryKey(deliveryId, attempt));
    if (!found) {
      this.broken(2, `${which} was sent from no page`);
      return null;
    }
    const { page, place } = found;
    const member = page.members[place];
    const claim = (this.db.claims.get(page.pageId) ?? []).find(
      (row) => row.first <= place && place < row.first + row.size,
    );
    if (!claim || !member) {
      this.broken(6, `${which} was sent without a claim`);
      return page;
    }
    if (this.takenAt.has(deliveryKey(deliveryId, attempt))) this.broken(6, `${which} was taken twice`);
    this.takenAt.set(deliveryKey(deliveryId, attempt), entry.at);
    if (claim.settledAt !== null) this.broken(2, `${which} was taken after its slice was settled`);
    if (entry.at > claim.leaseUntil) this.broken(6, `${which} was taken after its lease`);
    this.checkEnd(which, page, claim);
    this.checkChase(which, page, claim, member);
    this.checkOneMessage(which, page, member, deliveryId);
    this.checkKind(which, entry, page, member.recipientId, message);
    return page;
  }

  private checkEnd(which: string, page: PageRow, claim: ClaimRow): void {
    const { warning } = this.db;
    if (!warning) return;
    const ended = warning.status === 'cancelled' || warning.status === 'superseded';
    const cancelledAt = ended ? (warning.endCommittedAt ?? Infinity) : Infinity;
    if (page.purpose === 'cancel notice') {
      if (cancelledAt === Infinity) this.broken(5, `${which} lifts a warning that stands`);
      return;
    }
    if (claim.claimedAt > cancelledAt) this.broken(5, `${which} was claimed after the cancel and sent`);
    if (claim.claimedAt >= warning.expiresAt)
      this.broken(5, `${which} was claimed after the expiry and sent`);
  }

  private checkChase(
    which: string,
    page: PageRow,
    claim: ClaimRow,
    member: PageRow['members'][number],
  ): void {
    const known = (row: AnswerRow) => row.committedAt < claim.claimedAt;
    if (page.purpose === 'household') {
      const own = this.db.answers.some((row) => row.householdId === member.recipientId && known(row));
      if (own) this.broken(7, `${which} chases a household that had answered`);
    }
    if (page.purpose !== 'rung' && page.purpose !== 'bridge notice') return;
    const answers = this.db.answers.filter((row) => row.unitId === member.unitId && row.householdId === null);
    // While the claim ran, somebody may have said that it cannot be done.
    if (answers.some((row) => row.kind === 'cannot act' && !known(row))) return;
    if (stands(answers.filter(known)) === 'answered')
      this.broken(7, `${which} chases unit ${member.unitId}, which had answered`);
  }

  private checkOneMessage(
    which: string,
    page: PageRow,
    member: PageRow['members'][number],
    deliveryId: number,
  ): void {
    if (page.audience !== 'people' || (page.purpose !== 'rung' && page.purpose !== 'cancel notice')) return;
    const key = [page.purpose, page.step, page.channel, member.recipientId].join(' ');
    const other = this.oneMessage.get(key) ?? deliveryId;
    if (other !== deliveryId)
      this.broken(6, `${which} and delivery ${other} told person ${member.recipientId} the same (${key})`);
    this.oneMessage.set(key, deliveryId);
  }

  private checkKind(
    which: string,
    entry: Taken,
    page: PageRow,
    recipientId: number,
    message: OutgoingMessage,
  ): void {
    const { world } = this.db;
    const recipient = page.audience === 'people' ? world.person(recipientId) : world.household(recipientId);
    const actual = world.data.kind === 'actual';
    if (entry.live && (!actual || recipient?.synthetic !== false))
      this.broken(4, `${which} of a ${world.data.kind} warning reached the public`);
    if (!entry.live && actual) this.broken(4, `${which} of an actual warning went to a stand-in`);
    if (!actual && !/^(【演练】|\[EXERCISE\])/.test(message.text))
      this.broken(4, `${which} is not marked as an Exercise`);
  }

  // ── a unit changes ──────────────────────────────────────────────────────────────────────────────────────

  unitsSaved(before: UnitState | null, after: UnitState, now: Instant): void {
    if (before) this.checkRegress(before, after);
    if (before && after.rung > before.rung && before.rung >= 0) this.checkEarly(before, now);
    if (after.rung !== (before?.rung ?? -1)) this.rungBeganAt.set(after.unitId, now);
  }

  private checkRegress(before: UnitState, after: UnitState): void {
    const { unitId } = after;
    for (const key of [
      'openedAt',
      'toldAt',
      'answeredAt',
      'cannotActAt',
      'silentAt',
      'bridgedAt',
      'ended',
    ] as const) {
      if (before[key] !== null && after[key] === null) this.broken(8, `unit ${unitId} lost its ${key}`);
    }
    for (const key of ['rung', 'digests', 'silenceTold', 'helpTold', 'concludedBelow'] as const) {
      if (after[key] < before[key]) this.broken(8, `unit ${unitId} fell back in ${key}`);
    }
    if (before.status === 'answered' && after.status !== 'answered') {
      const said = this.db.answers.some((row) => row.unitId === unitId && row.kind === 'cannot act');
      if (!said) this.broken(8, `unit ${unitId} had answered and no longer does`);
    }
  }

  /** The rung that was left must have had its time, or no hope. */
  private checkEarly(before: UnitState, now: Instant): void {
    const { unitId, rung } = before;
    const { ladder, handOffMaxMs, retry } = this.db.world.data.rules;
    const left = ladder[rung];
    const beganAt = this.rungBeganAt.get(unitId) ?? -Infinity;
    if (!left) return;
    if (left.who === 'nobody' && beganAt + left.waitMs <= now) return;
    const rows = [...this.db.deliveries.values()].filter(
      (row) => row.unitId === unitId && row.step === rung && row.purpose === 'rung',
    );
    const handed = rows.filter((row) => row.outcome === 'handed off' || row.outcome === 'merged');
    const heardInTime = handed.some((row) => row.committedAt < beganAt + handOffMaxMs);
    if (!heardInTime && beganAt + handOffMaxMs <= now && left.who !== 'nobody') return;
    const firstAt = Math.min(
      ...handed.map((row) => this.takenAt.get(deliveryKey(row.deliveryId, row.attempt)) ?? row.at),
    );
    // Told before the rung began, as by a message for another unit, it has its whole time all the same.
    if (Math.max(firstAt, beganAt) + left.waitMs <= now) return;
    if (this.db.answers.some((row) => row.unitId === unitId && row.kind === 'cannot act')) return;
    if (handed.length === 0 && this.hopeless(unitId, rung, rows, retry.attemptsMost)) return;
    this.broken(7, `unit ${unitId} left rung ${rung} ${Math.ceil(firstAt + left.waitMs - now)} ms early`);
  }

  /** No delivery of the rung can still arrive. */
  private hopeless(unitId: UnitId, rung: number, rows: DeliveryRow[], attemptsMost: number): boolean {
    const over = new Set(
      rows
        .filter(
          ({ outcome, attempt, reason }) =>
            outcome === 'failed' ||
            outcome === 'dropped' ||
            (attempt >= attemptsMost && reason !== 'merge-pending'),
        )
        .map((row) => row.deliveryId),
    );
    for (const { page, place } of this.pageOf.values()) {
      const member = page.members[place];
      if (
        page.purpose === 'rung' &&
        page.step === rung &&
        member?.unitId === unitId &&
        !over.has(member.deliveryId)
      )
        return false;
    }
    return true;
  }

  // ── now and then, after the faults ──────────────────────────────────────────────────────────────────────

  checkLate(): void {
    const { now, units, inbox, cells } = this.db;
    for (const { state, nextAt, faulty, cellId } of units.values()) {
      if (nextAt === null || faulty || cells.get(cellId)?.status === 'closed') continue;
      this.latestMs = Math.max(this.latestMs, now - nextAt);
      if (now - nextAt > LATE_MOST_MS)
        this.broken(7, `unit ${state.unitId} is overdue by ${now - nextAt} ms`);
    }
    for (const row of inbox.values()) {
      if (now - row.at > LATE_MOST_MS) this.broken(7, `letter ${row.id} waits for ${now - row.at} ms`);
    }
  }
}

/** What these words come to: the last one counts, and of one instant *cannot act*. */
export function stands(answers: readonly AnswerRow[]): 'answered' | 'cannot act' | 'silent' {
  const last = Math.max(...answers.map((row) => row.at));
  const words = answers.filter((row) => row.at === last);
  if (words.length === 0) return 'silent';
  return words.some((row) => row.kind === 'cannot act') ? 'cannot act' : 'answered';
}

function name(deliveryId: number, attempt: number): string {
  return `delivery ${deliveryId} attempt ${attempt}`;
}
