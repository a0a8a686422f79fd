/** How a plan reads: who is told at each tier, who cannot be, what a message costs, when the first deadlines fall. Pure. */
import { CHANNELS } from '../domain/rules.ts';
import { isoWithOffset } from '../domain/time.ts';
import type { PlannedText, WarningPlan } from '../operations/plan.ts';
import type { Context } from './context.ts';
import { renderForecast } from './forecast.ts';
import { renderUnreachable } from './people.ts';
import { levelName, tierName } from './shapes.ts';
import { renderTable } from './table.ts';
import { span } from './times.ts';
import { harmless, wrap } from './width.ts';

/** The plan as JSON. */
export function planShape(plan: WarningPlan) {
  const { warning } = plan;
  return {
    warning: {
      kind: plan.kind,
      hazard: { code: warning.hazard.code, zh: warning.hazard.zh, en: warning.hazard.en },
      level: warning.level.id,
      areas: warning.areas,
      lastsMs: warning.lastsMs,
      speed: warning.speed,
      issuer: warning.issuer,
      rulePack: warning.rules.pack,
      text: { zh: warning.textZh, en: warning.textEn },
    },
    tiers: plan.tiers,
    people: plan.people,
    unreachable: plan.unreachable,
    cannotAnswer: plan.cannotAnswer,
    texts: plan.texts,
    deadlines: plan.deadlines,
    forecast: plan.forecast,
  };
}

export function renderPlan(plan: WarningPlan, context: Context, now: number = Date.now()): string[] {
  const { warning, unreachable } = plan;
  const { lang } = context;
  const columns = context.columns() ?? 100;
  const named = { hazard: warning.hazard[lang], level: levelName(warning.level.id, lang) };
  return [
    `${context.say(`kind.${plan.kind}`)}  ${context.say('warning.name', named)}  ${warning.areas.join(lang === 'zh' ? '、' : ', ')}`,
    context.say('plan.lasts', {
      at: isoWithOffset(now + warning.lastsMs),
      left: span(warning.lastsMs, context.lang),
      pack: warning.rules.pack.id,
      version: warning.rules.pack.version,
      speed: warning.speed,
    }),
    '',
    ...renderTiers(plan, context),
    context.say('plan.people', { people: plan.people }),
    '',
    ...(unreachable.total === 0
      ? [context.say('plan.allReachable')]
      : renderUnreachable(
          {
            total: unreachable.total,
            units: unreachable.units.map(({ holders, ...unit }) => ({
              ...unit,
              reason: holders === 0 ? ('no post is held' as const) : ('no address' as const),
            })),
          },
          context,
        )),
    ...renderCannotAnswer(plan.cannotAnswer, context),
    '',
    ...renderTexts(plan.texts, context, columns),
    '',
    ...renderDeadlines(plan, context),
    '',
    ...renderForecast(plan.forecast, context),
  ];
}

/** Who cannot answer in any way, by name and reason; nothing where everybody could. */
export function renderCannotAnswer(
  { total, people }: WarningPlan['cannotAnswer'],
  context: Context,
): string[] {
  if (total === 0) return [];
  const table = renderTable(
    people,
    [
      { title: context.say('people.name'), of: ({ name }) => harmless(name) },
      { title: context.say('unit.path'), of: ({ place }) => place, shrinks: true },
      { title: context.say('plan.why'), of: ({ reason }) => context.say(REASONS[reason]) },
    ],
    context.columns(),
  );
  const more =
    total > people.length ? [context.say('plan.cannotAnswerMore', { more: total - people.length })] : [];
  return ['', context.say('plan.cannotAnswer', { total }), ...table, ...more];
}

const REASONS = {
  'no address': 'plan.noAddress',
  'all addresses faulty': 'plan.allFaulty',
  'one way only': 'plan.oneWay',
} as const;

/** Columns beside SMS and e-mail stand there only where somebody has such an address: the table must fit 80 columns. */
const FURTHER_CHANNELS = CHANNELS.filter((channel) => channel !== 'sms' && channel !== 'email');

function renderTiers(plan: WarningPlan, context: Context): string[] {
  type Tier = WarningPlan['tiers'][number];
  const count = (title: string, of: (tier: Tier) => number) => ({
    title,
    of: (tier: Tier) => String(of(tier)),
    align: 'right' as const,
  });
  return renderTable(
    plan.tiers,
    [
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, context.lang) },
      count(context.say('tier.units'), ({ units }) => units),
      count(context.say('tier.people'), ({ people }) => people),
      count(context.say('tier.sms'), ({ sms }) => sms),
      count(context.say('tier.email'), ({ email }) => email),
      ...FURTHER_CHANNELS.filter((channel) => plan.tiers.some((tier) => tier[channel] > 0)).map((channel) =>
        count(context.say(`tier.${channel}`), (tier) => tier[channel]),
      ),
      count(context.say('tier.first'), ({ first }) => first),
      count(context.say('tier.unreachable'), ({ unreachable }) => unreachable),
    ],
    context.columns(),
  );
}

/** The message of the user's language in full, and what each costs. */
function renderTexts(texts: readonly PlannedText[], context: Context, columns: number): string[] {
  const own = texts.find(({ language, purpose }) => language === context.lang && purpose === 'rung');
  const cost = texts.map(({ language, purpose, parts, characters, encoding }) =>
    context.say('plan.parts', {
      what: context.say(purpose === 'rung' ? 'plan.toOfficials' : 'plan.toHouseholds'),
      language: context.say(`language.${language}`),
      parts,
      characters,
      encoding,
    }),
  );
  const text = own ? wrap(harmless(own.text), columns - 2).map((line) => `  ${line}`) : [];
  return [context.say('plan.text'), ...text, ...cost, context.say('plan.signature')];
}

function renderDeadlines({ deadlines }: WarningPlan, context: Context): string[] {
  const { answerMs, superiorHearsMs, bridgeMs, cannotActHearsMs, rungs } = deadlines;
  return [
    context.say('plan.answerBy', { after: span(answerMs, context.lang) }),
    ...rungs
      .slice(1)
      .map(({ name, afterMs }) => context.say('plan.rung', { name, after: span(afterMs, context.lang) })),
    superiorHearsMs === null
      ? context.say('plan.superiorNever')
      : context.say('plan.superiorHears', { after: span(superiorHearsMs, context.lang) }),
    ...(bridgeMs === null ? [] : [context.say('plan.bridge', { after: span(bridgeMs, context.lang) })]),
    context.say('plan.cannotAct', { after: span(cannotActHearsMs, context.lang) }),
  ];
}
