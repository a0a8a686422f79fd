/** `fenghuo referee`: which promises hold for one warning, from PostgreSQL and the far side's ledger alone. */
import type { Command } from 'commander';
import { EXIT_CODES } from '../domain/errors.ts';
import { judge, type Invariant } from '../operations/referee.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { readLedger } from '../sandbox/ledger.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';

export function addRefereeCommand(program: Command, context: Context): void {
  program
    .command('referee')
    .description(context.say('help.referee'))
    .argument('<WARNING>', context.say('help.warningId'))
    .addHelpText('after', example(context, 'npx fenghuo referee W12'))
    .action(async (word: string) => {
      const warningId = parseWarningId(word);
      const environment = await context.environment();
      const ledger = await readLedger(environment['FENGHUO_LEDGER_DIR'] ?? '', {
        warningId: String(warningId),
      });
      const invariants = await judge(await context.database(), warningId, ledger);
      context.print({
        lines: () => invariantLines(invariants, context),
        value: invariants,
        items: invariants,
      });
      if (!invariants.every((invariant) => invariant.holds)) context.exitCode = EXIT_CODES.failed;
    });
}

/** A line per invariant, with its counts, and the first offending rows below. */
export function invariantLines(invariants: readonly Invariant[], context: Context): string[] {
  return invariants.flatMap(({ number, name, holds, counts, first }) => {
    const figures = Object.entries(counts).map(([key, count]) => `${key} ${count}`);
    const verdict = holds ? context.say('invariantHolds') : context.say('invariantBroken');
    return [`${number}. ${name}: ${verdict} (${figures.join(', ')})`, ...first.map((row) => `     ${row}`)];
  });
}
