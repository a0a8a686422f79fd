/** `fenghuo watchdog`: shouts when the installation stands still; and the words for what it shouts and `doctor` finds. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { EXTENSION_MS_MAX } from '../domain/outages.ts';
import type { Language } from '../domain/texts.ts';
import { isoWithOffset, MINUTE_MS } from '../domain/time.ts';
import { LOOK_EVERY_MS, type Shout, type Trouble } from '../domain/watchdog.ts';
import type { ShoutWords } from '../worker/watchdog.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { tellSupervisor } from './life.ts';
import { serve } from './serving.ts';
import { waitingWords } from './waiting-words.ts';
import { sayIn } from './words.ts';

export function addWatchdogCommand(program: Command, context: Context): void {
  program
    .command('watchdog')
    .description(context.say('help.watchdog'))
    .addHelpText('after', example(context, 'FENGHUO_WATCHDOG_EMAIL=duty@office.example npx fenghuo watchdog'))
    .action(async () => {
      const config = await context.config();
      await serve(context, async () => {
        const { startWatchdog } = await import('../worker/watchdog.ts');
        const log = (line: string) => {
          context.tell(line);
          tellSupervisor(line);
        };
        const words = shoutWords(context.lang, config);
        const waiting = waitingWords(context.lang, placeOf(config));
        const watchdog = startWatchdog({ config, log, words, waiting });
        context.tell(...startLines(context, config));
        return watchdog;
      });
    });
}

function startLines(context: Context, config: Config): string[] {
  const { FENGHUO_WATCHDOG_EMAIL: address, FENGHUO_WATCHDOG_SECONDS: window } = config;
  return [
    context.say('watchdog.started', { every: LOOK_EVERY_MS / 1_000, window }),
    address === undefined ? context.say('watchdog.noMail') : context.say('watchdog.mail', { address }),
  ];
}

/** Which installation speaks. */
function placeOf(config: Config): string {
  return `${config.FENGHUO_PUBLIC_URL}, ${config.FENGHUO_SCHEMA}, ${hostname()}`;
}

/** The log speaks the language of the locale; e-mails speak both, because nobody asked the reader. */
function shoutWords(lang: Language, config: Config): ShoutWords {
  const where = placeOf(config);
  return {
    line: (shout) => `${isoWithOffset(Date.now())} ${shoutSentence(lang, shout)}`,
    mail: (shout) => {
      const { when, trouble } = shout;
      const head = (language: Language) =>
        `${sayIn(language, `shout.${when}`)} ${troubleName(language, trouble)}`;
      return {
        subject: `[Fenghuo] ${head('zh')} / ${head('en')}`,
        text: `${shoutSentence('zh', shout)}\n\n${shoutSentence('en', shout)}\n\n${where}\n`,
      };
    },
    mailFailed: (reason) => sayIn(lang, 'watchdog.mailFailed', { reason }),
  };
}

function shoutSentence(lang: Language, { when, trouble }: Shout): string {
  const head = `${sayIn(lang, `shout.${when}`)}: ${troubleName(lang, trouble)}`;
  if (when === 'over') return `${head} (${lasted(lang, 'shout.lasted', trouble)})`;
  return `${head} (${troubleExtent(lang, trouble)}). ${troubleAdvice(lang, trouble)}`;
}

/** What is wrong, and where: `no worker lives: exercise`. */
export function troubleName(lang: Language, { kind, subject }: Trouble): string {
  const where = subject === 'exercise' || subject === 'actual' ? sayIn(lang, `kind.${subject}`) : subject;
  return sayIn(lang, `trouble.${kind}`) + (where === '' ? '' : `: ${where}`);
}

/** For how long, and how many open warnings it concerns. */
export function troubleExtent(lang: Language, trouble: Trouble): string {
  const long = lasted(lang, 'shout.for', trouble);
  if (trouble.openWarnings === 0) return long;
  return `${long}, ${sayIn(lang, 'shout.open', { count: trouble.openWarnings })}`;
}

export function troubleAdvice(lang: Language, { kind }: Trouble): string {
  return sayIn(lang, `advice.${kind}`, { minutes: EXTENSION_MS_MAX / MINUTE_MS });
}

function lasted(lang: Language, key: 'shout.for' | 'shout.lasted', { forMs }: Trouble): string {
  if (forMs === Infinity) return sayIn(lang, 'shout.ever');
  return sayIn(lang, key, { seconds: Math.round(forMs / 1_000) });
}
