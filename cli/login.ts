/** `login`, `logout`, `whoami`: the token by which an operator shows who they are, kept in a file for its owner alone. */
import { Option, type Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import { authenticate, endToken } from '../operations/operators.ts';
import { ask, mayAsk } from './confirm.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { grantLine, grantShape } from './grants.ts';
import { logInByProvider } from './login-oidc.ts';
import { readTextFile } from './options.ts';
import { forgetToken, keepToken, readToken } from './token.ts';

export function addLoginCommand(program: Command, context: Context): void {
  program
    .command('login')
    .description(context.say('help.login'))
    .option('--token-file <FILE>', context.say('help.tokenFile'))
    .addOption(new Option('--oidc', context.say('help.loginOidc')).conflicts('tokenFile'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo login',
        'npx fenghuo login --oidc',
        'npx fenghuo login --token-file token.txt',
      ),
    )
    .action(async (options: { tokenFile?: string; oidc?: boolean }) => {
      const token =
        options.oidc === true
          ? (await logInByProvider(context)).token
          : (await givenToken(context, options.tokenFile)).trim();
      const operator = await authenticate(await context.database(), token);
      await keepToken(context.env, token);
      context.print({
        value: { operator: operator.name },
        lines: () => [context.say('login.done', { name: operator.name })],
      });
    });
}

export function addLogoutCommand(program: Command, context: Context): void {
  program
    .command('logout')
    .description(context.say('help.logout'))
    .addHelpText('after', example(context, 'npx fenghuo logout'))
    .action(async () => {
      const token = await readToken(context.env);
      await forgetToken(context.env);
      // A copy of it is worth nothing from now on.
      if (token !== null) await endToken(await context.database(), token).catch(notGoodAnyway);
      context.print({
        value: { operator: null },
        lines: () => [context.say(token === null ? 'whoami.nobody' : 'logout.done')],
      });
    });
}

export function addWhoamiCommand(program: Command, context: Context): void {
  program
    .command('whoami')
    .description(context.say('help.whoami'))
    .addHelpText('after', example(context, 'npx fenghuo whoami'))
    .action(async () => {
      const operator = await context.operator();
      const database = await context.database();
      const { listOperators } = await import('../operations/operators.ts');
      const known = operator && (await listOperators(database)).find(({ name }) => name === operator.name);
      if (!known) {
        context.print({ value: { operator: null }, lines: () => [context.say('whoami.nobody')] });
        return;
      }
      context.print({
        value: {
          operator: known.name,
          administrator: known.administrator,
          grants: known.grants.map(grantShape),
        },
        lines: () => [
          known.administrator ? context.say('whoami.administrator', { name: known.name }) : known.name,
          ...known.grants.map((grant) => `  ${grantLine(grant, context)}`),
        ],
      });
    });
}

/** A token that is not good needs no end. */
function notGoodAnyway(error: unknown): void {
  if (!(error instanceof FenghuoError && error.code.startsWith('token-'))) throw error;
}

async function givenToken(context: Context, file: string | undefined): Promise<string> {
  if (file !== undefined) return readTextFile(file);
  const { FENGHUO_TOKEN: token } = context.env;
  if (token !== undefined && token !== '') return token;
  if (mayAsk(context)) return ask(context.say('login.ask'));
  throw new FenghuoError({ code: 'no-token', refusal: 'usage', sentence: context.say('login.how') });
}
