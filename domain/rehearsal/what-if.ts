/**
 * What if: changes of a rehearsal that a planner can type, such as `down=sms@万州区` or `deputies=village+1`. Several are joined by
 * semicolons. Each changes the scenario, the people or the rules, and nothing else. Pure.
 */
import { CHANNELS, type Channel, type Rules } from '../rules.ts';
import type { Population, Scenario } from '../scenario.ts';
import { spanMs, writeSpan } from '../scenario.ts';
import { LEVELS, type LevelId } from '../levels.ts';
import { TIERS, type TierId } from '../tiers.ts';

/** Everything that a rehearsal is set up from. */
export type Setup = {
  scenario: Scenario;
  /** Deputies of the units of one tier, where they differ from the scenario's. */
  deputiesByTier: Readonly<Partial<Record<TierId, number>>>;
  /** Multiplies all delays of answers. */
  slower: number;
  adjustRules: (rules: Rules) => Rules;
};

export function setupOf(scenario: Scenario): Setup {
  return { scenario, deputiesByTier: {}, slower: 1, adjustRules: (rules) => rules };
}

/** A change that cannot be read; `expected` shows what could stand there. */
export class WhatIfFault extends Error {
  readonly expected: string;

  constructor(text: string, expected: string) {
    super(`"${text}" is no change of a rehearsal: ${expected}`);
    this.name = 'WhatIfFault';
    this.expected = expected;
  }
}

/** How each change is written, for help and for refusals. */
export const WHAT_IFS: Readonly<Record<string, string>> = {
  dark: 'dark=PLACE or dark=PLACE@+0m..+2h',
  down: 'down=CHANNEL, down=CHANNEL@PLACE or down=CHANNEL@+0m..+30m',
  deputies: 'deputies=+1 or deputies=TIER+1',
  silent: 'silent=TIER:20 or silent=PLACE:60 (per cent who never answer)',
  slower: 'slower=2 (answers take so many times as long)',
  level: 'level=orange',
  wait: 'wait=RUNG:3m (the name or number of a rung)',
  by: 'by=RUNG:sms+voice (channels of a rung)',
  end: 'end=+5m (the last cancel or retraction comes then)',
  earlier: 'earlier=2h (the warnings come so much before what fails)',
  rate: 'rate=CHANNEL:1000 (messages a second)',
  numbers: 'numbers=TIER:10 (per cent of addresses that do not work)',
};

/** Applies the changes of one text. Throws `WhatIfFault`. */
export function whatIf(setup: Setup, text: string): Setup {
  return text
    .split(/[;；]/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .reduce(applyOne, setup);
}

function applyOne(setup: Setup, text: string): Setup {
  const [word = '', ...rest] = text.split('=');
  const value = rest.join('=').trim();
  const change = CHANGES[word.trim()];
  if (!change) throw new WhatIfFault(text, Object.values(WHAT_IFS).join('; '));
  const changed = value === '' ? null : change(setup, value);
  if (!changed) throw new WhatIfFault(text, WHAT_IFS[word.trim()] ?? '');
  return changed;
}

const SPAN = /^(?=\d)(\d{1,3}h)?(\d{1,4}m)?(\d{1,5}s)?$/;

const CHANGES: Readonly<Record<string, (setup: Setup, value: string) => Setup | null>> = {
  dark: (setup, value) => {
    const [place = '', interval] = value.split('@');
    const times = intervalOf(interval);
    if (place === '' || !times) return null;
    const { failures } = setup.scenario;
    return withScenario(setup, {
      failures: { ...failures, dark: [...failures.dark, { where: [place], ...times }] },
    });
  },
  down: (setup, value) => {
    const [word = '', ...where] = value.split('@');
    const channel = channelOf(word);
    const interval = intervalOf(where.find((part) => part.startsWith('+')));
    const place = where.find((part) => !part.startsWith('+'));
    if (!channel || !interval) return null;
    const { failures } = setup.scenario;
    const outage = { channel, ...interval, ...(place === undefined ? {} : { where: [place] }) };
    return withScenario(setup, { failures: { ...failures, outages: [...failures.outages, outage] } });
  },
  deputies: (setup, value) => {
    const match = /^([a-z]*)\+(\d{1,2})$/.exec(value);
    if (!match) return null;
    const tiers =
      match[1] === '' ? TIERS.map(({ id }) => id) : TIERS.map(({ id }) => id).filter((id) => id === match[1]);
    if (tiers.length === 0) return null;
    const deputiesByTier = { ...setup.deputiesByTier };
    for (const tier of tiers)
      deputiesByTier[tier] = (deputiesByTier[tier] ?? setup.scenario.population.deputies) + Number(match[2]);
    return { ...setup, deputiesByTier };
  },
  silent: (setup, value) => withShare(setup, value, 'neverAnswers'),
  numbers: (setup, value) => withShare(setup, value, 'wrongNumbers'),
  slower: (setup, value) => {
    const factor = numberOf(value);
    return factor === null || factor <= 0 ? null : { ...setup, slower: setup.slower * factor };
  },
  level: (setup, value) => {
    const level = LEVELS.find(({ id }) => id === value)?.id;
    return level === undefined ? null : withLevel(setup, level);
  },
  wait: (setup, value) => {
    const [rung = '', span = ''] = value.split(':');
    if (!SPAN.test(span)) return null;
    return withRung(setup, rung, (each) => ({ ...each, waitMs: spanMs(span) }));
  },
  by: (setup, value) => {
    const [rung = '', words = ''] = value.split(':');
    const by = words.split('+').map(channelOf);
    if (by.length === 0 || by.includes(null)) return null;
    return withRung(setup, rung, (each) => ({ ...each, by: by as Channel[] }));
  },
  end: (setup, value) => {
    if (!value.startsWith('+') || !SPAN.test(value.slice(1))) return null;
    const { timeline } = setup.scenario;
    const last = timeline.findLastIndex(({ cancel, retract }) => cancel ?? retract);
    if (last < 0) return null;
    return withScenario(setup, {
      timeline: timeline.map((event, index) => (index === last ? { ...event, at: value } : event)),
    });
  },
  earlier: (setup, value) => {
    if (!SPAN.test(value)) return null;
    const later = <Times extends { from: string; to?: string | undefined }>(each: Times): Times => ({
      ...each,
      from: writeSpan(spanMs(each.from) + spanMs(value)),
      ...(each.to === undefined ? {} : { to: writeSpan(spanMs(each.to) + spanMs(value)) }),
    });
    const { dark, outages } = setup.scenario.failures;
    return withScenario(setup, { failures: { dark: dark.map(later), outages: outages.map(later) } });
  },
  rate: (setup, value) => {
    const [word = '', rate = ''] = value.split(':');
    const [channel, perSecond] = [channelOf(word), numberOf(rate)];
    if (!channel || perSecond === null || perSecond <= 0) return null;
    const { senders } = setup.scenario;
    const delaySeconds = senders[channel]?.delaySeconds ?? 1;
    return withScenario(setup, { senders: { ...senders, [channel]: { perSecond, delaySeconds } } });
  },
};

function withScenario(setup: Setup, change: Partial<Scenario>): Setup {
  return { ...setup, scenario: { ...setup.scenario, ...change } };
}

function withLevel(setup: Setup, level: LevelId): Setup {
  const timeline = setup.scenario.timeline.map((event) => ({
    ...event,
    ...(event.warning && { warning: { ...event.warning, level } }),
    ...(event.update && { update: { ...event.update, level } }),
  }));
  return withScenario(setup, { timeline });
}

/** A share of a tier's people, or of a place's. */
function withShare(setup: Setup, value: string, key: 'neverAnswers' | 'wrongNumbers'): Setup | null {
  const [who = '', share = ''] = value.split(':');
  const percent = numberOf(share);
  if (who === '' || percent === null || percent > 100) return null;
  const tier = TIERS.find(({ id }) => id === who)?.id;
  const entry = tier === undefined ? { where: [who], [key]: percent } : { tiers: [tier], [key]: percent };
  return withScenario(setup, { people: [...setup.scenario.people, entry] });
}

/** By name, or by its number from 1. A ladder that lacks the rung stays as it is. */
function withRung(
  setup: Setup,
  rung: string,
  change: (rung: Rules['ladder'][number]) => Rules['ladder'][number],
): Setup | null {
  if (rung === '') return null;
  const fits = (name: string, index: number) => name === rung || String(index + 1) === rung;
  const adjustRules = (rules: Rules): Rules => {
    const adjusted = setup.adjustRules(rules);
    return {
      ...adjusted,
      ladder: adjusted.ladder.map((each, index) => (fits(each.name, index) ? change(each) : each)),
    };
  };
  return { ...setup, adjustRules };
}

/** `+0m..+2h`; left out, the whole time. */
function intervalOf(text: string | undefined): { from: string; to?: string } | null {
  if (text === undefined) return { from: '+0m' };
  const match = /^(\+[\ddhms]+)\.\.(\+[\ddhms]+)?$/.exec(text);
  if (!match?.[1]) return null;
  return match[2] === undefined ? { from: match[1] } : { from: match[1], to: match[2] };
}

function channelOf(word: string): Channel | null {
  return CHANNELS.find((channel) => channel === word) ?? null;
}

function numberOf(text: string): number | null {
  return /^\d{1,7}(\.\d{1,3})?$/.test(text) ? Number(text) : null;
}

/** Deputies of a unit's tier. */
export function deputiesOf(setup: Setup, population: Population, tier: TierId): number {
  return setup.deputiesByTier[tier] ?? population.deputies;
}
