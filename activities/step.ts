/**
 * The step: one short transaction in which a cell takes its letters, its units move on, and what follows is written.
 *
 * Repeating it after a crash is harmless: what was taken is gone, what was written is read again. PostgreSQL holds the one
 * truth and the one clock; the workflow around it holds nothing that matters.
 */
import {
  turnCell,
  type Letter,
  type Need,
  type Supply,
  type TurnResult,
  type UnitSend,
} from '../domain/cascade.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { Ending } from '../domain/revisions.ts';
import { recordLetter } from '../domain/step-record.ts';
import { tierDepth, TIERS } from '../domain/tiers.ts';
import type { Send, UnitState } from '../domain/unit.ts';
import { groupPages, type SinglePlan } from '../domain/pages.ts';
import type {
  CellLetter,
  CellRest,
  InboxLetter,
  LockedCell,
  PlannedPage,
  StepStore,
  StepTransaction,
  TierCount,
} from '../domain/store.ts';

/** Letters one step takes; a district of 5,500 units opens in a few steps. */
const LETTERS_MAX = 1_000;
/**
 * Letters that pass inside one step beside them, before the rest goes through the inbox. At 2,000 most of a city's opening went
 * through the inbox, at twice the cost; a district of 5,500 units opens within one step of about a second.
 */
const LETTERS_WITHIN_MAX = 12_000;
/**
 * A cell rests twice as long as its step took before it takes mail or deadlines that came meanwhile: beside the fixed cost of a step, and
 * of the pages it opens, many letters cost hardly more than one. Alone that is some hundredths of a second; where everything waits
 * for the processor the steps become fewer and larger by themselves (docs/adr/0035). What ends a warning waits for no rest.
 */
const REST_FACTOR = 2;
const REST_MS_MAX = 5_000;
const RETRIES_MAX = 2_000;
const OPEN_PAGES_MAX = 64;
const RANK_MAX = 32_767;
/** What a superseded warning has under way is looked at again after this time: sends where an end is to be said, and answers. */
const CHAIN_LOOK_MS = 500;

export type StepResult = {
  /** False where the cell is not known: the workflow ends. */
  known: boolean;
  /** The cell is of the kind that this worker does not serve: nothing was taken, and the workflow fails for good. */
  misdirected?: true;
  closed: boolean;
  /** More mail waits: step again at once. */
  more: boolean;
  /** How long until something is due; null where nothing is. */
  nextInMs: number | null;
  openPages: CellRest['openPages'];
  /** Letters taken. */
  took: number;
  /** How each tier of the cell stands, where it was asked for. */
  tiers: TierCount[] | null;
};

const UNKNOWN_CELL: StepResult = {
  known: false,
  closed: true,
  more: false,
  nextInMs: null,
  openPages: [],
  took: 0,
  tiers: null,
};

/** Runs one step of a cell. */
export async function stepCell(
  store: StepStore,
  input: { cellId: number; withCounts: boolean; serves: WarningKind },
): Promise<StepResult> {
  const result = await store.step(input.cellId, async (cell, tx): Promise<StepResult> => {
    if (cell.warning.kind !== input.serves) {
      await tx.noteMisdirected(input.serves);
      return { ...UNKNOWN_CELL, misdirected: true };
    }
    const ended = await endOf(tx, cell);
    const mail = await tx.takeInbox(LETTERS_MAX);
    const letters = await gatherLetters(tx, mail, ended);
    const answering = ended === 'superseded' ? await carryLate(tx, cell, mail) : [];
    const turn = await runTurn(tx, cell, letters);
    // Of an ended warning all retries become pages at once: the guard drops them, so that each has its last outcome.
    const retries = await tx.takeRetries(ended ? 'all' : 'due', RETRIES_MAX);
    await tx.writePages([...turn.pages, ...retries]);
    const notices = await writeNotices(tx, cell, ended);
    await appendStep(tx, turn.result, ended);
    const left = await leave(tx, cell, {
      ...{ ended, notices, answering },
      took: turn.result.taken.length,
      full: mail.length === LETTERS_MAX || turn.result.letters.length > 0,
    });
    return { ...left, tiers: input.withCounts ? await tx.countTiers() : null };
  });
  return result ?? UNKNOWN_CELL;
}

/** How the warning has ended, if it has; the first step after the expiry writes it down. */
async function endOf(tx: StepTransaction, cell: LockedCell): Promise<Ending | null> {
  if (cell.warning.status !== 'open') return cell.warning.status;
  if (cell.now < cell.warning.expiresAt) return null;
  return tx.markExpired();
}

/** Letters for units: those of the inbox, those that settlements turn into, and the end for units that have not ended. */
async function gatherLetters(
  tx: StepTransaction,
  mail: readonly InboxLetter[],
  ended: Ending | null,
): Promise<Letter[]> {
  const letters = mail.flatMap(({ unitId, body }): Letter[] =>
    unitId === null ? settledLetters(body) : [{ unitId, message: body }],
  );
  if (!ended) return letters;
  const touched = letters.map((letter) => letter.unitId);
  const unended = await tx.unendedUnits(LETTERS_MAX);
  const ending = [...new Set([...touched, ...unended])].map((unitId): Letter => ({
    unitId,
    message: { kind: ended },
  }));
  return [...ending, ...letters];
}

/**
 * What is said of a superseded warning stands for the one in its place. Whoever was storing an answer when the end came here saw the
 * warning open, leaves no letter for a household, and may commit after this step: the whole cell is carried once more when all
 * of them have ended. Gives back those who have not.
 */
async function carryLate(
  tx: StepTransaction,
  cell: LockedCell,
  mail: readonly InboxLetter[],
): Promise<readonly string[]> {
  const ends = mail.some(({ body }) => body.kind === 'ended');
  const waits = cell.answering.length > 0;
  const writers = ends || waits ? await tx.answerWriters() : [];
  const answering = ends ? writers : cell.answering.filter((one) => writers.includes(one));
  const whole = ends || (waits && answering.length === 0);
  await tx.carryAnswers(whole ? 'of the cell' : answeredUnits(mail));
  return answering;
}

/** Units in which somebody has said something. */
function answeredUnits(mail: readonly InboxLetter[]): number[] {
  const units = mail.flatMap(({ unitId, body }) => {
    if (body.kind === 'household answered') return body.unitIds;
    return unitId !== null && (body.kind === 'answered' || body.kind === 'cannot act') ? [unitId] : [];
  });
  return [...new Set(units)];
}

function settledLetters(letter: CellLetter): Letter[] {
  if (letter.kind !== 'settled') return [];
  const { rung } = letter;
  return [
    ...letter.handedOff.map(([unitId, at]): Letter => ({
      unitId,
      message: { kind: 'handed off', rung, at },
    })),
    ...letter.exhausted.map((unitId): Letter => ({ unitId, message: { kind: 'exhausted', rung } })),
  ];
}

// ── driving the turn over PostgreSQL ────────────────────────────────────────────────────────────────────────

async function runTurn(tx: StepTransaction, cell: LockedCell, letters: readonly Letter[]) {
  const { warning } = cell;
  const planned: SinglePlan[] = [];
  const turn = turnCell(letters, {
    rules: warning.rules,
    now: cell.now,
    most: LETTERS_MAX + LETTERS_WITHIN_MAX,
  });
  let next = turn.next();
  while (!next.done) next = turn.next(await supply(tx, next.value, planned));
  const result = next.value;
  await tx.saveUnits(result.changed);
  await tx.putLetters(result.letters);
  await tx.putDeadLetters(result.dead);
  planned.push(...(await householdDeliveries(tx, cell, result.changed)));
  await tellOfHouseholds(tx, cell, planned);
  return { result, pages: groupPages(planned) };
}

async function supply(tx: StepTransaction, need: Need, planned: SinglePlan[]): Promise<Supply> {
  switch (need.kind) {
    case 'units':
      return { kind: 'units', units: await tx.loadUnits(need.unitIds) };
    case 'subordinates':
      return { kind: 'subordinates', subordinates: await tx.loadSubordinates(need.unitIds) };
    case 'due':
      return supplyDue(tx, need.most);
    case 'recipients':
      return { kind: 'recipients', deliveries: await planDeliveries(tx, need.sends, planned) };
    default:
      return need satisfies never;
  }
}

async function supplyDue(tx: StepTransaction, most: number): Promise<Supply> {
  const unitIds = most > 0 ? await tx.dueUnits(most) : [];
  return { kind: 'due', unitIds, outages: unitIds.length > 0 ? await tx.intakeOutages() : [] };
}

/** Finds the people behind sends, keeps them for the pages, and says how many deliveries each send comes to. */
async function planDeliveries(
  tx: StepTransaction,
  sends: readonly UnitSend[],
  planned: SinglePlan[],
): Promise<number[]> {
  const ranked = sends.flatMap(({ unitId, send }, place) =>
    send.kind === 'change notice' ? [] : [{ unitId, send, place }],
  );
  const reachable =
    ranked.length > 0
      ? await tx.findReachable(
          ranked.map(({ unitId, send }) => ({ unitId, channels: send.by, ...ranksOf(send) })),
        )
      : [];
  const deliveries = sends.map(() => 0);
  planned.push(...(await changeNotices(tx, sends)));
  for (const { index: rank, unitId, personId, channel } of reachable) {
    const index = ranked[rank]?.place ?? -1;
    const send = sends[index]?.send;
    if (!send) continue;
    deliveries[index] = (deliveries[index] ?? 0) + 1;
    planned.push({
      ...pagePlace(send),
      channel,
      audience: 'people',
      delivery: { unitId, recipientId: personId },
    });
  }
  return deliveries;
}

/** Exactly those who were told before, or may have been, hear of a change that asks nothing of them. */
async function changeNotices(tx: StepTransaction, sends: readonly UnitSend[]): Promise<SinglePlan[]> {
  const unitIds = sends.filter(({ send }) => send.kind === 'change notice').map(({ unitId }) => unitId);
  if (unitIds.length === 0) return [];
  const told = await tx.findToldBefore(unitIds);
  return told.map(({ unitId, personId, channel }) => ({
    purpose: 'change notice',
    step: 0,
    channel,
    audience: 'people',
    delivery: { unitId, recipientId: personId },
  }));
}

type RankedSend = Exclude<Send, { kind: 'change notice' }>;

function ranksOf(send: RankedSend): { rankFrom: number; rankTo: number } {
  switch (send.who) {
    case 'principal':
      return { rankFrom: 0, rankTo: 0 };
    case 'deputies':
      return { rankFrom: 1, rankTo: RANK_MAX };
    case 'everyone':
      return { rankFrom: 0, rankTo: RANK_MAX };
    default:
      return send satisfies never;
  }
}

function pagePlace(send: Send): Pick<PlannedPage, 'purpose' | 'step'> {
  if (send.kind === 'rung') return { purpose: 'rung', step: send.rung };
  return { purpose: send.kind, step: 'number' in send ? send.number : 0 };
}

/** Households hear when the unit they stand under opens: told by count, many groups to a page. */
async function householdDeliveries(tx: StepTransaction, cell: LockedCell, changed: readonly UnitState[]) {
  const lowestOfficial = TIERS.filter((tier) => tier.role === 'official').length - 1;
  const opened = changed.filter(
    (unit) => unit.openedAt === cell.now && tierDepth(unit.tier) === lowestOfficial,
  );
  const households = await tx.findHouseholds(
    opened.map((unit) => unit.unitId),
    cell.warning.rules.households.by,
  );
  return households.map(({ householdId, unitId, channel }) => ({
    purpose: 'household' as const,
    step: 0,
    channel,
    audience: 'households' as const,
    delivery: { unitId, recipientId: householdId },
  }));
}

/** Units whose households are told hear of it, where the rules send somebody to the doors of those who do not answer. */
async function tellOfHouseholds(
  tx: StepTransaction,
  cell: LockedCell,
  planned: readonly SinglePlan[],
): Promise<void> {
  if (!cell.warning.rules.doors) return;
  const told = planned
    .filter(({ purpose }) => purpose === 'household')
    .map(({ delivery }) => delivery.unitId);
  const message = { kind: 'households told', at: cell.now } as const;
  await tx.putLetters([...new Set(told)].map((unitId) => ({ unitId, message })));
}

// ── the end of a step ───────────────────────────────────────────────────────────────────────────────────────

/** Whether those who must hear of the end have their pages; `after the chain`: not while a superseded warning can still send. */
type Notices = 'written' | 'not yet' | 'after the chain';

/**
 * After a cancel, and once no open page can still send, everybody not provably unsent gets the all-clear; after an update those
 * whom it leaves out.
 */
async function writeNotices(tx: StepTransaction, cell: LockedCell, ended: Ending | null): Promise<Notices> {
  if (cell.noticesWritten) return 'written';
  if (ended !== 'cancelled' && ended !== 'superseded') return 'not yet';
  const { openPages, nextRetry } = await tx.rest(1);
  if (openPages.length > 0 || nextRetry !== null) return 'not yet';
  if (cell.warning.revision > 1 && !(await tx.chainSettled())) return 'after the chain';
  await tx.writePages(await tx.findPossiblyTold());
  return 'written';
}

async function appendStep(tx: StepTransaction, result: TurnResult, ended: string | null): Promise<void> {
  if (result.taken.length === 0) return;
  const letters = result.taken.map(recordLetter);
  await tx.appendAudit(ended ? { ended, letters } : { letters });
}

async function leave(
  tx: StepTransaction,
  cell: LockedCell,
  input: {
    ended: Ending | null;
    notices: Notices;
    answering: readonly string[];
    took: number;
    /** More letters were there than one step takes. */
    full: boolean;
  },
): Promise<Omit<StepResult, 'tiers'>> {
  const rest = await tx.rest(OPEN_PAGES_MAX);
  const noticesWritten = input.notices === 'written';
  const settled = input.ended === 'expired' || noticesWritten;
  const closed =
    input.ended !== null &&
    settled &&
    input.answering.length === 0 &&
    !rest.mail &&
    !rest.unended &&
    rest.openPages.length === 0 &&
    rest.nextRetry === null;
  const over = input.ended !== null;
  const more = (rest.mail && (over || input.full)) || (over && (rest.nextRetry !== null || rest.unended));
  const expiry = input.ended ? null : cell.warning.expiresAt;
  const waits = input.notices === 'after the chain' || input.answering.length > 0;
  const chain = waits ? cell.now + CHAIN_LOOK_MS : null;
  const due = [rest.nextDeadline, rest.nextRetry, expiry, chain].filter((at) => at !== null);
  const nextDeadline = due.length > 0 ? Math.min(...due) : null;
  const ringAfter = rest.now + (over ? 0 : Math.min(REST_FACTOR * (rest.now - cell.now), REST_MS_MAX));
  await tx.leave({ nextDeadline, ringAfter, closed, noticesWritten, answering: input.answering });
  const next = rest.mail ? rest.now : nextDeadline;
  return {
    known: true,
    closed,
    more,
    nextInMs: next === null ? null : Math.max(0, Math.ceil(Math.max(next, ringAfter) - rest.now)),
    openPages: rest.openPages,
    took: input.took,
  };
}
