/**
 * Scenario files: what happens, where, how people behave, and what is expected. Written for planners, so all times are spans such
 * as `+1h30m`, all shares per cent. `scenarios/schema.json` is this schema as JSON Schema.
 */
import { z } from 'zod';
import { LEVELS } from './levels.ts';
import { CURVES, type CurveName } from './rehearsal/delays.ts';
import { CHANNELS, perChannel, type Channel } from './rules.ts';
import { TIERS } from './tiers.ts';
import { MINUTE_MS } from './time.ts';

/** Kinds of event that the engine does not have yet; a file that uses one is refused, not read half. */
export const RESERVED_KINDS = ['response', 'order', 'facility'] as const;

const SPAN = String.raw`(?=\d)(\d{1,3}d)?(\d{1,3}h)?(\d{1,4}m)?(\d{1,5}s)?`;
const at = z
  .string()
  .regex(new RegExp(`^\\+${SPAN}$`), 'must be a time from the start, such as +0m, +25m or +1h30m')
  .describe('from the start of the scenario');
const span = z.string().regex(new RegExp(`^${SPAN}$`), 'must be a span, such as 10m or 1h30m');

const percent = z.number().min(0).max(100);
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,40}$/, 'must be lower-case letters, digits and hyphens');
const place = z.string().min(1).max(200).describe('a unit by code or by path, such as 黔江区/濯水镇');
const places = z.array(place).min(1).max(200);
const text = z.string().min(1).max(1_000);
const channel = z.enum(CHANNELS);
const level = z.enum(LEVELS.map(({ id }) => id));
const officialTiers = TIERS.filter(({ role }) => role === 'official').map(({ id }) => id);
const tier = z.enum(officialTiers as [string, ...string[]]);

// ── the timeline ────────────────────────────────────────────────────────────────────────────────────────────

const warning = z.strictObject({
  name: name.optional(),
  hazard: z.string(),
  level,
  where: places,
  expires: at.describe('from the issue of this warning'),
  textZh: text.optional(),
  textEn: text.optional(),
});

/** A new warning that supersedes another; what is left out stays as it was. */
const update = z.strictObject({
  of: name.optional().describe('the name of a warning; left out, the one before'),
  name: name.optional(),
  hazard: z.string().optional(),
  level: level.optional(),
  where: places.optional(),
  expires: at.optional().describe('from this update'),
  textZh: text.optional(),
  textEn: text.optional(),
});

const cancel = z.strictObject({ of: name.optional(), reason: text.optional() });
const retract = z.strictObject({
  of: name.optional(),
  reason: text.optional(),
  textZh: text.optional(),
  textEn: text.optional(),
});

const event = z.strictObject({
  at,
  warning: warning.optional(),
  update: update.optional(),
  cancel: cancel.optional(),
  retract: retract.optional(),
});

// ── people ──────────────────────────────────────────────────────────────────────────────────────────────────

const curve = z.union([
  z.enum(Object.keys(CURVES) as [CurveName, ...CurveName[]]),
  z.strictObject({ median: z.number().positive().max(1_440), p90: z.number().positive().max(2_880) }),
]);

/** How people behave; of several entries that fit a unit a later one overrules an earlier. */
const behaviour = z.strictObject({
  tiers: z.array(tier).min(1).optional(),
  where: places.optional(),
  neverAnswers: percent.optional().describe('per cent of people who answer nothing: away, ill'),
  cannotAct: percent.optional().describe('per cent who answer that they cannot act'),
  wrongNumbers: percent.optional().describe('per cent of addresses that do not work'),
  notices: z.partialRecord(channel, percent).optional().describe('per cent of messages that are noticed'),
  delay: curve.optional().describe('minutes until the answer, by whatever channel'),
  delayBy: z.partialRecord(channel, curve).optional(),
  done: z
    .strictObject({ percent, delay: curve })
    .optional()
    .describe('of those who received: how many say done, and when'),
});

const population = z.strictObject({
  seed: z.string().min(1).max(60).default('1').describe('the seed of `fenghuo people generate`'),
  groupsPerVillage: z.number().int().min(0).max(99).default(8),
  deputies: z.number().int().min(0).max(20).default(2),
  householdsPerGroup: z.number().int().min(0).max(2_000).default(0),
  smsPercent: percent.default(95),
  emailPercent: percent.default(80),
  voicePercent: percent.default(100).describe('of the telephone numbers: those that can be called'),
});

const failures = z.strictObject({
  dark: z
    .array(z.strictObject({ where: places, from: at.default('+0m'), to: at.optional() }))
    .max(200)
    .default([])
    .describe('no power and no network: nobody there is reached, and nobody can answer'),
  outages: z
    .array(z.strictObject({ channel, where: places.optional(), from: at.default('+0m'), to: at.optional() }))
    .max(200)
    .default([])
    .describe('a provider takes nothing'),
});

const senders = z.strictObject({
  perSecond: z.number().positive().max(1_000_000),
  delaySeconds: z.number().min(0).max(600),
});

// ── expectations ────────────────────────────────────────────────────────────────────────────────────────────

const reached = z.strictObject({ tier, percent, within: span, where: place.optional() });

export const expectationSchema = z.strictObject({
  warning: name.optional().describe('which warning; left out, the first'),
  answered: reached.optional(),
  told: reached.optional(),
  done: reached.optional(),
  silent: z
    .strictObject({
      tier: tier.optional(),
      where: place.optional(),
      atMost: z.number().int().min(0).optional(),
      atLeast: z.number().int().min(0).optional(),
      after: span,
    })
    .optional()
    .describe('units that are past their deadline and have not answered'),
  bridged: z.strictObject({ where: place, within: span }).optional(),
  notBridged: z.strictObject({ where: place }).optional(),
  noSendAfterEnd: z.literal(true).optional(),
  corrected: z
    .strictObject({ within: span })
    .optional()
    .describe('from the issue until everyone who was told has the correction'),
  metWith: z
    .array(z.string().min(1).max(200))
    .min(1)
    .optional()
    .describe('not met as things are: the change of policy that meets it, as for --set'),
});

export const scenarioSchema = z.strictObject({
  name,
  title: z.strictObject({ zh: z.string().min(1).max(80), en: z.string().min(1).max(80) }),
  about: z.string().min(1).max(4_000),
  sources: z.record(name, z.string().min(1).max(500)).default({}).describe('where each fact was found'),
  startsAt: z.iso.datetime({ offset: true }).describe('with offset; the hour decides about quiet hours'),
  timeline: z.array(event).min(1).max(200),
  population: population.prefault({}),
  people: z.array(behaviour).max(200).default([]),
  senders: z.partialRecord(channel, senders).default({}),
  failures: failures.prefault({}),
  expect: z.array(expectationSchema).max(200).default([]),
});

export type Scenario = z.infer<typeof scenarioSchema>;
export type TimelineEvent = Scenario['timeline'][number];
export type Behaviour = Scenario['people'][number];
export type Expectation = Scenario['expect'][number];
export type Population = Scenario['population'];

/**
 * Whoever the file says nothing of. Shares are a model, not a measurement: near to that of the stand-in people. The telephone is
 * answered while it rings; who says *done* moves people first.
 */
export const USUAL_BEHAVIOUR = {
  neverAnswers: 5,
  cannotAct: 1,
  wrongNumbers: 1,
  notices: { sms: 75, voice: 85, email: 60, loudspeaker: 0, chat: 50, push: 30 },
  delay: 'usual',
  delayBy: { voice: { median: 0.4, p90: 0.8 } },
  done: { percent: 85, delay: { median: 25, p90: 50 } },
} as const satisfies Omit<Behaviour, 'tiers' | 'where'>;

/** Of an official gateway: 600,000 messages in two minutes were published by Chongqing (2025-07-09). Others are choices. */
export const USUAL_SENDERS: Readonly<Record<Channel, { perSecond: number; delaySeconds: number }>> = {
  ...perChannel(() => ({ perSecond: 500, delaySeconds: 1 })),
  sms: { perSecond: 5_000, delaySeconds: 1 },
  voice: { perSecond: 200, delaySeconds: 5 },
  email: { perSecond: 1_000, delaySeconds: 2 },
};

const UNIT_MS: Readonly<Record<string, number>> = {
  d: 24 * 60 * MINUTE_MS,
  h: 60 * MINUTE_MS,
  m: MINUTE_MS,
  s: 1_000,
};

/** Milliseconds of a checked span such as `+1h30m` or `10m`. */
export function spanMs(written: string): number {
  let ms = 0;
  for (const [, count, unit] of written.matchAll(/(\d+)([dhms])/g))
    ms += Number(count) * (UNIT_MS[unit ?? ''] ?? 0);
  return ms;
}

/** `+1h30m` of milliseconds; whole seconds. */
export function writeSpan(ms: number): string {
  let left = Math.round(ms / 1_000) * 1_000;
  const parts = Object.entries(UNIT_MS).map(([unit, unitMs]) => {
    const count = Math.floor(left / unitMs);
    left -= count * unitMs;
    return count > 0 ? `${count}${unit}` : '';
  });
  return `+${parts.join('') || '0m'}`;
}
