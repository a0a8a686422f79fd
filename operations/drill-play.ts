/** Playing a drill: its events when they are due, its clock over gaps, its end. Everything here happens in the drill's own schema. */
import { setTimeout as sleep } from 'node:timers/promises';
import { carryAnswers } from '../db/chains.ts';
import { isUnreachable, type Database, type Sql } from '../db/database.ts';
import {
  endLeases,
  forgetOutages,
  forgetPause,
  insertGap,
  insertScene,
  lastSign,
  moveDuties,
  moveExpiry,
  readBustle,
  readGaps,
  readNow,
  readScenes,
  type Bustle,
  type Scene,
} from '../db/drills.ts';
import { beat } from '../db/liveness.ts';
import { allowLongWork } from '../db/organisation-lock.ts';
import { beginPause, lockOpenCells, moveTimers } from '../db/pauses.ts';
import { readWarning } from '../db/warnings.ts';
import { quietHoursAt, wallAt, type DrillClock, type Gap } from '../domain/drill-clock.ts';
import { FenghuoError } from '../domain/errors.ts';
import { findHazard } from '../domain/hazards.ts';
import type { LevelId } from '../domain/levels.ts';
import { resolveRules, type Rules } from '../domain/rules.ts';
import { storyOf, type StoryWarning } from '../domain/scenario-story.ts';
import { spanMs, type TimelineEvent } from '../domain/scenario.ts';
import { standardText } from '../domain/texts.ts';
import { MINUTE_MS, type Instant } from '../domain/time.ts';
import type { Drill } from './drills.ts';
import { findUnits } from './organisation-find.ts';
import { publishWarning } from './publish.ts';
import { endByCancel, prepareUpdate, updateWarning } from './updates.ts';

/** The conductor's sign of life in the drill's schema: where a gap begins, should it be killed. */
const CONDUCTOR_SIGN = 'conductor';

/** What those who were told hear when somebody stops a drill. The marks of an Exercise stand around it. */
const IT_IS_OVER = {
  textZh: '演练已停止。此前收到的演练信息不再有效,请停止一切演练行动。',
  textEn: 'The drill was stopped. Its earlier messages no longer apply: end whatever you do because of them.',
} as const;

/** What a drill needs to be played. */
export type Stage = {
  /** Opened as the drill's own role. */
  own: Database;
  drill: Drill;
  /** Who issues its warnings. */
  issuer: string;
};

/** The drill's clock as it stands; null before its story began. */
export async function clockOf(own: Sql, drill: Drill): Promise<DrillClock | null> {
  if (drill.startedAt === null) return null;
  return {
    startAt: drill.startedAt,
    storyStartAt: Date.parse(drill.scenario.startsAt),
    speed: drill.speed,
    gaps: await readGaps(own),
  };
}

/** Whoever conducts the drill is there: should that end, a gap begins here. */
export async function showConductor(own: Sql): Promise<void> {
  await beat(own, CONDUCTOR_SIGN);
}

// ── gaps ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Since when nobody has conducted a drill whose story had begun. */
export async function deadSince(own: Sql, clock: DrillClock): Promise<Instant> {
  const sign = (await lastSign(own, CONDUCTOR_SIGN)) ?? 0;
  return Math.max(sign, clock.startAt, clock.gaps.at(-1)?.until ?? 0);
}

/**
 * Lets nothing go on, while processes end or begin: no page is claimed and no timer of a unit is due, as in a pause, and no warning
 * expires. Done again it changes nothing; `goOn` ends it.
 */
export async function holdStill(own: Database): Promise<void> {
  await own.transaction(async (sql) => {
    await allowLongWork(sql);
    await lockOpenCells(sql);
    if (await beginPause(sql, HOLD)) await moveExpiry(sql, HELD_MS);
  });
}

/**
 * Writes a gap down, and lets everything go on: timers and expiry are moved by its length, scenes follow from the clock. All that
 * happens within the gap counts as at its beginning. Whoever sent before it must be gone: what they had in hand is anybody's now.
 */
export async function goOn(own: Database, gap: Gap): Promise<void> {
  await own.transaction(async (sql) => {
    await allowLongWork(sql);
    await lockOpenCells(sql);
    await insertGap(sql, gap);
    await moveTimers(sql, { since: gap.from, until: gap.until });
    await moveExpiry(sql, gap.until - gap.from - HELD_MS);
    await moveDuties(sql, gap);
    await endLeases(sql);
    await forgetPause(sql);
    // The gap is all that deadlines are extended by: no outage of answer intake beside it.
    await forgetOutages(sql, gap.from);
  });
}

/** Said of the pause while a drill is held. */
const HOLD = { by: 'drill', reason: 'nobody conducts it' };

/** Longer than any drill is left alone. */
const HELD_MS = 36_500 * 24 * 60 * MINUTE_MS;

// ── scenes ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Plays one event of the timeline, once: it and the line that says so are one transaction. Gives back its warning. */
export async function playScene(stage: Stage, event: number, clock: DrillClock): Promise<number> {
  const entry = stage.drill.scenario.timeline[event];
  if (!entry) throw new RangeError(`the timeline has no event ${event}`);
  return stage.own.transaction(async (sql) => {
    const scenes = await readScenes(sql);
    const played = scenes.find((scene) => scene.event === event);
    if (played) return played.warningId;
    const at = { sql, clock, scenes, event, now: await readNow(sql) };
    const warningId = await act(stage, entry, at);
    await insertScene(sql, event, warningId);
    return warningId;
  });
}

type Moment = { sql: Sql; clock: DrillClock; scenes: readonly Scene[]; event: number; now: Instant };

async function act(stage: Stage, entry: TimelineEvent, moment: Moment): Promise<number> {
  if (entry.warning) return issue(stage, entry.warning, moment);
  if (entry.update) return update(stage, entry.update, moment);
  const { of, reason, ...texts } = entry.cancel ?? entry.retract ?? {};
  const warningId = warningOf(stage, moment, of);
  await endOnce(moment.sql, warningId, {
    reason: reason ?? null,
    retracted: entry.retract !== undefined,
    ...texts,
  });
  return warningId;
}

async function issue(
  stage: Stage,
  said: NonNullable<TimelineEvent['warning']>,
  moment: Moment,
): Promise<number> {
  const { drill, issuer } = stage;
  const { sql, now } = moment;
  const hazard = findHazard(said.hazard)?.code ?? said.hazard;
  const { level, where, expires } = said;
  const units = [];
  for (const place of where) units.push(await findUnits(sql, place));
  const wording = { issuer, hazard, level, areas: units.map(({ name }) => name), issuedAt: now };
  return publishWarning(sql, drill.pack, {
    ...{ kind: 'exercise', hazard, level, issuer, speed: drill.speed },
    areaIds: [...new Set(units.map(({ id }) => id))],
    textZh: said.textZh ?? standardText('zh', wording),
    textEn: said.textEn ?? standardText('en', wording),
    lastsMs: Math.max(1, Math.round(spanMs(expires) / drill.speed)) + graceMs(stage, moment.event),
    rules: rulesAt(drill, level, moment),
  });
}

/**
 * The update that the story tells. One that comes so late that what it updates has run out is an update all the same, so that answers
 * stand and the same people are asked as in the story: only its end is not said again.
 */
async function update(
  stage: Stage,
  said: NonNullable<TimelineEvent['update']>,
  moment: Moment,
): Promise<number> {
  const { drill } = stage;
  const { sql, now, event } = moment;
  const { of, where, expires, level, textZh, textEn } = said;
  const supersedesId = warningOf(stage, moment, of);
  const before = await readWarning(sql, supersedesId);
  if (!before) throw new RangeError(`W${supersedesId} is gone`);
  const lastsMs = expires === undefined ? undefined : spanMs(expires);
  const updatable = {
    ...before,
    status: 'open' as const,
    expiresAt: Math.max(before.expiresAt, now + MINUTE_MS),
  };
  const { pack, warning, asking } = await prepareUpdate(sql, updatable, {
    ...(level && { level }),
    ...(where && { areas: where }),
    ...(textZh !== undefined && { textZh }),
    ...(textEn !== undefined && { textEn }),
    ...(lastsMs !== undefined && { expires: `+${Math.ceil(lastsMs / MINUTE_MS)}m` }),
  });
  const endsAt = lastsMs === undefined ? before.expiresAt - LATE_MOST_MS : now + lastsMs / drill.speed;
  const updated = {
    ...warning,
    // What is left of its time may be nothing: it lasts a moment then, from when it is written down.
    ...{ expiresAt: null, lastsMs: Math.max(1, endsAt - now) + graceMs(stage, event) },
    rules: rulesAt(drill, warning.level, moment),
  };
  if (before.status === 'open' && before.expiresAt > now)
    return updateWarning(sql, pack, supersedesId, updated);
  const warningId = await publishWarning(sql, pack, { ...updated, supersedesId, asksAgain: asking.again });
  await carryAnswers(sql, supersedesId, {});
  return warningId;
}

/**
 * A busy machine may be so late with an event, in real time. A warning that an event of the story ends does not run out by itself
 * before that, however near the two lie in the story; in a rehearsal it never does.
 */
export const LATE_MOST_MS = 30_000;

/** By how much the warning of an event outlives its time. */
function graceMs({ drill }: Stage, event: number): number {
  const told = storyOf(drill.scenario).warnings.find((warning) => warning.event === event);
  return told === undefined || told.end === 'expired' ? 0 : LATE_MOST_MS;
}

/** The level's rules at the drill's speed, with the night where the story has it. */
function rulesAt({ pack, speed }: Drill, level: LevelId, { clock, now }: Moment): Rules {
  const rules = resolveRules(pack, level, speed);
  const { quietHours } = rules;
  return quietHours ? { ...rules, quietHours: quietHoursAt(clock, quietHours, now) } : rules;
}

/** The warning that an event speaks of: by its name, else the one before. */
function warningOf({ drill }: Stage, { event, scenes }: Moment, name: string | undefined): number {
  const before = storyOf(drill.scenario).warnings.filter((warning) => warning.event < event);
  const meant: StoryWarning | undefined =
    name === undefined ? before.at(-1) : before.find((warning) => warning.name === name);
  const scene = scenes.find((played) => played.event === meant?.event);
  if (!scene) throw new RangeError(`event ${event} speaks of a warning that was not issued`);
  return scene.warningId;
}

/** Ends a warning; one that has ended by its time meanwhile stays as it is. */
async function endOnce(sql: Sql, warningId: number, how: Parameters<typeof endByCancel>[2]): Promise<void> {
  try {
    await endByCancel(sql, warningId, how);
  } catch (error) {
    if (!(error instanceof FenghuoError && error.code === 'not-open')) throw error;
  }
}

// ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────

/** `lost`: somebody else may conduct it by now. */
export type Outcome = 'ended' | 'stopped' | 'interrupted' | 'lost';

export type Progress = {
  now: Instant;
  clock: DrillClock;
  bustle: Bustle;
  /** Warnings issued so far, in their order. */
  warningIds: number[];
  /** When, by our clock, the next event is due; null where all have been played. */
  nextAt: Instant | null;
  stopping: boolean;
};

export type PlayInput = Stage & {
  clock: DrillClock;
  /** Whether somebody has asked for its end, and why. */
  stopWish: () => Promise<{ reason: string | null } | null>;
  /** Whether we still are the only conductor. */
  still: () => Promise<boolean>;
  /** Whether all processes of the drill live. */
  whole: () => boolean;
  signal: AbortSignal;
  show: (progress: Progress) => Promise<void>;
};

const TICK_MS = 250;

/**
 * Plays what is due until the story is over, somebody stops it, or we are told to leave. Where one of the drill's processes has died it
 * is held still: a gap has begun with the conductor's last sign.
 */
export async function playStory(input: PlayInput): Promise<Outcome | 'process gone'> {
  const { signal } = input;
  while (!signal.aborted) {
    if (!(await input.still())) return 'lost';
    const outcome = await tick(input).catch((error: unknown) => {
      // The servers come back, or our lock is lost with them.
      if (isUnreachable(error)) return TICK_MS;
      throw error;
    });
    if (typeof outcome === 'string') return outcome;
    await sleep(outcome, undefined, { signal }).catch(() => undefined);
  }
  return 'interrupted';
}

/** One look: gives back the outcome, or the milliseconds to the next look. */
async function tick(input: PlayInput): Promise<Outcome | 'process gone' | number> {
  const { own, drill, clock, stopWish } = input;
  if (!input.whole()) {
    await holdStill(own);
    return 'process gone';
  }
  await showConductor(own);
  const wish = await stopWish();
  if (wish) await endAll(own, wish.reason);
  const now = await readNow(own);
  const due = drill.scenario.timeline.map(({ at }, event) => ({ event, at: wallAt(clock, spanMs(at)) }));
  const played = new Set((await readScenes(own)).map(({ event }) => event));
  const left = wish ? [] : due.filter(({ event }) => !played.has(event));
  const next = left.find(({ at }) => at > now);
  for (const { event, at } of left) if (at <= now) await playScene(input, event, clock);
  const bustle = await readBustle(own);
  const warningIds = [...new Set((await readScenes(own)).map(({ warningId }) => warningId))];
  await input.show({ now, clock, bustle, warningIds, nextAt: next?.at ?? null, stopping: wish !== null });
  const quiet = bustle.openWarnings.length === 0 && bustle.underWay === 0;
  if (quiet && !next) return wish ? 'stopped' : 'ended';
  return Math.max(0, Math.min(TICK_MS, (next?.at ?? Infinity) - now));
}

async function endAll(own: Database, reason: string | null): Promise<void> {
  const { openWarnings } = await readBustle(own);
  for (const warningId of openWarnings) {
    await own.transaction((sql) => endOnce(sql, warningId, { reason, retracted: false, ...IT_IS_OVER }));
  }
}
