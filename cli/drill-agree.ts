/** `drill agree`: whether a drill went as the rehearsal of its seed says. */
import type { Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { DrillAgreement } from '../operations/drill-agreement.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { renderTable } from './table.ts';
import { span } from './times.ts';
import { harmless, wrap } from './width.ts';

/** In the order in which somebody has to look at them. */
const CAUSES = ['unexplained', 'near a deadline', 'later', 'follows'] as const;

/** Of units that differ; JSON has all of them, with everything that differs. */
const UNITS_SHOWN_MOST = 20;
const PROSE_COLUMNS = 100;

export function addAgreeCommand(drill: Command, context: Context): void {
  drill
    .command('agree')
    .description(context.say('help.drillAgree'))
    .argument('<DRILL>', context.say('help.drillId'))
    .addHelpText('after', example(context, 'npx fenghuo drill agree DR1'))
    .action(async (word: string) => agree(context, word));
}

async function agree(context: Context, word: string): Promise<void> {
  const { parseDrillId, requireDrill } = await import('../operations/drills.ts');
  const { clockOf } = await import('../operations/drill-play.ts');
  const { compareWithRehearsal, TOLERANCE_MS } = await import('../operations/drill-agreement.ts');
  const { openDatabase } = await import('../db/database.ts');
  const drill = await requireDrill(await context.database(), parseDrillId(word));
  const { name, schema, speed } = drill;
  const nothing = () =>
    new FenghuoError({
      code: 'nothing-to-compare',
      refusal: 'notFound',
      sentence: context.say('agree.nothing', { drill: name }),
    });
  if (schema === null) throw nothing();
  const { DATABASE_URL: url } = await context.config();
  const own = openDatabase({ url, schema, asOwner: true, connectionsMost: 2 });
  try {
    const clock = await clockOf(own, drill);
    const agreements = clock ? await compareWithRehearsal(own, { ...drill, ...clock }) : [];
    if (agreements.length === 0) throw nothing();
    const tolerance = { seconds: TOLERANCE_MS / 1_000, minutes: (TOLERANCE_MS * speed) / MINUTE_MS };
    context.print({
      value: { drill: name, speed, toleranceMs: TOLERANCE_MS, warnings: agreements },
      lines: () => agreements.flatMap((agreement) => render(agreement, tolerance, context)),
    });
    if (agreements.some(({ differing }) => differing.some(({ cause }) => cause === 'unexplained')))
      context.exitCode = 1;
  } finally {
    await own.close();
  }
}

type Row = DrillAgreement['differing'][number];

function render(
  { name, warningId, units, differing }: DrillAgreement,
  tolerance: { seconds: number; minutes: number },
  context: Context,
): string[] {
  const { say } = context;
  const columns = context.columns();
  const prose = (text: string) => wrap(text, columns ?? PROSE_COLUMNS);
  const head = say('agree.head', {
    ...{ name: harmless(name), warning: `W${warningId}` },
    ...{ units, same: units - differing.length, differing: differing.length },
    ...tolerance,
  });
  if (differing.length === 0) return prose(head);
  const inOrder = CAUSES.flatMap((cause) => differing.filter((one) => one.cause === cause));
  const counts = CAUSES.map(
    (cause) => [cause, differing.filter((one) => one.cause === cause).length] as const,
  );
  const left = inOrder.length - UNITS_SHOWN_MOST;
  return [
    ...prose(head),
    ...counts.flatMap(([cause, count]) => (count === 0 ? [] : prose(`  ${count} ${say(`agree.${cause}`)}`))),
    '',
    ...renderTable(
      inOrder.slice(0, UNITS_SHOWN_MOST),
      [
        { title: say('agree.unit'), of: ({ key, unit }) => harmless(`${unit} ${key}`), shrinks: true },
        { title: say('agree.cause'), of: ({ cause }) => say(`agree.short.${cause}`) },
        { title: say('agree.field'), of: (row) => fieldWords(row, context) },
        {
          title: say('agree.rehearsed'),
          of: ({ what }) => timeWords(what[0]?.rehearsed, context),
          align: 'right',
        },
        { title: say('agree.played'), of: ({ what }) => timeWords(what[0]?.played, context), align: 'right' },
      ],
      columns,
    ),
    ...(left > 0 ? [say('agree.more', { count: left })] : []),
  ];
}

/** What differs first of all, and how much more does. */
function fieldWords({ what }: Row, { say }: Pick<Context, 'say'>): string {
  const [first, ...others] = what;
  if (!first) return '';
  return `${say(`agree.field.${first.field}`)}${others.length === 0 ? '' : ` +${others.length}`}`;
}

/** An instant as a span from the issue; a dash where it never was, or where what differs is no instant: JSON has it. */
function timeWords(value: string | null | undefined, { lang }: Pick<Context, 'lang'>): string {
  const seconds = /^([\d.]+) s$/.exec(value ?? '')?.[1];
  return seconds === undefined ? '–' : span(Number(seconds) * 1_000, lang);
}
