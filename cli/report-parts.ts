/** What a report says in words and figures, the same on a terminal and on a page. Pure. */
import type { ChannelTally } from '../domain/drill-people.ts';
import type { DrillReport, Interruption, WarningReport } from '../domain/drill-report.ts';
import { hazardTitle } from '../domain/drill-report.ts';
import { SCORED_MINUTES } from '../domain/drill-score.ts';
import type { Verdict } from '../domain/rehearsal/expectations.ts';
import { writeSpan } from '../domain/scenario.ts';
import { TIERS } from '../domain/tiers.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { Context } from './context.ts';
import { levelName } from './shapes.ts';
import { span } from './times.ts';
import { harmless } from './width.ts';

export type Words = Pick<Context, 'say' | 'lang'>;

/** What kind of thing it is, and how far it can be believed: never left out. */
export function sourceWords({ source }: DrillReport, { say }: Words): string[] {
  switch (source.kind) {
    case 'rehearsal':
      return [
        say('report.rehearsal', { seed: source.seed }),
        ...(source.people === 'registered' ? [say('report.registered')] : []),
        ...(source.whatIfs.length > 0
          ? [say('report.whatIfs', { changes: harmless(source.whatIfs.join('; ')) })]
          : []),
      ];
    case 'warning': {
      const { id, of, speed } = source;
      if (of === 'actual') return [say('report.actual', { id })];
      return [say(speed === 1 ? 'report.exerciseAtLife' : 'report.exercise', { id, speed })];
    }
    case 'drill':
      return [
        say('report.drill', { ...source, ended: '' }),
        ...(source.people > 0 ? [say('report.withPeople', { people: source.people })] : []),
        ...(source.ended === 'stopped' ? [say('report.stopped')] : []),
        ...(source.ended === null ? [say('report.running')] : []),
      ];
    default:
      return source satisfies never;
  }
}

/** `red-1  rainstorm, red  +0m  expired after 8h` */
export function warningWords(warning: WarningReport, { say, lang }: Words): string {
  const { name, level, hazard, atMinute, lastsMinutes, end } = warning;
  return say('drill.warning', {
    name: harmless(name),
    level: [hazardTitle(hazard)[lang], levelName(level, lang)].map(harmless).join(lang === 'zh' ? '' : ', '),
    at: writeSpan(atMinute * MINUTE_MS),
    end: say(`end.${end}`),
    lasts: span(lastsMinutes * MINUTE_MS, lang),
  });
}

/** `silent` are all that had not answered at the end, whether a deadline had passed or not. */
export type Totals = Record<'units' | 'reached' | 'answered' | 'silent' | 'bridged' | 'messages', number> & {
  /** When it was looked, in minutes from the issue; where the warning ended earlier, at its end. */
  minutes: number;
  answeredPercent: number;
};

/** All tiers of a warning together. */
export function totalsOf(warning: WarningReport): Totals {
  const { minutes, tiers, bridges, messages } = warning;
  const place = minutes.findLastIndex((minute) => minute <= SCORED_MINUTES.answered);
  const sum = (of: (tier: WarningReport['tiers'][number]) => number) =>
    tiers.reduce((total, tier) => total + of(tier), 0);
  const units = sum((tier) => tier.units);
  const answered = sum((tier) => tier.answered);
  const soon = sum((tier) => tier.over[place]?.answered ?? 0);
  return {
    units,
    reached: sum((tier) => tier.over.at(-1)?.reached ?? 0),
    answered,
    silent: units - answered,
    bridged: bridges.length,
    messages: Object.values(messages).reduce((total, count) => total + count, 0),
    minutes: minutes[place] ?? 0,
    answeredPercent: units === 0 ? 0 : percentOf(soon, units),
  };
}

/** The one sentence that somebody reads who reads one. */
export function leadWords(warning: WarningReport, { say }: Words): string {
  const { units, minutes, answeredPercent: share, silent } = totalsOf(warning);
  const ended = warning.lastsMinutes < SCORED_MINUTES.answered;
  const values = { units: grouped(units), minutes: short(minutes), share, silent: grouped(silent) };
  return say(ended ? 'report.leadEnded' : 'report.lead', values);
}

/** Whether the machine was too slow stands before everything that suffers from it; the others are told at the end. */
export function interruptionsOf(
  { interruptions }: Pick<DrillReport, 'interruptions'>,
  which: 'behind' | 'others',
  words: Words,
): string[] {
  return interruptions
    .filter(({ kind }) => (kind === 'behind') === (which === 'behind'))
    .map((each) => interruptionWords(each, words));
}

export function interruptionWords({ kind, atMinute, seconds }: Interruption, { say, lang }: Words): string {
  return say(`report.interruption.${kind}`, { minute: short(atMinute), span: span(seconds * 1_000, lang) });
}

/** What is to be said of a unit that stayed silent: nobody there was reached, or somebody real was. */
export function silentNotes(
  unit: WarningReport['silentUnits'][number],
  real: WarningReport['real'],
  { say }: Pick<Words, 'say'>,
): string[] {
  const somebody = real?.units.some(({ key, told }) => key === unit.key && told > 0) ?? false;
  return [...(unit.told ? [] : [say('report.neverTold')]), ...(somebody ? [say('report.realThere')] : [])];
}

export function channelName(channel: ChannelTally['channel'], { say }: Words): string {
  return channel === null ? say('report.noMessage') : say(`tier.${channel}`);
}

/** First answers per hundred messages; null where no message went out by it. */
export function perHundred({ channel, answered, handedOff }: ChannelTally): number | null {
  return channel === null || handedOff === 0 ? null : percentOf(answered, handedOff);
}

export function wasWords({ was, measure }: Verdict, { say }: Words): string {
  if (was === null) return say('drill.never');
  return measure === 'percent' ? `${was} %` : measure === 'minutes' ? minutesWords(was) : String(was);
}

/** `before: 12`, with the colon of the language. */
export function labelled(label: string, value: string, { lang }: Words): string {
  return `${label}${lang === 'zh' ? '：' : ': '}${value}`;
}

/** `12.5 min`; a dash where it never was. */
export function minutesWords(value: number | null): string {
  return value === null ? '–' : `${short(value)} min`;
}

/** `12,340`, the same on every machine. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** At most one decimal, and none where it is nothing. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** Per cent with one decimal; never 100 where one is missing, never 0 where there is one. */
export function percentOf(count: number, of: number): number {
  if (of === 0) return 0;
  const percent = Math.round((1_000 * count) / of) / 10;
  if (percent === 100 && count < of) return 99.9;
  return percent === 0 && count > 0 ? 0.1 : percent;
}

/** A tier that the product does not know keeps its own word: a report file may come from elsewhere. */
export function tierWord(id: string, { lang }: Words): string {
  return TIERS.find((tier) => tier.id === id)?.[lang] ?? harmless(id);
}
