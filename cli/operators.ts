/** `operator`: who may do what with actual warnings, and the tokens by which they show who they are. */
import { Option, type Command } from 'commander';
import type { ListedOperator } from '../db/operators.ts';
import { ROLES, type Operator, type Role } from '../domain/authority.ts';
import { isoWithOffset } from '../domain/time.ts';
import {
  addFirstOperator,
  addOperator,
  endTokens,
  grantRole,
  issueToken,
  listOperators,
  revoke,
  TOKEN_DAYS,
  type IssuedToken,
} from '../operations/operators.ts';
import { linkOperator, requireIssuer, unlinkOperator } from '../operations/logins.ts';
import { refusalOf } from '../operations/refusals.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { grantLine, grantShape } from './grants.ts';
import { several, wholeNumber } from './options.ts';
import { isoOrNull, minuteOf } from './times.ts';

/** The words of `--role`: what has a blank in it would need quotes. */
const ROLE_WORDS: Readonly<Record<string, Role>> = Object.fromEntries(
  ROLES.map((role) => [role.replace(' ', '-'), role]),
);

type AddOptions = {
  first?: boolean;
  administrator?: boolean;
  loginService?: string;
  person?: string;
  email?: string;
};
type LinkOptions = { subject: string; issuer?: string };
type GrantOptions = { role: string; area: string; level: string; hazard?: string[] };
type RevokeOptions = { grant?: number; operator?: boolean };
type TokenOptions = { days: number; revokeOthers?: boolean; revoke?: boolean };

export function addOperatorCommands(program: Command, context: Context): void {
  const operator = program.command('operator').description(context.say('help.operator'));
  operator
    .command('add')
    .description(context.say('help.operatorAdd'))
    .argument('<NAME>', context.say('help.operatorName'))
    .option('--first', context.say('help.operatorFirst'))
    .option('--administrator', context.say('help.operatorAdministrator'))
    .addOption(
      new Option('--login-service <ISSUER>', context.say('help.operatorLoginService')).conflicts([
        ...['first', 'administrator', 'person', 'email'],
      ]),
    )
    .option('--person <PERSON>', context.say('help.operatorPerson'))
    .option('--email <ADDRESS>', context.say('help.operatorEmail'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo operator add 管理员 --first',
        'npx fenghuo operator add 张三 --email zhang@office.example',
        'npx fenghuo operator add 统一登录 --login-service https://login.example',
      ),
    )
    .action(async (name: string, options: AddOptions) => add(context, name, options));
  operator
    .command('list')
    .description(context.say('help.operatorList'))
    .addHelpText('after', example(context, 'npx fenghuo operator list'))
    .action(async () => list(context));
  operator
    .command('grant')
    .description(context.say('help.operatorGrant'))
    .argument('<NAME>', context.say('help.operatorName'))
    .addOption(
      new Option('--role <ROLE>', context.say('help.role'))
        .choices(Object.keys(ROLE_WORDS))
        .makeOptionMandatory(),
    )
    .requiredOption('--area <UNIT>', context.say('help.grantArea'))
    .requiredOption('--level <LEVEL>', context.say('help.grantLevel'))
    .option('--hazard <HAZARD>', context.say('help.grantHazard'), several)
    .addHelpText(
      'after',
      example(context, 'npx fenghuo operator grant 张三 --role releaser --area 黔江区 --level red'),
    )
    .action(async (name: string, options: GrantOptions) => grant(context, name, options));
  operator
    .command('revoke')
    .description(context.say('help.operatorRevoke'))
    .argument('<NAME>', context.say('help.operatorName'))
    .option('--grant <N>', context.say('help.revokeGrant'), wholeNumber(1, 999_999_999))
    .addOption(new Option('--operator', context.say('help.revokeOperator')).conflicts('grant'))
    .addHelpText('after', example(context, 'npx fenghuo operator revoke 张三 --grant 7'))
    .action(async (name: string, options: RevokeOptions) => takeBack(context, name, options));
  operator
    .command('link')
    .description(context.say('help.operatorLink'))
    .argument('<NAME>', context.say('help.operatorName'))
    .requiredOption('--subject <SUBJECT>', context.say('help.linkSubject'))
    .option('--issuer <ISSUER>', context.say('help.linkIssuer'))
    .addHelpText('after', example(context, 'npx fenghuo operator link 张三 --subject 248289761001'))
    .action(async (name: string, options: LinkOptions) => link(context, name, options));
  operator
    .command('unlink')
    .description(context.say('help.operatorUnlink'))
    .argument('<NAME>', context.say('help.operatorName'))
    .addHelpText('after', example(context, 'npx fenghuo operator unlink 张三'))
    .action(async (name: string) => unlink(context, name));
  operator
    .command('token')
    .description(context.say('help.operatorToken'))
    .argument('<NAME>', context.say('help.operatorName'))
    .option('--days <N>', context.say('help.tokenDays'), wholeNumber(1, TOKEN_DAYS.most), TOKEN_DAYS.default)
    .option('--revoke-others', context.say('help.tokenRevokeOthers'))
    .addOption(new Option('--revoke', context.say('help.tokenRevoke')).conflicts('revokeOthers'))
    .addHelpText('after', example(context, 'npx fenghuo operator token 张三 --days 7 --revoke-others'))
    .action(async (name: string, options: TokenOptions) => token(context, name, options));
}

/** Who acts; nobody does anything here without being logged in. */
export async function requireOperator(context: Context): Promise<Operator> {
  const operator = await context.operator();
  if (!operator) throw refusalOf('no-operator');
  return operator;
}

async function add(context: Context, name: string, options: AddOptions): Promise<void> {
  const { first = false, loginService, ...other } = options;
  const database = await context.database();
  if (loginService !== undefined) return addService(context, name, requireIssuer(loginService));
  const added = first
    ? await addFirstOperator(database, name)
    : await addOperator(database, await requireOperator(context), { name, ...other });
  const administrator = first || (other.administrator ?? false);
  printToken(context, name, added, [
    context.say(administrator ? 'operator.addedAdministrator' : 'operator.added', { name }),
  ]);
  context.hint(context.say(administrator ? 'operator.nextAdd' : 'operator.nextGrant', { name }));
}

async function addService(context: Context, name: string, loginIssuer: string): Promise<void> {
  const by = await requireOperator(context);
  const added = await addOperator(await context.database(), by, { name, loginIssuer });
  printToken(context, name, added, [context.say('operator.addedService', { name, issuer: loginIssuer })]);
  context.hint(context.say('operator.nextService'));
}

async function link(context: Context, name: string, options: LinkOptions): Promise<void> {
  const by = await requireOperator(context);
  const identity = await linkOperator(await context.database(), by, name, options);
  context.print({
    value: { operator: name, ...identity },
    lines: () => [context.say('operator.linked', { name, ...identity })],
  });
}

async function unlink(context: Context, name: string): Promise<void> {
  const by = await requireOperator(context);
  const identities = await unlinkOperator(await context.database(), by, name);
  context.print({
    value: { operator: name, unlinked: identities },
    lines: () => identities.map((identity) => context.say('operator.unlinked', { name, ...identity })),
  });
}

async function grant(context: Context, name: string, options: GrantOptions): Promise<void> {
  const by = await requireOperator(context);
  const role = ROLE_WORDS[options.role] ?? 'author';
  const { area, level: highestLevel, hazard: hazards = [] } = options;
  const granted = await grantRole(await context.database(), by, name, { role, area, highestLevel, hazards });
  const shown = { ...granted, role, hazards: granted.hazards === 'all' ? null : granted.hazards };
  context.print({
    value: { operator: name, ...grantShape(shown) },
    lines: () => [`${name}: ${grantLine(shown, context)}`],
  });
}

async function takeBack(context: Context, name: string, options: RevokeOptions): Promise<void> {
  const by = await requireOperator(context);
  const whole = options.operator ?? false;
  const what = { grantId: options.grant ?? null, whole };
  const grants = await revoke(await context.database(), by, name, what);
  context.print({
    value: { operator: name, grantsRevoked: grants, operatorRevoked: whole },
    lines: () => [context.say(whole ? 'operator.revoked' : 'operator.grantsRevoked', { name, grants })],
  });
}

async function token(context: Context, name: string, options: TokenOptions): Promise<void> {
  const by = await requireOperator(context);
  const database = await context.database();
  if (options.revoke === true) {
    const ended = await endTokens(database, by, name);
    context.print({
      value: { operator: name, tokensRevoked: ended },
      lines: () => [context.say('operator.tokensRevoked', { name, ended })],
    });
    return;
  }
  const { days, revokeOthers = false } = options;
  printToken(context, name, await issueToken(database, by, { name, days, revokeOthers }), []);
}

/** A token is shown once: it is stored nowhere. */
export function printToken(
  context: Context,
  name: string,
  issued: IssuedToken,
  before: readonly string[],
): void {
  const { token, expiresAt } = issued;
  context.print({
    value: { operator: name, token, expiresAt: isoWithOffset(expiresAt) },
    lines: () => [...before, context.say('operator.token', { name, token, until: minuteOf(expiresAt) })],
  });
  context.hint(context.say('operator.tokenOnce'));
}

async function list(context: Context): Promise<void> {
  const operators = await listOperators(await context.database());
  const shapes = operators.map(operatorShape);
  context.print({
    value: shapes,
    items: shapes,
    lines: () => operators.flatMap((one) => operatorLines(one, context)),
  });
  if (operators.length === 0) context.hint(context.say('operator.none'));
}

function operatorShape(one: ListedOperator) {
  return {
    operator: one.name,
    administrator: one.administrator,
    loginService: one.loginIssuer,
    linked: one.identities,
    person: one.person,
    email: one.email,
    tokenUntil: isoOrNull(one.tokenUntil),
    lastUsedAt: isoOrNull(one.lastUsedAt),
    grants: one.grants.map(grantShape),
  };
}

function operatorLines(one: ListedOperator, context: Context): string[] {
  const until =
    one.tokenUntil === null
      ? context.say('operator.noToken')
      : context.say('operator.tokenUntil', { until: minuteOf(one.tokenUntil) });
  const administrator = one.administrator ? ` · ${context.say('operator.administrator')}` : '';
  const service =
    one.loginIssuer === null ? '' : ` · ${context.say('operator.loginService', { issuer: one.loginIssuer })}`;
  return [
    `${one.name}${administrator}${service} · ${until}`,
    ...one.identities.map((identity) => `  ${context.say('operator.linkedTo', identity)}`),
    ...one.grants.map((grant) => `  ${grantLine(grant, context)}`),
  ];
}
