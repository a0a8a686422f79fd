/**
 * Rule packs: who is told, by which channels, how many minutes, what next. A pack is a YAML file in which every number
 * stands with its citation; what a warning uses is resolved to plain milliseconds and frozen into it at issue.
 */
import { z } from 'zod';
import { LEVELS, type LevelId } from './levels.ts';
import type { QuietHours } from './quiet-hours.ts';
import type { TierId } from './tiers.ts';
import { MINUTE_MS } from './time.ts';

/** By what a message travels; who carries it is a sender, and a channel may have several. */
export const CHANNELS = ['sms', 'voice', 'email', 'loudspeaker', 'chat', 'push'] as const;
export type Channel = (typeof CHANNELS)[number];

/** Something for each channel. */
export function perChannel<T>(of: (channel: Channel) => T): Record<Channel, T> {
  return Object.fromEntries(CHANNELS.map((channel) => [channel, of(channel)])) as Record<Channel, T>;
}

/** A number and where it was found; `choice` names a product choice that has no source. */
const cited = z.strictObject({ value: z.number().nonnegative(), source: z.string() });

const channels = z.array(z.enum(CHANNELS)).nonempty();

/** A time of day. Kept as it is written, so that a pack that was read can be written again. */
const clockTime = z.strictObject({
  value: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day like 22:00'),
  source: z.string(),
});

const rungSchema = z.strictObject({
  name: z.string(),
  /** Whom this rung sends to; `nobody` where it only tells the superior or bridges. */
  who: z.enum(['principal', 'deputies', 'everyone', 'nobody']),
  by: z.array(z.enum(CHANNELS)).default([]),
  waitMinutes: cited,
  /** So many times in a row, such as three calls; each waits as long. */
  times: z.strictObject({ value: z.number().int().min(1).max(9), source: z.string() }).optional(),
  tellSuperior: z.boolean().default(false),
  bridge: z.boolean().default(false),
});

const levelSchema = z.strictObject({
  /** Tiers whose units wait for the answer of the tier above, at most this long; all others open at once (直达基层). */
  descendWaitMinutes: z.record(z.string(), cited).default({}),
  ladder: z.array(rungSchema).nonempty(),
  /** Not handed to the channel within this time counts as exhausted: the next rung begins. */
  handOffMaxMinutes: cited,
  /** `regular` digests come at the window's pace; past them each window is twice the one before. */
  digest: z.strictObject({ windowMinutes: cited, urgentWindowMinutes: cited, regular: cited, by: channels }),
  endReport: z.strictObject({ tiers: z.array(z.string()), afterMinutes: cited, by: channels }),
  /** Where *received* is not enough: units of these tiers are to say *done* in time, and are reminded so often. */
  done: z
    .strictObject({
      tiers: z.array(z.string()).nonempty(),
      withinMinutes: cited,
      againMinutes: cited,
      reminders: cited,
      by: channels,
    })
    .optional(),
  households: z.strictObject({
    by: channels,
    /** Whose leader is to call on the households that have not answered, and when. */
    doors: z.strictObject({ afterMinutes: cited, by: channels }).optional(),
  }),
  /** No rung follows another in these hours of the night, by the clock of China. */
  quietHours: z.strictObject({ from: clockTime, to: clockTime }).optional(),
  /** Messages to one person by one channel within this time; what is above waits. */
  throttle: z.strictObject({ messages: cited, withinMinutes: cited }).optional(),
  /** From which warning of one incident on urgency rises: warnings of a hazard over the same places within this time. */
  repeated: z.strictObject({ from: cited, withinHours: cited }).optional(),
  retry: z.strictObject({
    laterMinutes: z.array(cited).nonempty(),
    unknownMinutes: cited,
    attemptsMost: cited,
    /** An attempt that may have arrived and cannot be found at the provider: `warn` sends again, rather twice than never. */
    whenUnknown: z.enum(['warn', 'quiet']).default('warn'),
  }),
});

export const rulePackSchema = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9-]+$/),
    version: z.number().int().positive(),
    title: z.strictObject({ zh: z.string(), en: z.string() }),
    sources: z.record(z.string(), z.string()),
    levels: z.record(z.enum(LEVELS.map((level) => level.id)), levelSchema),
  })
  .superRefine((pack, context) => {
    for (const { path, source } of citations(pack.levels, ['levels'])) {
      if (!(source in pack.sources)) {
        context.addIssue({ code: 'custom', path, message: `source "${source}" is not listed under sources` });
      }
    }
  });

export type RulePack = z.infer<typeof rulePackSchema>;

/** What one rung of a ladder does. */
export type Rung = {
  name: string;
  who: 'principal' | 'deputies' | 'everyone' | 'nobody';
  by: Channel[];
  waitMs: number;
  tellSuperior: boolean;
  bridge: boolean;
};

/** The rules of one warning: those of its level, in milliseconds, frozen at issue. */
export type Rules = {
  pack: { id: string; version: number };
  level: LevelId;
  ladder: Rung[];
  descendWaitMs: Record<TierId, number>;
  handOffMaxMs: number;
  digest: { windowMs: number; urgentWindowMs: number; regular: number; by: Channel[] };
  endReport: { tiers: TierId[]; afterMs: number; by: Channel[] };
  /** The second stage; left out where *received* is enough. */
  done?: { tiers: TierId[]; withinMs: number; againMs: number; remindersMost: number; by: Channel[] };
  households: { by: Channel[] };
  /** When households that have not answered are called on; left out where nobody is sent. */
  doors?: { afterMs: number; by: Channel[] };
  quietHours?: QuietHours;
  throttle?: { messages: number; withinMs: number };
  /** From the how manieth red of an incident on the first rung goes to everyone; see domain/revisions.ts. */
  repeated?: { from: number; withinMs: number };
  retry: { laterMs: number[]; unknownMs: number; attemptsMost: number; whenUnknown?: 'warn' | 'quiet' };
};

/** Resolves a level's rules; `speed` divides every time (Exercises only: the caller has checked). */
export function resolveRules(pack: RulePack, level: LevelId, speed = 1): Rules {
  const from = pack.levels[level];
  const ms = (minutes: { value: number }) => Math.max(1, Math.round((minutes.value * MINUTE_MS) / speed));
  return {
    pack: { id: pack.id, version: pack.version },
    level,
    ladder: from.ladder.flatMap(({ waitMinutes, times, ...rung }) =>
      Array.from({ length: times?.value ?? 1 }, () => ({ ...rung, waitMs: ms(waitMinutes) })),
    ),
    descendWaitMs: Object.fromEntries(
      Object.entries(from.descendWaitMinutes).map(([tier, wait]) => [tier, ms(wait)]),
    ),
    handOffMaxMs: ms(from.handOffMaxMinutes),
    digest: {
      windowMs: ms(from.digest.windowMinutes),
      urgentWindowMs: ms(from.digest.urgentWindowMinutes),
      regular: from.digest.regular.value,
      by: from.digest.by,
    },
    endReport: {
      tiers: from.endReport.tiers,
      afterMs: ms(from.endReport.afterMinutes),
      by: from.endReport.by,
    },
    ...(from.done && {
      done: {
        tiers: from.done.tiers,
        withinMs: ms(from.done.withinMinutes),
        againMs: ms(from.done.againMinutes),
        remindersMost: from.done.reminders.value,
        by: from.done.by,
      },
    }),
    households: { by: from.households.by },
    ...(from.households.doors && {
      doors: { afterMs: ms(from.households.doors.afterMinutes), by: from.households.doors.by },
    }),
    // An Exercise that runs faster than life has no nights.
    ...(from.quietHours &&
      speed === 1 && {
        quietHours: {
          fromMinute: minuteOfDay(from.quietHours.from),
          toMinute: minuteOfDay(from.quietHours.to),
        },
      }),
    ...(from.throttle && {
      throttle: { messages: from.throttle.messages.value, withinMs: ms(from.throttle.withinMinutes) },
    }),
    ...(from.repeated && {
      repeated: {
        from: from.repeated.from.value,
        withinMs: ms({ value: from.repeated.withinHours.value * 60 }),
      },
    }),
    retry: {
      laterMs: from.retry.laterMinutes.map(ms),
      unknownMs: ms(from.retry.unknownMinutes),
      attemptsMost: from.retry.attemptsMost.value,
      whenUnknown: from.retry.whenUnknown,
    },
  };
}

function minuteOfDay({ value }: { value: string }): number {
  return Number(value.slice(0, 2)) * 60 + Number(value.slice(3));
}

function* citations(
  node: unknown,
  path: (string | number)[],
): Generator<{ path: (string | number)[]; source: string }> {
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    if (key === 'source' && typeof value === 'string') yield { path: [...path, key], source: value };
    else yield* citations(value, [...path, Array.isArray(node) ? Number(key) : key]);
  }
}
