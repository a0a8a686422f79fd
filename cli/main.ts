/** The command line: `fenghuo <command>`. Data on standard output, all else on standard error, exit codes as documented. */
import { Command } from 'commander';
import { addAnswerCommand } from './answer.ts';
import { createContext, type Context, type Surroundings } from './context.ts';
import { addDoctorCommand } from './doctor.ts';
import { report } from './failures.ts';
import { oneOf } from './options.ts';
import { addOrganisationCommands } from './organisation.ts';
import { addPeopleCommands } from './people.ts';
import { addMigrateCommand, addWebCommand, addWorkerCommand, example } from './serving.ts';
import { addSilentCommand } from './silent.ts';
import { adapt, readGlobals } from './usage.ts';
import { addWarningCommands } from './warning.ts';

/** In the order of the help. A new command is a function here, and nothing else. */
const COMMANDS: readonly ((program: Command, context: Context) => void)[] = [
  addWarningCommands,
  addSilentCommand,
  addAnswerCommand,
  addOrganisationCommands,
  addPeopleCommands,
  addDoctorCommand,
  addMigrateCommand,
  addWorkerCommand,
  addWebCommand,
];

/** Runs one command; gives back its exit code and never throws. `argv` are the words after the program's name. */
export async function main(argv: string[], surroundings: Surroundings = ofProcess()): Promise<number> {
  const context = createContext(surroundings, readGlobals(argv));
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    return report(context, error);
  } finally {
    await context.close();
  }
}

/** All commands, for one context. */
export function createProgram(context: Context): Command {
  const program = new Command('fenghuo')
    .description(context.say('help.fenghuo'))
    .option('-o, --output <FORM>', context.say('help.output'), oneOf(['text', 'json', 'jsonl']))
    .option('--json', context.say('help.json'))
    .option('--lang <LANGUAGE>', context.say('help.lang'), oneOf(['zh', 'en']))
    .addHelpText('after', example(context, 'npx fenghuo warning list', 'npx fenghuo warning issue --help'));
  for (const add of COMMANDS) add(program, context);
  adapt(program, context);
  return program;
}

function ofProcess(): Surroundings {
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return { stdout: process.stdout, stderr: process.stderr, env: process.env };
}
