/** The command line: `fenghuo <command>`. Data on standard output, all else on standard error, exit codes as documented. */
import { Command } from 'commander';
import { createContext, type Context, type Surroundings } from './context.ts';
import { example } from './example.ts';
import { report } from './failures.ts';
import { oneOf } from './options.ts';
import { adapt, firstCommand, readGlobals } from './usage.ts';

type Add = (program: Command, context: Context) => void;

/** In the order of the help. Each is loaded only when it is called: a forecaster waits for none of the others. */
const COMMANDS: readonly { name: string; load: () => Promise<Add> }[] = [
  { name: 'warning', load: async () => (await import('./warning.ts')).addWarningCommands },
  { name: 'silent', load: async () => (await import('./silent.ts')).addSilentCommand },
  { name: 'answer', load: async () => (await import('./answer.ts')).addAnswerCommand },
  { name: 'calls', load: async () => (await import('./calls.ts')).addCallsCommands },
  { name: 'duty', load: async () => (await import('./duty.ts')).addDutyCommands },
  { name: 'delivery', load: async () => (await import('./delivery.ts')).addDeliveryCommands },
  { name: 'pause', load: async () => (await import('./pause.ts')).addPauseCommand },
  { name: 'resume', load: async () => (await import('./pause.ts')).addResumeCommand },
  { name: 'org', load: async () => (await import('./organisation.ts')).addOrganisationCommands },
  { name: 'people', load: async () => (await import('./people.ts')).addPeopleCommands },
  { name: 'drill', load: async () => (await import('./drill.ts')).addDrillCommands },
  { name: 'cap', load: async () => (await import('./cap.ts')).addCapCommands },
  { name: 'referee', load: async () => (await import('./referee.ts')).addRefereeCommand },
  { name: 'audit', load: async () => (await import('./audit.ts')).addAuditCommands },
  { name: 'operator', load: async () => (await import('./operators.ts')).addOperatorCommands },
  { name: 'login', load: async () => (await import('./login.ts')).addLoginCommand },
  { name: 'logout', load: async () => (await import('./login.ts')).addLogoutCommand },
  { name: 'whoami', load: async () => (await import('./login.ts')).addWhoamiCommand },
  { name: 'up', load: async () => (await import('./up.ts')).addUpCommand },
  { name: 'demo', load: async () => (await import('./demo.ts')).addDemoCommand },
  { name: 'doctor', load: async () => (await import('./doctor.ts')).addDoctorCommand },
  { name: 'migrate', load: async () => (await import('./serving.ts')).addMigrateCommand },
  { name: 'restored', load: async () => (await import('./restored.ts')).addRestoredCommand },
  { name: 'worker', load: async () => (await import('./serving.ts')).addWorkerCommand },
  { name: 'web', load: async () => (await import('./serving.ts')).addWebCommand },
  { name: 'watchdog', load: async () => (await import('./watchdog.ts')).addWatchdogCommand },
  { name: 'sandbox', load: async () => (await import('./sandbox.ts')).addSandboxCommand },
];

/** Runs one command; gives back its exit code and never throws. `argv` are the words after the program's name. */
export async function main(argv: string[], surroundings: Surroundings = ofProcess()): Promise<number> {
  const context = createContext(surroundings, readGlobals(argv));
  try {
    const program = await createProgram(context, firstCommand(argv));
    await program.parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    return report(context, error);
  } finally {
    await context.close();
  }
}

/** The command of this name; all of them where there is none of it, for help and for suggestions. */
export async function createProgram(context: Context, name: string | null): Promise<Command> {
  const program = new Command('fenghuo')
    .description(context.say('help.fenghuo'))
    .option('-o, --output <FORM>', context.say('help.output'), oneOf(['text', 'json', 'jsonl']))
    .option('--json', context.say('help.json'))
    .option('--lang <LANGUAGE>', context.say('help.lang'), oneOf(['zh', 'en']))
    .addHelpText('after', example(context, 'npx fenghuo warning list', 'npx fenghuo warning issue --help'));
  const wanted = COMMANDS.filter((command) => command.name === name);
  for (const { load } of wanted.length > 0 ? wanted : COMMANDS) (await load())(program, context);
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
