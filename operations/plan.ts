/** What a warning would do if it were issued now: whom it tells and how, whom it cannot tell, how long, by when. */
import { SegmentedMessage } from 'sms-segments-calculator';
import { capabilities } from '../capabilities.ts';
import type { Database } from '../db/database.ts';
import {
  countPeopleConcerned,
  readHouseholdReach,
  readLongestName,
  readPeopleWithoutAnswer,
  readTierReach,
  readUnreachedUnits,
  type PersonWithoutAnswer,
  type RungReach,
  type TierReach,
  type UnreachedUnit,
} from '../db/plan.ts';
import { answerRules, type AnswerRule } from '../domain/capabilities.ts';
import type { Forecast } from '../domain/capacity.ts';
import { perChannel, type Rules } from '../domain/rules.ts';
import { inParts, render, type Language } from '../domain/texts.ts';
import { TIERS } from '../domain/tiers.ts';
import { forecastWarning } from './capacity.ts';
import { prepareWarning, type PreparedWarning, type WarningRequest } from './warnings.ts';

/** One message as it would leave, for the unit with the longest name; `parts` are what the operator bills. */
export type PlannedText = {
  language: Language;
  purpose: 'rung' | 'household';
  text: string;
  characters: number;
  encoding: string;
  parts: number;
};

/** Times from the hand-off of the first message, in milliseconds. Null where the rules have no such step. */
export type FirstDeadlines = {
  /** Who has not answered by then gets the next rung. */
  answerMs: number;
  rungs: { name: string; afterMs: number }[];
  /** The superior of a silent unit hears of it, by digest. */
  superiorHearsMs: number | null;
  /** Those below a silent unit report past it. */
  bridgeMs: number | null;
  /** The superior of a unit that cannot act hears of it. */
  cannotActHearsMs: number;
};

export type WarningPlan = {
  kind: 'exercise' | 'actual';
  warning: PreparedWarning;
  /** Six rows, top down; units are households in the last, which have no people and are told once. */
  tiers: TierReach[];
  /** People told, each once, whatever posts they hold. */
  people: number;
  unreachable: { total: number; units: UnreachedUnit[] };
  /** Refused, by name and reason: whatever they are sent, no answer of theirs could come back. */
  cannotAnswer: { total: number; people: PersonWithoutAnswer[] };
  texts: PlannedText[];
  deadlines: FirstDeadlines;
  /** When each tier will have been told, and what cannot be met. */
  forecast: Forecast;
};

const UNREACHABLE_LISTED_MOST = 20;
const CANNOT_ANSWER_LISTED_MOST = 20;
/** Above any deputy's rank, as in `activities/step.ts`. */
const RANK_MAX = 32_767;
/** Stands for the recipient's four digits. */
const SAMPLE_NUMBER = '0000';
/** Stands for the number of the warning. */
const SAMPLE_WARNING_ID = 0;

/**
 * The plan of a warning. Refuses what `issueWarning` refuses; nothing is written. `senders` are those that are configured, by their
 * ids: what can be answered depends on who carries the message.
 */
export async function planWarning(
  database: Database,
  request: WarningRequest,
  senders: readonly string[] = [],
): Promise<WarningPlan> {
  const warning = await prepareWarning(database, request);
  const { areaIds, rules } = warning;
  const kind = request.actual === true ? 'actual' : 'exercise';
  const rungs = rungReach(rules);
  const [tiers, households, people, units, cannotAnswer, name] = await Promise.all([
    readTierReach(database, areaIds, rungs),
    readHouseholdReach(database, areaIds, rules.households.by),
    countPeopleConcerned(database, areaIds),
    readUnreachedUnits(database, { areaIds, rungs, most: UNREACHABLE_LISTED_MOST }),
    refusedPeople(database, { areaIds, rules, senders }),
    readLongestName(database, areaIds),
  ]);
  const texts = plannedTexts(warning, name, kind);
  const forecast = await forecastWarning(database, {
    kind,
    areaIds,
    rules,
    rungs,
    households,
    lastsMs: warning.lastsMs,
    speed: warning.speed,
    smsParts: Math.max(...texts.map(({ parts }) => parts)),
    senders,
  });
  return {
    kind,
    warning,
    tiers: TIERS.map(({ id, role }) => {
      if (role === 'told')
        return { tier: id, people: 0, first: households.units - households.unreachable, ...households };
      return tiers.find(({ tier }) => tier === id) ?? emptyTier(id);
    }),
    people,
    unreachable: { total: tiers.reduce((sum, { unreachable }) => sum + unreachable, 0), units },
    cannotAnswer,
    texts,
    deadlines: firstDeadlines(rules),
    forecast,
  };
}

/**
 * The people a plan refuses, by name and reason: whatever they are sent, no answer of theirs could come back. A warning goes to them all
 * the same, and to everybody else: it is never held back because one person has no telephone.
 */
export async function findPeopleWithoutAnswer(
  database: Database,
  request: WarningRequest,
  senders: readonly string[],
): Promise<WarningPlan['cannotAnswer']> {
  const { areaIds, rules } = await prepareWarning(database, request);
  return refusedPeople(database, { areaIds, rules, senders });
}

function refusedPeople(
  database: Database,
  { areaIds, rules, senders }: { areaIds: readonly number[]; rules: Rules; senders: readonly string[] },
): Promise<WarningPlan['cannotAnswer']> {
  return readPeopleWithoutAnswer(database, {
    areaIds,
    rungs: rungReach(rules),
    answers: answersOf(senders),
    most: CANNOT_ANSWER_LISTED_MOST,
  });
}

/**
 * Where answers can come back from. A channel that nobody has configured here is judged by all senders there are for it: the plan
 * may be made on another machine than the one that sends.
 */
export function answersOf(senders: readonly string[]): AnswerRule[] {
  const known = capabilities();
  const channelOf = (id: string) => known.senders[id]?.channel;
  const configured = new Set(senders.map(channelOf));
  const others = Object.keys(known.senders).filter((id) => !configured.has(channelOf(id)));
  return answerRules(known, [...senders, ...others]);
}

/** When the first things happen to a unit that stays silent, by the rules alone. */
export function firstDeadlines(rules: Rules): FirstDeadlines {
  let afterMs = 0;
  const starts = rules.ladder.map((rung) => {
    const start = { ...rung, afterMs };
    afterMs += rung.waitMs;
    return start;
  });
  const told = starts.find(({ tellSuperior, bridge }) => tellSuperior || bridge);
  return {
    answerMs: rules.ladder[0]?.waitMs ?? 0,
    rungs: starts.map(({ name, afterMs }) => ({ name, afterMs })),
    superiorHearsMs: told ? told.afterMs + rules.digest.windowMs : null,
    bridgeMs: starts.find(({ bridge }) => bridge)?.afterMs ?? null,
    cannotActHearsMs: rules.digest.urgentWindowMs,
  };
}

/** The SMS of the first rung and of a household, in both languages, with what they cost. The gateway's signature comes on top. */
export function plannedTexts(
  warning: Pick<PreparedWarning, 'hazard' | 'level' | 'issuer' | 'textZh' | 'textEn'>,
  unit: string,
  kind: 'exercise' | 'actual' = 'exercise',
): PlannedText[] {
  const facts = {
    warningId: SAMPLE_WARNING_ID,
    kind,
    hazard: warning.hazard.code,
    level: warning.level.id,
    issuer: warning.issuer,
    textZh: warning.textZh,
    textEn: warning.textEn,
  };
  return (['zh', 'en'] as const).flatMap((language) =>
    (['rung', 'household'] as const).map((purpose) => {
      const rendered = render(facts, {
        purpose,
        language,
        units: [unit],
        number: SAMPLE_NUMBER,
        link: null,
        bridge: null,
        digest: null,
        report: null,
      });
      const text = inParts(facts, language, rendered.text);
      const message = new SegmentedMessage(text);
      return {
        language,
        purpose,
        text,
        characters: message.numberOfCharacters,
        encoding: message.getEncodingName(),
        parts: message.segmentsCount,
      };
    }),
  );
}

function rungReach(rules: Rules): RungReach[] {
  return rules.ladder.flatMap(({ who, by }, rung) => {
    if (who === 'nobody') return [];
    const [rankFrom, rankTo] = { principal: [0, 0], deputies: [1, RANK_MAX], everyone: [0, RANK_MAX] }[
      who
    ] as [number, number];
    return by.map((channel) => ({ rung, rankFrom, rankTo, channel }));
  });
}

function emptyTier(tier: string): TierReach {
  return { tier, units: 0, unreachable: 0, people: 0, first: 0, ...perChannel(() => 0) };
}
