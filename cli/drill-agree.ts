/** `drill agree`: whether a drill went as the rehearsal of its seed says. */
import type { Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { DrillAgreement } from '../operations/drill-agreement.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { renderTable } from './table.ts';
import { harmless } from './width.ts';

const CAUSES = {
  'near a deadline': 'agree.near',
  follows: 'agree.follows',
  unexplained: 'agree.unexplained',
} as const;

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

function render(
  { name, warningId, units, differing }: DrillAgreement,
  tolerance: { seconds: number; minutes: number },
  { say }: Context,
): string[] {
  const head = say('agree.head', {
    ...{ name, warning: `W${warningId}`, units, same: units - differing.length, differing: differing.length },
    ...tolerance,
  });
  if (differing.length === 0) return [head];
  const rows = differing.flatMap(({ key, unit, cause, what }) =>
    what.map((field) => ({ unit: `${key} ${unit}`, cause: say(CAUSES[cause]), ...field })),
  );
  const columns = [
    { title: say('agree.unit'), of: (row: (typeof rows)[number]) => harmless(row.unit) },
    { title: say('agree.cause'), of: (row: (typeof rows)[number]) => row.cause },
    { title: say('agree.field'), of: (row: (typeof rows)[number]) => row.field },
    { title: say('agree.rehearsed'), of: (row: (typeof rows)[number]) => harmless(row.rehearsed ?? '–') },
    { title: say('agree.played'), of: (row: (typeof rows)[number]) => harmless(row.played ?? '–') },
  ];
  return [head, ...renderTable(rows, columns, null)];
}
