/**
 * What holds for every history of every world. Each property reads a run and says what is wrong in one sentence, or null.
 * They recompute from facts and arrivals what should have happened, and never ask the machine.
 */
import type { Rung } from '../../domain/rules.ts';
import { quietUntil } from '../../domain/quiet-hours.ts';
import { TIERS } from '../../domain/tiers.ts';
import type { Instant } from '../../domain/time.ts';
import type { UnitId, UnitState } from '../../domain/unit.ts';
import { keyOf, standsAnswered, type Fact, type History, type Life, type RungRecord } from './recorder.ts';
import { START_AT, type Place, type World } from './world.ts';

export type Property = { name: string; check: (history: History) => string | null };

export const PROPERTIES: readonly Property[] = [
  { name: 'states only rise', check: ({ faults }) => faults[0] ?? null },
  { name: 'nothing is left to do without a timer', check: ({ stuck }) => stuck[0] ?? null },
  { name: 'every unit ends', check: everyUnitEnds },
  { name: 'no send after an answer or the end', check: eachLife(noSendTooLate) },
  { name: 'each rung begins when it must, never before', check: eachLife(rungsOnTime) },
  { name: 'after *cannot act* the next rung begins at once', check: eachLife(helpAtOnce) },
  { name: 'subordinates open when they must, never before', check: eachLife(opensOnTime) },
  { name: 'below a bridged unit all are open and report past it', check: eachLife(reportsPastSilence) },
  { name: 'whoever a unit reports to hears of its trouble', check: eachLife(superiorHears) },
  { name: 'one digest for a window, none early, none missing', check: eachLife(digestsOnTime) },
  { name: 'sends are bounded, each is one of its kind', check: eachLife(sendsBounded) },
  { name: 'messages to one superior are bounded', check: eachLife(tellsBounded) },
  { name: 'the last word stands, the first time stays', check: eachLife(wordsKept) },
  { name: 'a unit concludes when all below it have', check: eachLife(concludes) },
  { name: 'the end report goes once, in time', check: eachLife(endReportOnce) },
  { name: 'what was received is reminded of until it is done', check: eachLife(doneInTime) },
  { name: 'a carried answer stands, and its people hear of the change once', check: eachLife(changeNoticed) },
];

/** The first property that fails, in one line. */
export function firstFault(history: History): string | null {
  for (const { name, check } of PROPERTIES) {
    const fault = check(history);
    if (fault !== null) return `${name}: ${fault}`;
  }
  return null;
}

/** Two runs of one world must give the same path and the same end for each unit. */
export function difference(one: History, other: History): string | null {
  for (const [unitId, life] of one.lives) {
    const twin = other.lives.get(unitId);
    if (!twin) return `unit ${unitId} is missing`;
    if (
      life.path.length === twin.path.length &&
      life.path.every((entry, index) => entry === twin.path[index])
    ) {
      const [left, right] = [JSON.stringify(life.final), JSON.stringify(twin.final)];
      if (left !== right) return `unit ${unitId} ends otherwise: ${left} | ${right}`;
      continue;
    }
    const only = (mine: string[], theirs: string[]) =>
      mine.filter((entry) => !theirs.includes(entry)).join('; ');
    return `unit ${unitId} takes another path: ${only(life.path, twin.path)} | ${only(twin.path, life.path)}`;
  }
  return null;
}

// ── the view of one unit ────────────────────────────────────────────────────────────────────────────────────

type View = { history: History; world: World; place: Place; life: Life; last: UnitState };

function eachLife(check: (view: View) => string | null): Property['check'] {
  return (history) => {
    for (const [unitId, life] of history.lives) {
      const place = history.world.places.get(unitId);
      if (!place || !life.last) return `unit ${unitId} has no state`;
      const fault = check({ history, world: history.world, place, life, last: life.last });
      if (fault !== null) return `unit ${unitId}: ${fault}`;
    }
    return null;
  };
}

/** When that which falls on `at` is done: at the end of the outage, where it falls into one. */
function done({ outage }: World, at: Instant): Instant {
  return outage && at >= outage.from && at < outage.to ? outage.to : at;
}

function lifeOf(history: History, unitId: UnitId): Life {
  const life = history.lives.get(unitId);
  if (!life) throw new RangeError(`no unit ${unitId}`);
  return life;
}

/** Persons' words with the time they reached the inbox. */
function words(life: Life): (Fact & { arrivedAt: Instant; done: boolean; carried: boolean })[] {
  return life.arrivals.flatMap(({ at: arrivedAt, message }) =>
    message.kind === 'answered' || message.kind === 'cannot act'
      ? [
          {
            at: message.at,
            cannotAct: message.kind === 'cannot act',
            done: message.kind === 'answered' && message.answer === 'done',
            carried: message.kind === 'answered' && message.carried === true,
            arrivedAt,
          },
        ]
      : [],
  );
}

function answeredAtInstant(life: Life, at: Instant): boolean {
  let answered = false;
  for (const turn of life.turns) if (turn.at <= at) answered = turn.to === 'answered';
  return answered;
}

// ── the properties ──────────────────────────────────────────────────────────────────────────────────────────

function everyUnitEnds(history: History): string | null {
  const { world } = history;
  if (!history.atRest) return 'the cascade does not come to rest';
  const endsAt = done(world, Math.min(world.cancelAt ?? Infinity, world.expiresAt));
  for (const [unitId, life] of history.lives) {
    if (!life.final?.ended) return `unit ${unitId} never ends`;
    if (life.endedAt !== endsAt) return `unit ${unitId} ends at ${life.endedAt}, not at ${endsAt}`;
  }
  return null;
}

function noSendTooLate({ history, life }: View): string | null {
  const spoken = words(life);
  for (const { at, send } of life.sends) {
    if (at > history.endsAt) return `${keyOf(send)} at ${at} after the end at ${history.endsAt}`;
    if (send.kind !== 'rung' && send.kind !== 'bridge notice') continue;
    const reopens = spoken.some((word) => word.cannotAct && word.arrivedAt === at);
    const heard = spoken.filter((word) => word.arrivedAt < at);
    if (!reopens && standsAnswered(heard)) return `${keyOf(send)} at ${at} although answered`;
  }
  return null;
}

/** When a unit goes past a rung, if no person moves it before: in quiet hours, when they end. */
function rungEnds(view: View, record: RungRecord, rung: Rung): Instant {
  const end = rungComesToNothing(view, record, rung);
  const until = quietUntil(view.world.rules.quietHours, end);
  return until === null ? end : done(view.world, until);
}

/** The time at which silence, failure or nobody to reach ends a rung. */
function rungComesToNothing({ world, life }: View, record: RungRecord, rung: Rung): Instant {
  if (rung.who === 'nobody') return done(world, record.at + rung.waitMs);
  if (record.deliveries === 0) return record.at;
  let handedOff = false;
  let failed = 0;
  let end = done(world, record.at + world.rules.handOffMaxMs);
  for (const { at, message } of life.arrivals) {
    if (at > end || at < record.at) continue;
    if (message.kind === 'exhausted' && message.rung === record.rung) {
      failed += 1;
      if (failed === record.deliveries) return at;
    }
    if (message.kind !== 'handed off' || message.rung !== record.rung) continue;
    const deadline = Math.max(at, done(world, message.at + rung.waitMs));
    end = handedOff ? Math.min(end, deadline) : deadline;
    handedOff = true;
  }
  return end;
}

function rungsOnTime(view: View): string | null {
  const { world, life } = view;
  for (const [index, record] of life.rungs.entries()) {
    const rung = world.rules.ladder[record.rung];
    if (!rung) continue;
    const dueAt = rungEnds(view, record, rung);
    const nextAt = life.rungs[index + 1]?.at ?? Infinity;
    if (nextAt === dueAt) continue;
    const asked = words(life).some((word) => word.cannotAct && word.arrivedAt === nextAt);
    if (nextAt < dueAt && !asked) return `rung ${record.rung + 1} begins at ${nextAt}, due at ${dueAt}`;
    if (nextAt < dueAt || dueAt >= life.endedAt || answeredAtInstant(life, dueAt)) continue;
    return `rung ${record.rung + 1} begins at ${nextAt}, but was due at ${dueAt}`;
  }
  return null;
}

function helpAtOnce({ world, life }: View): string | null {
  for (const { at, to } of life.turns) {
    const opened = life.rungs[0] !== undefined && life.rungs[0].at < at;
    if (to !== 'reopened' || !opened) continue;
    const past = life.rungs.some((record) => record.rung >= world.rules.ladder.length && record.at <= at);
    if (!past && !life.rungs.some((record) => record.at === at)) return `no rung begins at ${at}`;
  }
  return null;
}

function opensOnTime({ history, world, place, life, last }: View): string | null {
  const { openedAt } = last;
  const wait = world.rules.descendWaitMs[place.tier];
  const heardAt = Math.min(Infinity, ...words(life).map((word) => word.arrivedAt));
  const dueAt =
    openedAt === null
      ? Infinity
      : Math.min(
          done(world, openedAt + (wait ?? 0)),
          Math.max(openedAt, heardAt),
          last.bridgedAt ?? Infinity,
        );
  for (const subordinate of place.subordinates) {
    const expected = dueAt < life.endedAt ? dueAt : null;
    const found = lifeOf(history, subordinate).last?.openedAt ?? null;
    if (found !== expected) return `subordinate ${subordinate} opened at ${found}, not at ${expected}`;
  }
  return null;
}

/** The nearest unit above that is not passed by a bridge; the topmost where all are. */
function reportingTo({ history, world }: View, place: Place): UnitId | null {
  let above = place.superiorId;
  while (above !== null && lifeOf(history, above).last?.bridgedAt != null) {
    const next = world.places.get(above)?.superiorId ?? null;
    if (next === null) return above;
    above = next;
  }
  return above;
}

function reportsPastSilence(view: View): string | null {
  const { history, place, last } = view;
  if (last.bridgedAt !== null) {
    for (const subordinate of place.subordinates) {
      const opened = lifeOf(history, subordinate).last?.openedAt ?? null;
      if (opened === null || opened > last.bridgedAt) return `bridged, but ${subordinate} is not open`;
    }
  }
  if (last.openedAt === null) return null;
  const reports = last.reportsTo ?? last.superiorId;
  const expected = reportingTo(view, place);
  return reports === expected ? null : `reports to ${reports}, not to ${expected}`;
}

function superiorHears(view: View): string | null {
  const { world, place, life, last } = view;
  if (place.superiorId === null) return null;
  for (const { rung, at } of life.rungs) {
    const step = world.rules.ladder[rung];
    if (!step?.tellSuperior && !step?.bridge) continue;
    if (!life.tells.some((tell) => tell.kind === 'subordinate silent' && tell.at <= at)) {
      return `nobody above was told at rung ${rung}`;
    }
  }
  const silent = life.tells.some((tell) => tell.kind === 'subordinate silent');
  const trouble = last.status !== 'answered' && (silent || last.cannotActAt !== null);
  const to = reportingTo(view, place);
  const heard = life.tells.some((tell) => tell.to === to && tell.kind !== 'subordinate concluded');
  return trouble && !heard ? `in trouble, but ${to} was never told` : null;
}

function digestsOnTime({ world, place, life, last }: View): string | null {
  const { regular, windowMs, urgentWindowMs } = world.rules.digest;
  const digests = life.sends.filter(({ send }) => send.kind === 'digest').map(({ at }) => at);
  const windows = life.troubles.map(({ at, kind }) => {
    const window = kind === 'subordinate cannot act' ? urgentWindowMs : windowMs;
    const until = (before: number) => done(world, at + window * 2 ** Math.max(0, before + 1 - regular));
    // Of trouble and a digest of the same instant either may have come first.
    const earliest = until(digests.filter((digest) => digest < at).length);
    return { at, earliest, until: until(digests.filter((digest) => digest <= at).length) };
  });
  for (const [index, at] of digests.entries()) {
    const since = digests[index - 1] ?? 0;
    if (!windows.some((window) => window.at >= since && window.earliest <= at))
      return `digest ${index} at ${at} is early`;
  }
  // Once those below report past this unit, their trouble stands in another's digest.
  const heardUntil = Math.min(
    life.endedAt,
    place.superiorId === null ? Infinity : (last.bridgedAt ?? Infinity),
  );
  if (digests.some((at) => at > heardUntil)) return 'a digest although nobody reports here any more';
  for (const { at, until } of windows) {
    if (at >= heardUntil || until >= heardUntil) continue;
    if (digests.some((digest) => digest >= at && digest <= until)) continue;
    return `trouble at ${at} is in no digest until ${until}`;
  }
  return null;
}

function sendsBounded({ world, life }: View): string | null {
  const { ladder, digest } = world.rules;
  const keys = life.sends.map(({ send }) => keyOf(send));
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) return `two sends are ${twice}`;
  // Windows double past the regular digests: as many more as doublings fit into the warning's life.
  const shortest = Math.min(digest.windowMs, digest.urgentWindowMs);
  const digestsMost = digest.regular + Math.ceil(Math.log2((world.expiresAt - START_AT) / shortest)) + 1;
  const limit = ladder.length + TIERS.length + digestsMost + 2 + (world.rules.done?.remindersMost ?? 0);
  if (keys.filter((key) => key.startsWith('digest')).length > digestsMost)
    return 'more digests than the rules allow';
  return keys.length <= limit ? null : `${keys.length} sends, the limit is ${limit}`;
}

function tellsBounded({ life }: View): string | null {
  const seen = new Set<string>();
  for (const { to, kind } of life.tells) {
    if (seen.has(`${to} ${kind}`)) return `tells ${to} twice: ${kind}`;
    seen.add(`${to} ${kind}`);
  }
  return null;
}

function wordsKept({ life, last }: View): string | null {
  const before = words(life).filter((word) => word.arrivedAt < life.endedAt);
  const answered = standsAnswered(before);
  if (answered !== (last.status === 'answered'))
    return `is ${last.status} at the end, by its words answered: ${answered}`;
  const first = (times: Instant[]) => (times.length > 0 ? Math.min(...times) : null);
  const answeredAt = first(
    words(life)
      .filter((word) => !word.cannotAct)
      .map((word) => word.at),
  );
  if (life.final?.answeredAt !== answeredAt)
    return `answered at ${life.final?.answeredAt}, not at ${answeredAt}`;
  const cannotActAt = first(
    words(life)
      .filter((word) => word.cannotAct)
      .map((word) => word.at),
  );
  if (life.final?.cannotActAt !== cannotActAt)
    return `cannot act at ${life.final?.cannotActAt}, not ${cannotActAt}`;
  const toldAt = first(
    life.arrivals.flatMap(({ message }) => (message.kind === 'handed off' ? [message.at] : [])),
  );
  return life.final?.toldAt === toldAt ? null : `told at ${life.final?.toldAt}, not at ${toldAt}`;
}

function concludes({ history, place, life, last }: View): string | null {
  const below = place.subordinates.map(
    (unitId) => lifeOf(history, unitId).tells.find(isConclusion)?.at ?? Infinity,
  );
  const completeAt = Math.max(0, ...below);
  const answeredAt = answeredAtInstant(life, completeAt)
    ? completeAt
    : Math.min(
        Infinity,
        ...life.turns.filter(({ at, to }) => at >= completeAt && to === 'answered').map(({ at }) => at),
      );
  const expected = answeredAt < life.endedAt;
  // Answered and reopened in the instant in which those below concluded: either is right.
  const both = life.turns.some(({ at, to }) => at === answeredAt && at === completeAt && to === 'reopened');
  if (both) return null;
  return last.concluded === expected ? null : `concluded: ${last.concluded}, expected: ${expected}`;
}

function isConclusion({ kind }: { kind: string }): boolean {
  return kind === 'subordinate concluded';
}

/** Reminders and the superior's word of the second stage: none too many, none too soon, none missing. */
function doneInTime({ world, life, place }: View): string | null {
  const { done: stage } = world.rules;
  const reminders = life.sends.filter(({ send }) => send.kind === 'done reminder').map(({ at }) => at);
  const overdue = life.tells.filter(({ kind }) => kind === 'subordinate overdue').map(({ at }) => at);
  if (!stage?.tiers.includes(place.tier))
    return reminders.length + overdue.length > 0 ? 'a reminder that no rule asks for' : null;
  if (reminders.length > stage.remindersMost) return `${reminders.length} reminders`;
  const spoken = words(life).filter(({ arrivedAt }) => arrivedAt < life.endedAt);
  const doneAt = Math.min(Infinity, ...spoken.filter(({ done }) => done).map(({ arrivedAt }) => arrivedAt));
  const all = [...reminders, ...overdue];
  for (const [index, at] of all.entries()) {
    if (at > doneAt) return `reminded at ${at}, done at ${doneAt}`;
    if (!answeredAtInstant(life, at)) return `reminded at ${at}, and nothing was received`;
    if (index > 0 && at < (all[index - 1] ?? 0) + stage.againMs) return `reminded too soon at ${at}`;
  }
  if (doneAt < Infinity || spoken.length === 0 || spoken.some(({ cannotAct }) => cannotAct)) return null;
  const arrivedAt = Math.min(...spoken.map((word) => word.arrivedAt));
  // Of a word for the superseded warning the second stage runs from when it came here.
  let dueAt = Math.min(...spoken.map((word) => (word.carried ? word.arrivedAt : word.at))) + stage.withinMs;
  for (let nth = 0; nth <= stage.remindersMost; nth++) {
    dueAt = done(world, Math.max(dueAt, arrivedAt));
    if (dueAt >= life.endedAt) return null;
    const found = nth < stage.remindersMost ? reminders[nth] : place.superiorId === null ? dueAt : overdue[0];
    if (found !== dueAt) return `reminder ${nth} at ${found}, due at ${dueAt}`;
    dueAt += stage.againMs;
  }
  return null;
}

/** Where nobody said that it cannot be done: then the ladder does not start, and the change is told at the opening, or when the word came. */
function changeNoticed({ life, last }: View): string | null {
  const notices = life.sends.filter(({ send }) => send.kind === 'change notice').map(({ at }) => at);
  const spoken = words(life).filter(({ arrivedAt }) => arrivedAt < life.endedAt);
  const carried = spoken.filter((word) => word.carried).map(({ arrivedAt }) => arrivedAt);
  if (notices.length > 1) return `${notices.length} change notices`;
  if (carried.length === 0) return notices.length > 0 ? 'a change notice, and no answer was carried' : null;
  if (spoken.some(({ cannotAct }) => cannotAct) || last.openedAt === null || last.openedAt >= life.endedAt)
    return null;
  const cameAt = Math.min(...carried);
  const dueAt = Math.max(last.openedAt, cameAt);
  const rungs = life.sends.filter(({ send, at }) => send.kind === 'rung' && at >= cameAt);
  if (cameAt <= last.openedAt && rungs.length > 0) return 'its ladder starts although its answer was carried';
  const toldAt = Math.min(
    Infinity,
    ...life.arrivals.flatMap(({ at, message }) => (message.kind === 'handed off' ? [at] : [])),
  );
  if (toldAt === dueAt) return null;
  const expected = toldAt > dueAt;
  if (notices.length !== Number(expected))
    return `${notices.length} change notices, expected ${Number(expected)}`;
  return expected && notices[0] !== dueAt ? `change told at ${notices[0]}, due at ${dueAt}` : null;
}

function endReportOnce({ world, place, life, last }: View): string | null {
  const { tiers, afterMs } = world.rules.endReport;
  const reports = life.sends.filter(({ send }) => send.kind === 'end report');
  const dueAt = last.openedAt === null ? Infinity : done(world, last.openedAt + afterMs);
  const expected = tiers.includes(place.tier) && (last.concluded || dueAt < life.endedAt);
  if (reports.length !== Number(expected))
    return `${reports.length} end reports, expected ${Number(expected)}`;
  const at = reports[0]?.at;
  if (at === undefined || at === dueAt || (at < dueAt && last.concluded)) return null;
  return `end report at ${at}, due at ${dueAt}`;
}
