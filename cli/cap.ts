/** `cap`: check CAP files, take what issuers publish, list what came, and who may send. */
import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import type { CapMessage, CapSender } from '../db/cap.ts';
import { readMessages } from '../db/cap.ts';
import { beatFor, endSign } from '../db/liveness.ts';
import { isError, type Finding } from '../domain/cap/findings.ts';
import type { CapAlert } from '../domain/cap/alert.ts';
import { parseCap } from '../domain/cap/parse.ts';
import { checkProfile, PROFILES, type Profile } from '../domain/cap/profiles.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { pollCap, type Polled } from '../operations/cap-poll.ts';
import { feedSign } from '../domain/watchdog.ts';
import { postReplies } from '../operations/cap-replies.ts';
import { addSender, dropSender, listSenders } from '../operations/cap-senders.ts';
import {
  capSettings,
  findingLine,
  findingShape,
  readCapFile,
  receivedLine,
  receivedShape,
} from './cap-warning.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { describeFailure } from './failures.ts';
import { oneOf, readTextFile, several, wholeNumber } from './options.ts';
import { untilInterrupted } from './signals.ts';
import { renderTable } from './table.ts';
import { minuteOf, parseSpan } from './times.ts';
import { harmless } from './width.ts';

const LISTED_MOST = 50;
const EVERY_MS = 60_000;
/** A round with slow servers, and the replies after it; no feed is missed sooner. */
const ROUND_MS_MOST = 120_000;

export function addCapCommands(program: Command, context: Context): void {
  const cap = program.command('cap').description(context.say('help.cap'));
  cap
    .command('validate')
    .description(context.say('help.capValidate'))
    .argument('<FILE...>', context.say('help.capFiles'))
    .option('--profile <PROFILE>', context.say('help.capProfile'), oneOf([...PROFILES]))
    .addHelpText('after', example(context, 'npx fenghuo cap validate warning.xml --profile china'))
    .action(async (files: string[], options: { profile?: Profile }) =>
      validate(context, files, options.profile ?? 'plain'),
    );
  cap
    .command('poll')
    .description(context.say('help.capPoll'))
    .argument('<URL>', context.say('help.capUrl'))
    .option('--once', context.say('help.capOnce'))
    .option('--every <TIME>', context.say('help.capEvery'), parseSpan)
    .option('--host <HOST>', context.say('help.capHost'), several)
    .option('--rules <FILE>', context.say('help.rules'))
    .addHelpText('after', example(context, 'npx fenghuo cap poll https://weather.example/cap.atom --once'))
    .action(async (url: string, options: PollOptions) => poll(context, url, options));
  cap
    .command('list')
    .description(context.say('help.capList'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 10_000))
    .addHelpText('after', example(context, 'npx fenghuo cap list'))
    .action(async ({ most }: { most?: number }) => list(context, most ?? LISTED_MOST));
  addSenderCommands(cap, context);
}

function addSenderCommands(cap: Command, context: Context): void {
  const sender = cap.command('sender').description(context.say('help.capSender'));
  sender
    .command('add')
    .description(context.say('help.capSenderAdd'))
    .argument('<SENDER>', context.say('help.capSenderName'))
    .option('--key <FILE>', context.say('help.capSenderKey'))
    .option('--reply <URL>', context.say('help.capSenderReply'))
    .option('--name <NAME>', context.say('help.capSenderCalled'))
    .addHelpText('after', example(context, 'npx fenghuo cap sender add weather.example --key weather.pem'))
    .action(async (name: string, options: { key?: string; reply?: string; name?: string }) => {
      const keyText = options.key === undefined ? null : await readTextFile(options.key);
      const added = await addSender(
        await context.database(),
        { sender: name, name: options.name ?? null, keyText, replyUrl: options.reply ?? null },
        await context.operator(),
      );
      context.print({
        value: senderShape(added),
        lines: () => [context.say('cap.senderAdded', { sender: name, key: keyLine(added, context) })],
      });
    });
  sender
    .command('list')
    .description(context.say('help.capSenderList'))
    .addHelpText('after', example(context, 'npx fenghuo cap sender list'))
    .action(async () => {
      const senders = await listSenders(await context.database());
      const shapes = senders.map(senderShape);
      context.print({ value: shapes, items: shapes, lines: () => renderSenders(senders, context) });
      if (senders.length === 0) context.hint(context.say('cap.sendersEmpty'));
    });
  sender
    .command('remove')
    .description(context.say('help.capSenderRemove'))
    .argument('<SENDER>', context.say('help.capSenderName'))
    .addHelpText('after', example(context, 'npx fenghuo cap sender remove weather.example'))
    .action(async (name: string) => {
      await dropSender(await context.database(), name, await context.operator());
      context.print({
        value: { sender: name, removed: true },
        lines: () => [context.say('cap.senderRemoved', { sender: name })],
      });
    });
}

async function validate(context: Context, files: readonly string[], profile: Profile): Promise<void> {
  const checked: { file: string; alert: CapAlert | null; findings: Finding[] }[] = [];
  for (const file of files) {
    const { alert, findings } = parseCap(await readCapFile(file));
    checked.push({ file, alert, findings: [...findings, ...(alert ? checkProfile(profile, alert) : [])] });
  }
  const shapes = checked.map(({ file, alert, findings }) => ({
    file,
    valid: alert !== null,
    ...(alert && {
      identifier: alert.identifier,
      sender: alert.sender,
      status: alert.status,
      msgType: alert.msgType,
    }),
    findings: findings.map((one) => findingShape(one, context)),
  }));
  context.print({
    value: shapes,
    items: shapes,
    lines: () =>
      checked.flatMap(({ file, alert, findings }) => [
        alert
          ? context.say('cap.valid', {
              ...{ file, msgType: alert.msgType, status: alert.status },
              ...{ identifier: harmless(alert.identifier), sender: harmless(alert.sender) },
            })
          : context.say('cap.invalid', { file }),
        ...findings.map((one) => `  ${findingLine(one, context)}`),
      ]),
  });
  if (checked.some(({ alert }) => alert === null)) context.exitCode = EXIT_CODES.usage;
}

type PollOptions = { once?: boolean; every?: number; host?: string[]; rules?: string };

async function poll(context: Context, url: string, options: PollOptions): Promise<void> {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    const sentence = `"${url}" is no address; it looks like https://weather.example/cap.atom.`;
    throw new FenghuoError({ code: 'cap-feed', refusal: 'usage', sentence });
  }
  const { createCapHttp } = await import('../channels/cap-http.ts');
  const { fetch, post } = createCapHttp();
  const database = await context.database();
  const settings = await capSettings(context, {
    trusted: false,
    ...(options.rules === undefined ? {} : { rulePackFile: options.rules }),
  });
  if (!settings.draft) context.tell(context.say('cap.noOperator'));
  const everyMs = options.every ?? EVERY_MS;
  const serves = options.once !== true;
  const sign = feedSign(url);
  await untilInterrupted(async (signal) => {
    const look = async () => {
      const otherHosts = options.host ?? [];
      printPolled(context, url, await pollCap(database, { url, fetch, settings, otherHosts, signal }));
      if (serves) await beatFor(database, sign, everyMs + ROUND_MS_MOST);
    };
    // Who was killed is missed by the watchdog, also before the first look; who is stopped is not.
    if (serves) await beatFor(database, sign, ROUND_MS_MOST).catch(() => undefined);
    const reply = async () => {
      const replies = await postReplies(database, post);
      if (replies.sent + replies.failed + replies.givenUp > 0)
        context.tell(context.say('cap.replies', replies));
    };
    while (!signal.aborted) {
      // A feed that is away holds up no answer to what it gave before.
      for (const work of [look, reply]) {
        try {
          await work();
        } catch (error) {
          // A server or a database that is away comes back, and a lock is let go; somebody who looks once wants to know.
          if (options.once === true) throw error;
          context.tell(describeFailure(error, context.lang).sentence);
        }
      }
      if (options.once === true) return;
      await pause(everyMs, signal);
    }
    await endSign(database, sign).catch(() => undefined);
  });
}

function printPolled(context: Context, url: string, polled: Polled): void {
  const { received, failed, unchanged } = polled;
  const items = received.map(({ link, result }) => ({ link, ...receivedShape(result, context) }));
  context.print({
    value: { url, unchanged, received: items, failed },
    items,
    lines: () =>
      unchanged && received.length === 0 && failed.length === 0
        ? [context.say('cap.unchanged', { url })]
        : [
            context.say('cap.polled', { url, received: received.length, failed: failed.length }),
            ...received.flatMap(({ result }) => [
              `  ${receivedLine(result, context)}`,
              ...result.findings.map((one) => `    ${findingLine(one, context)}`),
            ]),
          ],
  });
  for (const { link, reason } of failed)
    context.tell(context.say('cap.failed', { link: harmless(link), reason }));
}

async function pause(lastsMs: number, signal: AbortSignal): Promise<void> {
  const { setTimeout } = await import('node:timers/promises');
  await setTimeout(lastsMs, undefined, { signal }).catch(() => undefined);
}

async function list(context: Context, most: number): Promise<void> {
  const rows = await readMessages(await context.database(), most);
  const shapes = rows.map((row) => ({
    ...row,
    receivedAt: new Date(row.receivedAt).toISOString(),
    findings: row.findings.map((one) => findingShape(one, context)),
  }));
  context.print({ value: shapes, items: shapes, lines: () => renderMessages(rows, context) });
  if (rows.length === 0) {
    const ways = ['  npx fenghuo cap poll URL', '  npx fenghuo warning issue --cap FILE'];
    context.hint(context.say('cap.listEmpty'), ...ways);
  }
}

function renderMessages(rows: readonly CapMessage[], context: Context): string[] {
  if (rows.length === 0) return [];
  const columns = [
    { title: context.say('cap.column.id'), of: (row: CapMessage) => `M${row.messageId}` },
    { title: context.say('cap.column.received'), of: (row: CapMessage) => minuteOf(row.receivedAt) },
    {
      title: context.say('cap.column.sender'),
      of: (row: CapMessage) => harmless(row.sender ?? '–'),
      shrinks: true,
    },
    {
      title: context.say('cap.column.type'),
      of: (row: CapMessage) => `${row.msgType ?? '–'} ${row.status ?? ''}`,
    },
    {
      title: context.say('cap.column.verdict'),
      of: (row: CapMessage) =>
        receivedLine({ ...row, repeated: false }, context) +
        (row.verdict === 'refused' ? ` ${row.findings.find(isError)?.code ?? ''}` : ''),
    },
    {
      title: context.say('cap.column.identifier'),
      of: (row: CapMessage) => harmless(row.identifier ?? row.origin),
      shrinks: true,
    },
  ];
  return renderTable(rows, columns, context.columns());
}

function renderSenders(senders: readonly CapSender[], context: Context): string[] {
  if (senders.length === 0) return [];
  return renderTable(
    senders,
    [
      { title: context.say('cap.column.sender'), of: (row) => row.sender },
      { title: context.say('cap.column.key'), of: (row) => keyLine(row, context) },
      { title: context.say('cap.column.reply'), of: (row) => row.replyUrl ?? '–', shrinks: true },
    ],
    context.columns(),
  );
}

function keyLine({ publicKey }: CapSender, context: Context): string {
  if (publicKey === null) return context.say('cap.unsigned');
  return context.say('cap.signs', { fingerprint: fingerprint(publicKey) });
}

const FINGERPRINT_SHOWN = 16;

function fingerprint(publicKey: string): string {
  return createHash('sha256').update(publicKey).digest('hex').slice(0, FINGERPRINT_SHOWN);
}

function senderShape({ sender, name, publicKey, replyUrl }: CapSender) {
  return { sender, name, key: publicKey === null ? null : fingerprint(publicKey), replyUrl };
}
