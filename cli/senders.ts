/** `delivery senders`: how each sender stands, and its circuit by hand. */
import type { Command } from 'commander';
import type { SenderState } from '../db/senders.ts';
import { closeByHand, listSenders, openByHand } from '../operations/senders.ts';
import { requireActor } from './actor.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { renderTable } from './table.ts';
import { isoOrNull, parseSpan, span } from './times.ts';

const CLOSED_MS_DEFAULT = 60 * 60_000;

type ByHand = { by?: string; reason: string };

export function addSenderCommands(delivery: Command, context: Context): void {
  delivery
    .command('senders')
    .description(context.say('help.senders'))
    .addHelpText('after', example(context, 'npx fenghuo delivery senders'))
    .action(async () => {
      const senders = await listSenders(await context.database());
      const shapes = senders.map(senderShape);
      context.print({ value: shapes, items: shapes, lines: () => renderSenders(senders, context) });
      if (senders.length === 0) context.hint(context.say('senders.none'));
    });
  byHand(delivery.command('open'), context)
    .description(context.say('help.openSender'))
    .addHelpText(
      'after',
      example(context, 'npx fenghuo delivery open sms-gateway --by 王值班 --reason 网关已恢复'),
    )
    .action(async (sender: string, { by: given, reason }: ByHand) => {
      const by = await requireActor(context, given, '--by');
      show(context, await openByHand(await context.database(), { sender, by, reason }));
    });
  byHand(delivery.command('close'), context)
    .description(context.say('help.closeSender'))
    .option('--for <TIME>', context.say('help.closeFor'), parseSpan)
    .addHelpText(
      'after',
      example(context, 'npx fenghuo delivery close sms-gateway --for 2h --by 王值班 --reason 网关维护'),
    )
    .action(async (sender: string, options: ByHand & { for?: number }) => {
      const { reason, for: forMs = CLOSED_MS_DEFAULT } = options;
      const by = await requireActor(context, options.by, '--by');
      show(context, await closeByHand(await context.database(), { sender, by, reason, forMs }));
    });
}

function byHand(command: Command, context: Context): Command {
  return command
    .argument('<SENDER>', context.say('help.sender'))
    .option('--by <NAME>', context.say('help.by'))
    .requiredOption('--reason <TEXT>', context.say('help.reason'));
}

function show(context: Context, sender: SenderState): void {
  context.print({ value: senderShape(sender), lines: () => renderSenders([sender], context) });
}

function senderShape({ id, channel, perSecond, reason, closedForMs, changedAt }: SenderState) {
  return {
    id,
    channel,
    perSecond,
    open: reason === null,
    reason,
    closedForMs: reason === null ? 0 : Math.ceil(closedForMs),
    changedAt: isoOrNull(changedAt),
  };
}

function renderSenders(senders: readonly SenderState[], context: Context): string[] {
  if (senders.length === 0) return [];
  return renderTable(
    senders,
    [
      { title: context.say('senders.sender'), of: ({ id }) => id },
      { title: context.say('delivery.channel'), of: ({ channel }) => channel },
      {
        title: context.say('senders.rate'),
        of: ({ perSecond }) => (perSecond === null ? '-' : String(perSecond)),
        align: 'right',
      },
      {
        title: context.say('senders.state'),
        of: ({ reason, closedForMs }) =>
          reason === null
            ? context.say('senders.open')
            : context.say('senders.closed', { reason, left: span(closedForMs, context.lang) }),
        shrinks: true,
      },
    ],
    context.columns(),
  );
}
