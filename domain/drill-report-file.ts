/** A report as a file: JSON in, a report out, or the reason why it is none. The same shape that `drill report --json` writes. */
import { z } from 'zod';
import { REPORT_FORMAT, type DrillReport } from './drill-report.ts';
import { CHANNELS } from './rules.ts';
import { expectationSchema } from './scenario.ts';

const count = z.number().int().min(0);
const minute = z.number();
const text = z.string().max(2_000);
const percent = z.number().min(0).max(100);
const titles = z.object({ zh: text, en: text });

const moment = z.object({
  ...{ opened: count, told: count, answered: count, done: count, silent: count, bridged: count },
});
const phases = z.object({
  ...{ answered: count, silent: count, told: count, opened: count, unopened: count },
});
const unit = z.object({ key: text, name: text, above: text, tier: text, within: z.array(text) });

const channels = z.array(
  z.object({
    channel: z.enum(CHANNELS).nullable(),
    tier: text.nullable(),
    ...{ handedOff: count, failed: count, answered: count },
    medianMinutes: minute.nullable(),
  }),
);

const warning = z.object({
  name: text,
  atMinute: minute,
  lastsMinutes: minute,
  end: z.enum(['expired', 'cancelled', 'retracted', 'superseded', 'open']),
  level: text,
  hazard: text,
  areas: z.array(unit),
  minutes: z.array(minute).min(1),
  tiers: z.array(
    z.object({
      ...moment.shape,
      tier: text,
      units: count,
      escalated: count,
      answeredWithin: z.object({ half: minute.nullable(), nineTenths: minute.nullable() }),
      over: z.array(z.object({ ...moment.shape, reached: count, phases })),
    }),
  ),
  messages: z.record(z.string(), count),
  ...{ dropped: count, failed: count, afterEnd: count, lateAnswers: count },
  households: z.object({ told: count, lastAfterMinutes: minute.nullable() }),
  correction: z.object({ messages: count, afterMinutes: minute }).nullable(),
  channels,
  real: z
    .object({
      ...{ told: count, answered: count, channels },
      units: z.array(
        z.object({ ...unit.shape, told: count, answered: count, afterMinute: minute.nullable() }),
      ),
    })
    .nullable()
    .default(null),
  silentUnits: z.array(z.object({ ...unit.shape, sinceMinute: minute, told: z.boolean() })),
  bridges: z.array(z.object({ ...unit.shape, atMinute: minute })),
});

const source = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('rehearsal'),
    scenario: text,
    seed: count,
    whatIfs: z.array(text),
    people: z.enum(['made up', 'registered']),
  }),
  z.object({
    kind: z.literal('warning'),
    id: text,
    of: z.enum(['exercise', 'actual']),
    speed: z.number().positive(),
  }),
  z.object({
    kind: z.literal('drill'),
    id: text,
    scenario: text,
    seed: count,
    speed: z.number().positive(),
    ended: z.enum(['played', 'stopped']).nullable(),
    // Earlier versions did not say.
    people: count.default(0),
  }),
]);

const reportSchema = z.object({
  format: z.literal(REPORT_FORMAT),
  source,
  title: titles,
  startsAt: text,
  warnings: z.array(warning),
  interruptions: z.array(
    z.object({
      kind: z.enum(['no answers taken', 'paused', 'processes gone', 'behind']),
      atMinute: minute,
      seconds: z.number().min(0),
    }),
  ),
  expectations: z.array(
    z.object({
      expectation: expectationSchema,
      met: z.boolean(),
      measure: z.enum(['percent', 'units', 'minutes', 'messages']),
      wanted: z.number(),
      was: z.number().nullable(),
    }),
  ),
  expectationsLeftOut: count,
  score: z.object({
    points: percent,
    parts: z.array(
      z.object({
        part: z.enum(['reachedIn10', 'answeredIn15', 'answeredAtEnd', 'goals']),
        percent: percent.nullable(),
        weight: z.number().min(0),
      }),
    ),
  }),
});

/** The report of a text, or the first thing that is wrong with it. */
export function parseReport(json: string): { report: DrillReport } | { fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { fault: 'it is not JSON' };
  }
  const format = z.looseObject({ format: z.string() }).safeParse(value).data?.format;
  if (format === undefined) return { fault: 'it is no report: `format` is missing' };
  if (format !== REPORT_FORMAT)
    return { fault: `its format is "${format.slice(0, 60)}", not "${REPORT_FORMAT}"` };
  const parsed = reportSchema.safeParse(value);
  if (parsed.success) return { report: parsed.data };
  const [issue] = parsed.error.issues;
  return { fault: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}` };
}
