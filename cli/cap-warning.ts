/** `warning issue --cap` and `warning export`: CAP in, and out. */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { CAP_BYTES_MAX } from '../domain/cap/decode.ts';
import { isError, sentenceOf, type Finding } from '../domain/cap/findings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { exportCap } from '../operations/cap-export.ts';
import { receiveCap, type CapSettings, type Received } from '../operations/cap-receive.ts';
import { createDraft } from '../operations/drafts.ts';
import { parseWarningId } from '../operations/warnings.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { oneOf } from './options.ts';
import { warningId } from './shapes.ts';
import { harmless } from './width.ts';

/** `--cap FILE` stands for everything the other options say: none of them is asked for beside it. */
export function capOption(command: Command, context: Context): Command {
  command.option('--cap <FILE>', context.say('help.issueCap'));
  command.on('option:cap', () => {
    for (const option of command.options) option.mandatory = false;
  });
  return command;
}

export function addExportCommand(warning: Command, context: Context): void {
  warning
    .command('export')
    .description(context.say('help.export'))
    .argument('<WARNING>', context.say('help.warningId'))
    .requiredOption('--format <FORMAT>', context.say('help.format'), oneOf(['cap']))
    .addHelpText('after', example(context, 'npx fenghuo warning export W12 --format cap > W12.xml'))
    .action(async (id: string) => {
      const config = await context.config();
      const xml = await exportCap(await context.database(), parseWarningId(id), {
        identity: identityOf(config),
        privateKey: config.FENGHUO_CAP_KEY ?? null,
      });
      if (context.output === 'text') context.stdout.write(xml);
      else context.print({ value: { warning: id, cap: xml }, lines: () => [] });
    });
}

function identityOf(config: { FENGHUO_CAP_SENDER: string; FENGHUO_CAP_AGENCY?: string | undefined }) {
  return { sender: config.FENGHUO_CAP_SENDER, agency: config.FENGHUO_CAP_AGENCY ?? null };
}

/** Issues what a CAP file asks for. Exit code 2 where it is refused, 4 where nobody with authority is logged in. */
export async function issueCap(
  context: Context,
  options: { cap: string; speed?: number; rules?: string },
): Promise<void> {
  const { cap, speed, rules } = options;
  const settings = await capSettings(context, {
    trusted: true,
    ...(speed === undefined ? {} : { speed }),
    ...(rules === undefined ? {} : { rulePackFile: rules }),
  });
  const bytes = await readCapFile(cap);
  const database = await context.database();
  const received = await receiveCap(database, { bytes, origin: cap }, settings);
  const details = received.findings.map((one) => findingLine(one, context));
  if (received.verdict === 'refused' || received.verdict === 'held') {
    const errors = received.findings.filter(isError);
    const refused = received.verdict === 'refused';
    throw new FenghuoError({
      code: refused ? 'cap-refused' : 'cap-held',
      refusal: refused ? 'usage' : 'notPermitted',
      sentence: errors[0] ? sentenceOf(errors[0], context.lang) : cap,
      details,
    });
  }
  context.print({
    value: receivedShape(received, context),
    lines: () => [receivedLine(received, context), ...details.map((line) => `  ${line}`)],
  });
  if (received.draftId !== null && !received.repeated)
    context.hint(context.say('cap.nextDraft', { draft: `D${received.draftId}` }));
  if (received.warningId !== null && !received.repeated)
    context.hint(`  npx fenghuo warning watch ${warningId(received.warningId)}`);
}

export async function capSettings(
  context: Context,
  given: Pick<CapSettings, 'trusted' | 'speed' | 'rulePackFile'>,
): Promise<CapSettings> {
  const operator = await context.operator();
  return {
    ...given,
    identity: identityOf(await context.config()),
    draft: operator ? (database, { content, pack }) => createDraft(database, operator, content, pack) : null,
  };
}

export function receivedLine(
  received: Pick<Received, 'verdict' | 'repeated' | 'warningId' | 'draftId'>,
  context: Context,
): string {
  const warning = received.warningId === null ? '' : warningId(received.warningId);
  const draft = received.draftId === null ? '' : `D${received.draftId}`;
  const what = context.say(`cap.${received.verdict}`, { warning, draft });
  return received.repeated ? context.say('cap.repeated', { what }) : what;
}

export function receivedShape(received: Received, context: Context) {
  const { verdict, repeated, messageId, alert } = received;
  return {
    verdict,
    repeated,
    message: messageId === null ? null : `M${messageId}`,
    warning: received.warningId === null ? null : warningId(received.warningId),
    draft: received.draftId === null ? null : `D${received.draftId}`,
    ...(alert ?? {}),
    findings: received.findings.map((one) => findingShape(one, context)),
  };
}

/** The bytes of a file, or of standard input where it is `-`; never many more than a message may have. */
export async function readCapFile(file: string): Promise<Buffer> {
  const most = CAP_BYTES_MAX + 1;
  if (file === '-') {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= most) break;
    }
    return Buffer.concat(chunks);
  }
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      const buffer = Buffer.alloc(Math.min(size, most));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    const sentence = `The file ${file} cannot be read (${reason}). Check its name and rights, then try again.`;
    throw new FenghuoError({ code: 'file', refusal: 'usage', sentence, cause });
  }
}

/** `CAP-205 8:5 /alert/info/eventCode: eventCode must stand before …`. */
export function findingLine(one: Finding, context: Context): string {
  const place = one.line === null ? '' : ` ${one.line}:${one.column}`;
  const path = one.path === '' ? '' : ` ${one.path}`;
  const kind = context.say(isError(one) ? 'cap.error' : 'cap.recommendation');
  return harmless(`${one.code} ${kind}${place}${path}: ${sentenceOf(one, context.lang)}`);
}

export function findingShape(one: Finding, context: Context) {
  const { code, line, column, path } = one;
  const kind = isError(one) ? 'error' : 'recommendation';
  return { code, kind, line, column, path, sentence: sentenceOf(one, context.lang) };
}
