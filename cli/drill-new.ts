/** `drill new`: what a planner knows, asked at a terminal or given as options, becomes a scenario file. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import { isoWithOffset, MINUTE_MS } from '../domain/time.ts';
import { readRegister } from '../operations/rehearsal-tree.ts';
import { keepScenario, writeScenario, type NewScenario } from '../operations/scenario-new.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { several } from './options.ts';

type NewOptions = {
  name?: string;
  title?: string;
  starts?: string;
  hazard?: string;
  level?: string;
  area?: string[];
  expires?: string;
  silent?: string[];
  dark?: string[];
  file?: string;
  units?: string;
};

/** One question: its sentence, and what an empty answer means. */
export type Ask = (question: string, usual: string) => Promise<string>;

export function addNewDrillCommand(drill: Command, context: Context): void {
  drill
    .command('new')
    .description(context.say('help.drillNew'))
    .option('--name <NAME>', context.say('help.newName'))
    .option('--title <TEXT>', context.say('help.newTitle'))
    .option('--starts <TIME>', context.say('help.newStarts'))
    .option('--hazard <HAZARD>', context.say('help.hazard'))
    .option('--level <LEVEL>', context.say('help.level'))
    .option('--area <UNIT>', context.say('help.area'), several)
    .option('--expires <TIME>', context.say('help.expires'))
    .option('--silent <UNIT>', context.say('help.newSilent'), several)
    .option('--dark <UNIT>', context.say('help.newDark'), several)
    .option('--file <FILE>', context.say('help.newFile'))
    .option('--units <FILE>', context.say('help.units'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo drill new',
        'npx fenghuo drill new --name my-night --hazard 暴雨 --level red --area 黔江区 --expires +6h --silent 黔江区/濯水镇',
      ),
    )
    .action(async (options: NewOptions) => create(context, options));
}

async function create(context: Context, options: NewOptions): Promise<void> {
  const terminal = context.output === 'text' && context.stdout.isTTY === true && process.stdin.isTTY;
  const answers = terminal ? await askAtTerminal(context, options) : given(context, options);
  const text = writeScenario(answers, await readRegister(options.units));
  const file = options.file ?? `${answers.name}.yaml`;
  await keepScenario(file, text, context.say('drill.exists', { file }));
  context.print({
    value: { file, name: answers.name },
    lines: () => [context.say('drill.written', { file })],
  });
  context.hint(context.say('drill.next', { file }));
}

/** From the options alone. */
function given(context: Pick<Context, 'say'>, options: NewOptions): NewScenario {
  const { name, hazard, level, area, expires } = options;
  if (
    name === undefined ||
    hazard === undefined ||
    level === undefined ||
    area === undefined ||
    expires === undefined
  )
    throw new FenghuoError({ code: 'drill-new', refusal: 'usage', sentence: context.say('ask.missing') });
  return {
    name,
    title: options.title ?? name,
    startsAt: options.starts ?? thisMinute(),
    hazard,
    level,
    where: area,
    expires,
    silent: options.silent ?? [],
    dark: options.dark ?? [],
  };
}

async function askAtTerminal(context: Context, options: NewOptions): Promise<NewScenario> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ask: Ask = async (question, usual) => {
    const answer = await terminal.question(`${question}${usual === '' ? '' : ` [${usual}]`}: `);
    return answer.trim() === '' ? usual : answer.trim();
  };
  try {
    return await askForScenario(context, options, ask);
  } finally {
    terminal.close();
  }
}

/** Asks for everything that no option gives. */
export async function askForScenario(
  context: Pick<Context, 'say'>,
  options: NewOptions,
  ask: Ask,
): Promise<NewScenario> {
  const one = async (known: string | undefined, question: string, usual: string) =>
    known ?? ask(question, usual);
  const list = async (known: string[] | undefined, question: string, usual: string) =>
    known ??
    (await ask(question, usual))
      .split(/[,，、]/)
      .map((word) => word.trim())
      .filter((word) => word !== '');
  const name = await one(options.name, context.say('ask.name'), 'my-drill');
  return {
    name,
    title: await one(options.title, context.say('ask.title'), name),
    startsAt: await one(options.starts, context.say('ask.starts'), thisMinute()),
    hazard: await one(options.hazard, context.say('ask.hazard'), '暴雨'),
    level: await one(options.level, context.say('ask.level'), 'red'),
    where: await list(options.area, context.say('ask.where'), '黔江区/濯水镇'),
    expires: await one(options.expires, context.say('ask.expires'), '+6h'),
    silent: await list(options.silent, context.say('ask.silent'), ''),
    dark: await list(options.dark, context.say('ask.dark'), ''),
  };
}

function thisMinute(): string {
  return isoWithOffset(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
}
