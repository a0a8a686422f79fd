/**
 * The core's view of PostgreSQL: what a step and a page need from the store, as data and two ports. `db/` implements them;
 * a simulator may implement them in memory.
 */
import type { Letter } from './cascade.ts';
import type { DropReason, Purpose, WarningFacts } from './guard.ts';
import type { Ending, ToldBefore, WarningStatus } from './revisions.ts';
import type { Outage } from './outages.ts';
import type { Channel, Rules } from './rules.ts';
import type { WarningKind } from './kinds.ts';
import type { LevelId } from './levels.ts';
import type { Outcome } from './delivery.ts';
import type { RecallResult } from './ports.ts';
import type { Instant } from './time.ts';
import type { Message, UnitId, UnitState } from './unit.ts';

// ── the step ────────────────────────────────────────────────────────────────────────────────────────────────

/** A cell as a step sees it, locked, with the facts of its warning and PostgreSQL's clock after the lock. */
export type LockedCell = {
  cellId: number;
  rootUnitId: UnitId;
  status: 'open' | 'closed';
  noticesWritten: boolean;
  /** Of a superseded warning: who was storing answers when its end came here, and may be still. See `answerWriters`. */
  answering: readonly string[];
  now: Instant;
  warning: {
    warningId: number;
    kind: WarningKind;
    /** Its place in its chain, from 1: the first supersedes nothing. */
    revision: number;
    status: WarningStatus;
    issuedAt: Instant;
    expiresAt: Instant;
    rules: Rules;
  };
};

/** Letters to the cell itself rather than to one of its units. */
export type CellLetter =
  /** A slice of a page is settled: what each unit of the rung hears of it. */
  | { kind: 'settled'; rung: number; handedOff: [unitId: UnitId, at: Instant][]; exhausted: UnitId[] }
  /** The warning was cancelled or superseded; the fact itself stands with the warning. */
  | { kind: 'ended' }
  /** A household of these units answered a warning that was superseded before. Units hear nothing of households. */
  | { kind: 'household answered'; unitIds: UnitId[] };

/** A letter as it lay in the inbox: for a unit, or, without one, for the cell. */
export type InboxLetter = { unitId: UnitId; body: Message } | { unitId: null; body: CellLetter };

export type Audience = 'people' | 'households';

export type PlannedDelivery = {
  unitId: UnitId;
  recipientId: number;
  /** Only where this repeats an earlier attempt. */
  again?: { deliveryId: number; attempt: number };
};

/** The recipients of one send by one channel, before it is cut to pages. */
export type PlannedPage = {
  purpose: Purpose;
  /** The rung of the ladder; for digests and bridge notices their number. */
  step: number;
  channel: Channel;
  audience: Audience;
  deliveries: PlannedDelivery[];
};

export type OpenPage = { pageId: number; channel: Channel; size: number; purpose: Purpose; step: number };

/** What is left of a cell after a step: it decides when the cell is looked at again, and whether it may close. */
export type CellRest = {
  mail: boolean;
  nextDeadline: Instant | null;
  nextRetry: Instant | null;
  unended: boolean;
  openPages: OpenPage[];
  /** PostgreSQL's clock. */
  now: Instant;
};

/** What a step writes of its cell, as the last thing. */
export type CellLeft = Pick<LockedCell, 'noticesWritten' | 'answering'> & {
  nextDeadline: Instant | null;
  /** No ring before this instant, unless the warning ends. */
  ringAfter: Instant;
  closed: boolean;
};

/** How the units of one tier stand. */
export type TierCount = { tier: string; units: number; told: number; answered: number; silent: number };

/** Everything one step may read and write; all of it commits together or not at all. */
export type StepTransaction = {
  /** Takes letters, what stops a send first. They are gone when the step commits, and only then. */
  takeInbox(most: number): Promise<InboxLetter[]>;
  putLetters(letters: readonly Letter[]): Promise<void>;
  /** The states of those units that belong to this cell; units nothing has happened to yet are made new. */
  loadUnits(unitIds: readonly UnitId[]): Promise<UnitState[]>;
  saveUnits(units: readonly UnitState[]): Promise<void>;
  loadSubordinates(unitIds: readonly UnitId[]): Promise<Map<UnitId, UnitId[]>>;
  /** Units with a timer due and no letter waiting; none while a letter for the cell itself waits. */
  dueUnits(most: number): Promise<UnitId[]>;
  /** When answers could not be taken, since the warning was issued; the last one may still be open. */
  intakeOutages(): Promise<Outage[]>;
  unendedUnits(most: number): Promise<UnitId[]>;
  /** `index` is the send's place in the input; ranks from 0, the principal. */
  findReachable(
    sends: readonly { unitId: UnitId; rankFrom: number; rankTo: number; channels: readonly Channel[] }[],
  ): Promise<{ index: number; unitId: UnitId; personId: number; channel: Channel }[]>;
  findHouseholds(
    unitIds: readonly UnitId[],
    channels: readonly Channel[],
  ): Promise<{ householdId: number; unitId: UnitId; channel: Channel }[]>;
  writePages(pages: readonly PlannedPage[]): Promise<void>;
  /** Takes attempts to be made again: those that are due, or all of them. */
  takeRetries(which: 'due' | 'all', most: number): Promise<PlannedPage[]>;
  /**
   * Everybody in the cell who was told by this warning or those it supersedes, or may have been, once for each channel, and has not
   * been told since that it is over: of a cancelled warning all in its area, of a superseded one those whom its successor leaves out.
   */
  findPossiblyTold(): Promise<PlannedPage[]>;
  /** People of these units who were told by the warnings that this one supersedes, or may have been or be. Only where it does. */
  findToldBefore(
    unitIds: readonly UnitId[],
  ): Promise<{ unitId: UnitId; personId: number; channel: Channel }[]>;
  /** True where no slice of the warnings that this one supersedes can still go out in this cell, or is still to be settled. */
  chainSettled(): Promise<boolean>;
  /** Late words for a superseded warning stand for the one in its place, where that asks for no new answer: those of these units. */
  carryAnswers(unitIds: readonly UnitId[] | 'of the cell'): Promise<void>;
  /**
   * The transactions that are storing answers now, by names of their own. Whoever is not among them begins later, and sees
   * the warning as this step does.
   */
  answerWriters(): Promise<string[]>;
  /** Writes the warning's own end where its expiry has passed; gives back how it ended: something else may have come first. */
  markExpired(): Promise<Ending>;
  /** The cell came to a worker that serves the other kind: that is written down, and nothing else. */
  noteMisdirected(served: WarningKind): Promise<void>;
  /** Puts letters aside and marks their units as faulty. */
  putDeadLetters(dead: readonly { letter: Letter; reason: string }[]): Promise<void>;
  appendAudit(body: unknown): Promise<void>;
  rest(pagesMost: number): Promise<CellRest>;
  countTiers(): Promise<TierCount[]>;
  leave(input: CellLeft): Promise<void>;
};

export type StepStore = {
  /** Locks the cell and runs `work` in one transaction; null where there is no such cell. */
  step<T>(cellId: number, work: (cell: LockedCell, tx: StepTransaction) => Promise<T>): Promise<T | null>;
};

// ── the page ────────────────────────────────────────────────────────────────────────────────────────────────

/** Another warning's first message to the same person, which goes along with this one. */
export type Companion = {
  deliveryId: number;
  warningId: number;
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
};

/** One place of a claimed slice, with everything its message and the guard need. */
export type ClaimedDelivery = {
  deliveryId: number;
  attempt: number;
  unitId: UnitId;
  recipientId: number;
  /** Null where the recipient no longer has this channel. */
  address: string | null;
  language: 'zh' | 'en';
  synthetic: boolean;
  /** The names of the recipient's units in this warning. */
  units: string[];
  /** An earlier attempt may have arrived. */
  possibleDuplicate: boolean;
  /** Why the guard lets it not leave; null where it may. */
  drop: DropReason | null;
  /** What the recipient was told last of the warnings that this one supersedes; null where nothing can have reached them. */
  toldBefore: ToldBefore | null;
  /** Their answer to a superseded warning stands: nothing is asked. */
  carried: boolean;
  bridge: { silent: string; reportsTo: string } | null;
  digest: { count: number; names: string[] } | null;
  report: { units: number; answered: number; silent: number } | null;
  doors: { count: number; names: string[] } | null;
  /** By the rule pack's limit this person has had enough for now: so long, in milliseconds; 0 where the message may go. */
  throttledMs: number;
  /** How the provider is known to have an earlier attempt whose outcome was unknown: by a receipt of it. */
  heardOf: { providerId: string | null; sender: string } | null;
  /** Its unit has heard before that it came to nothing: by a receipt, while another attempt was still to be made. */
  givenUp: boolean;
  /** When the last attempt ended; null for a first one. */
  earlierAt: Instant | null;
  /** Providers' ids of the recipient's other messages of this warning by this channel; only for a repeated attempt. */
  otherIds?: readonly string[] | null;
  companions: readonly Companion[];
  /** The person holds several posts: one message per rung, whatever posts and cells; its key is kept. */
  keyed: boolean;
  /** Another delivery to the same person for the same rung goes instead of this one; its outcome, null while unknown. */
  mergedInto: { outcome: Outcome | null; at: Instant | null } | null;
};

export type PageHead = {
  pageId: number;
  cellId: number;
  warningId: number;
  revision: number;
  purpose: Purpose;
  step: number;
  channel: Channel;
  audience: Audience;
};

export type ClaimedSlice = {
  page: PageHead;
  /** The slice's place in its page. */
  first: number;
  now: Instant;
  warning: WarningFacts & {
    kind: WarningKind;
    hazard: string;
    level: LevelId;
    issuer: string;
    textZh: string;
    textEn: string;
    /** What a notice of its end says; null where it is the standing words. */
    endTextZh: string | null;
    endTextEn: string | null;
    speed: number;
    retry: Rules['retry'];
    throttle: Rules['throttle'] | null;
  };
  deliveries: ClaimedDelivery[];
};

export type Claimed =
  | { kind: 'slice'; slice: ClaimedSlice }
  /** Nothing to claim now, but leases run; look again then. */
  | { kind: 'wait'; waitMs: number }
  /** Every member has an outcome. */
  | { kind: 'ended' }
  /** The page is of the other kind: nothing was claimed, and that it came here is written down. */
  | { kind: 'misdirected' };

/** What came of one delivery of a slice. */
export type Settlement = {
  deliveryId: number;
  attempt: number;
  unitId: UnitId;
  recipientId: number;
  outcome: Outcome;
  /** A `DropReason`, or a channel's own code. */
  reason: string | null;
  providerId: string | null;
  /** Which sender of the channel carried it; null where none did. */
  sender: string | null;
  possibleDuplicate: boolean;
  at: Instant;
  /** Set where the outcome asks for another attempt. */
  retryAfterMs: number | null;
  keyed: boolean;
  givenUp: boolean;
};

/** A settled slice: the outcomes, and what the cell hears of them. */
export type SettledSlice = {
  page: PageHead;
  first: number;
  settlements: Settlement[];
  letter: Extract<CellLetter, { kind: 'settled' }>;
};

/** The slice as it can be at most: a sender counts from before it asked for its slice, and a machine without breath counts it too far. */
export function notAfter(slice: SettledSlice, now: Instant): SettledSlice {
  const { settlements, letter } = slice;
  return {
    ...slice,
    settlements: settlements.map((settlement) => ({ ...settlement, at: Math.min(settlement.at, now) })),
    letter: { ...letter, handedOff: letter.handedOff.map(([unitId, at]) => [unitId, Math.min(at, now)]) },
  };
}

export type PageStore = {
  /**
   * Claims the next free slice of a page for `leaseMs`. A slice whose lease ran out unsettled is settled as unknown
   * first, by `abandoned`.
   */
  claim(
    pageId: number,
    input: {
      /** Pages of this kind only. */
      serves: WarningKind;
      most: number;
      leaseMs: number;
      /** The channel takes nothing for so long: no attempt is begun, and burned, while the warning is open. 0 where it does. */
      closedForMs?: number;
    },
  ): Promise<Claimed>;
  /** Slices of the page whose lease ran out: their deliveries, to be settled as unknown. None of a page of the other kind. */
  abandoned(pageId: number, serves: WarningKind): Promise<ClaimedSlice[]>;
  /** Outcome rows, retries, the letter to the cell and the end of the page, in one transaction. Safe to repeat. */
  settle(slice: SettledSlice): Promise<void>;
};

// ── proving that people can be reached ──────────────────────────────────────────────────────────────────────

type ProvenAddress = { personId: number; address: string };

export type ProvingStore = {
  /** Takes addresses that nobody has proven for so long, each once in that time. */
  take(input: { live: boolean; olderThanMs: number; most: number }): Promise<ProvenAddress[]>;
  proven(people: readonly ProvenAddress[]): Promise<void>;
};

// ── recalls ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A message to be asked for back, and how often it has been, this time included. */
export type Recall = {
  deliveryId: number;
  attempt: number;
  sender: string;
  providerId: string;
  tries: number;
};

export type RecallVerdict = Recall & { result: RecallResult };

/**
 * How far the answers have been looked through: all up to a number; and up to which more, once those who were storing answers then are
 * gone, because they may commit lower numbers than can be seen.
 */
export type RecallLook = { seen: number; next: { seen: number; writers: readonly string[] } | null };

export type RecallStore = {
  /** Writes down what became needless since an earlier look; gives this one. */
  wish(before: RecallLook): Promise<RecallLook>;
  /** Takes so many that are due; nobody else does for a while. */
  take(most: number): Promise<Recall[]>;
  settle(verdicts: readonly RecallVerdict[]): Promise<void>;
};
