/** `fenghuo referee`: which promises hold for one warning, from PostgreSQL and the far side's ledger alone. */
import type { Command } from 'commander';
import { judge, type Invariant } from '../operations/referee.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { readLedger } from '../sandbox/ledger.ts';
import type { Context } from './context.ts';

export function addRefereeCommand(program: Command, context: () => Context): void {
  program
    .command('referee')
    .argument('<warning>', 'such as W12')
    .summary('judge the promises for one warning')
    .description(
      'Reads PostgreSQL and the ledger of the stand-ins and says which invariants hold, with counts. Exit code 1 where one does not.',
    )
    .addHelpText('after', '\nExample:\n  fenghuo referee W12\n')
    .action(async (word: string) => {
      const current = context();
      const warningId = parseWarningId(word);
      const environment = await current.environment();
      const ledger = await readLedger(environment['FENGHUO_LEDGER_DIR'] ?? '', {
        warningId: String(warningId),
      });
      const invariants = await judge(await current.database(), warningId, ledger);
      current.print({
        lines: () => invariantLines(invariants, current),
        value: invariants,
        items: invariants,
      });
      if (!invariants.every((invariant) => invariant.holds)) current.exitCode = 1;
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
