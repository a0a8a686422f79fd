/** `delivery`: what became of single messages of a warning, and once more. */
import { Option, type Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import type { DeadLetter, DeliveryKind } from '../db/delivery-list.ts';
import {
  listDeliveries,
  parseDeliveryName,
  retryDelivery,
  retryFailed,
  type ListedDelivery,
} from '../operations/deliveries.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { actorIfKnown, requireActor } from './actor.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { wholeNumber } from './options.ts';
import { addSenderCommands } from './senders.ts';
import { unitName, warningId } from './shapes.ts';
import { renderTable } from './table.ts';
import { isoOrNull, timeOfDay } from './times.ts';
import { harmless } from './width.ts';

const LISTED_MOST = 100;

type ListOptions = { failed?: boolean; unknown?: boolean; dead?: boolean; unit?: string; most?: number };
type RetryOptions = { failed?: boolean; by?: string; reason: string };

export function addDeliveryCommands(program: Command, context: Context): void {
  const delivery = program.command('delivery').description(context.say('help.delivery'));
  addSenderCommands(delivery, context);
  delivery
    .command('list')
    .description(context.say('help.deliveryList'))
    .argument('<WARNING>', context.say('help.warningId'))
    .addOption(new Option('--failed', context.say('help.failed')).conflicts(['unknown', 'dead']))
    .addOption(new Option('--unknown', context.say('help.unknown')).conflicts('dead'))
    .option('--dead', context.say('help.dead'))
    .option('--unit <UNIT>', context.say('help.unit'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText('after', example(context, 'npx fenghuo delivery list W12 --failed'))
    .action(async (id: string, options: ListOptions) => list(context, parseWarningId(id), options));
  delivery
    .command('retry')
    .description(context.say('help.deliveryRetry'))
    .argument('<WARNING>', context.say('help.warningId'))
    .argument('[DELIVERY]', context.say('help.deliveryId'))
    .option('--failed', context.say('help.retryFailed'))
    .option('--by <NAME>', context.say('help.by'))
    .requiredOption('--reason <TEXT>', context.say('help.reason'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo delivery retry W12 4097 --by 王值班 --reason 号码已更正',
        'npx fenghuo delivery retry W12 --failed --by 王值班 --reason 网关已恢复',
      ),
    )
    .action(async (id: string, name: string | undefined, options: RetryOptions) =>
      retry(context, parseWarningId(id), name, options),
    );
}

async function list(context: Context, number: number, options: ListOptions): Promise<void> {
  const most = options.most ?? LISTED_MOST;
  const kind: DeliveryKind | 'dead' = options.failed
    ? 'failed'
    : options.unknown
      ? 'unknown'
      : options.dead
        ? 'dead'
        : 'all';
  const found = await listDeliveries(await context.database(), {
    ...{ warningId: number, kind, most: most + 1 },
    ...(options.unit === undefined ? {} : { unit: options.unit }),
  });
  const deliveries = found.deliveries.slice(0, most);
  const dead = found.dead.slice(0, most);
  const more = found.deliveries.length > most || found.dead.length > most;
  const shapes = { deliveries: deliveries.map(deliveryShape), dead: dead.map(deadShape) };
  const id = warningId(number);
  context.print({
    value: { warning: id, more, ...shapes },
    items: [...shapes.deliveries, ...shapes.dead],
    lines: () => [
      ...(deliveries.length > 0 ? renderDeliveries(deliveries, context) : []),
      ...(deliveries.length > 0 && dead.length > 0 ? [''] : []),
      ...(dead.length > 0 ? renderDead(dead, context) : []),
    ],
  });
  if (deliveries.length + dead.length === 0) context.hint(context.say('delivery.none', { id }));
  else if (kind !== 'all') context.hint(context.say('delivery.next', { id }));
  if (more) context.hint(context.say('silent.more', { most }));
}

async function retry(
  context: Context,
  number: number,
  name: string | undefined,
  options: RetryOptions,
): Promise<void> {
  const { failed = false, reason } = options;
  if ((name === undefined) !== failed) {
    throw new FenghuoError({
      code: 'retry-what',
      refusal: 'usage',
      sentence: context.say('delivery.retryWhat'),
    });
  }
  const by = await requireActor(context, options.by, '--by');
  const database = await context.database();
  const word = { warningId: number, by, reason, actor: await actorIfKnown(context) };
  const done =
    name === undefined
      ? await retryFailed(database, word)
      : await retryDelivery(database, { ...word, name: parseDeliveryName(name) });
  const id = warningId(number);
  context.print({
    value: { warning: id, ...done },
    lines: () => [context.say('delivery.retried', { id, ...done })],
  });
  context.hint(context.say('delivery.watch', { id }));
}

function deliveryShape(row: ListedDelivery) {
  return {
    id: String(row.deliveryId),
    attempt: row.attempt,
    unitId: String(row.unitId),
    code: row.code,
    path: row.path,
    recipient: { kind: row.audience, id: String(row.recipientId), name: row.recipient },
    channel: row.channel,
    address: row.address,
    fault: row.fault,
    purpose: row.purpose,
    step: row.step,
    outcome: row.outcome,
    reason: row.reason,
    sender: row.sender,
    receipt: row.receipt,
    receiptCode: row.receiptCode,
    possibleDuplicate: row.possibleDuplicate,
    underWay: row.underWay,
    answered: row.answered,
    at: isoOrNull(row.at),
  };
}

function deadShape({ letterId, unitId, code, path, kind, reason, at }: DeadLetter) {
  return {
    id: `L${letterId}`,
    unitId: unitId === null ? null : String(unitId),
    code,
    path,
    letter: kind,
    reason,
    at: isoOrNull(at),
  };
}

function renderDeliveries(rows: readonly ListedDelivery[], context: Context): string[] {
  return renderTable(
    rows,
    [
      { title: context.say('list.id'), of: ({ deliveryId }) => String(deliveryId) },
      { title: context.say('delivery.at'), of: ({ at }) => timeOfDay(at) },
      { title: context.say('unit.path'), of: ({ path }) => unitName(path), shrinks: true },
      { title: context.say('delivery.recipient'), of: ({ recipient }) => harmless(recipient), shrinks: true },
      { title: context.say('delivery.channel'), of: ({ channel }) => channel },
      { title: context.say('delivery.address'), of: ({ address }) => address ?? '-', shrinks: true },
      { title: context.say('delivery.try'), of: ({ attempt }) => String(attempt), align: 'right' },
      { title: context.say('delivery.outcome'), of: outcomeOf },
    ],
    context.columns(),
  );
}

/** What came of it, with the provider's later word where there is one: `failed bad-contact`, `handed off, undelivered 30003`. */
function outcomeOf({ outcome, reason, receipt, receiptCode }: ListedDelivery): string {
  const own = reason === null ? outcome : `${outcome} ${reason}`;
  if (receipt === null) return own;
  return `${own}, ${receipt}${receiptCode === null ? '' : ` ${receiptCode}`}`;
}

function renderDead(dead: readonly DeadLetter[], context: Context): string[] {
  return renderTable(
    dead,
    [
      { title: context.say('list.id'), of: ({ letterId }) => `L${letterId}` },
      { title: context.say('delivery.at'), of: ({ at }) => timeOfDay(at) },
      { title: context.say('unit.path'), of: ({ path }) => unitName(path), shrinks: true },
      { title: context.say('delivery.letter'), of: ({ kind }) => kind },
      {
        title: context.say('unit.reason'),
        of: ({ reason }) => harmless(reason).replaceAll('\n', ' '),
        shrinks: true,
      },
    ],
    context.columns(),
  );
}
