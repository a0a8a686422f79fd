/** The providers and the people behind them: what was taken stands in a ledger that nobody else writes. */
import { answerNumber, recipientName, type AnswerKeys } from '../../domain/links.ts';
import type { ChannelPort, OutgoingMessage, SendResult } from '../../domain/ports.ts';
import type { WarningKind } from '../../domain/kinds.ts';
import { CHANNELS, type Channel } from '../../domain/rules.ts';
import type { Instant } from '../../domain/time.ts';
import type { AnswerKind } from '../../domain/unit.ts';
import { drawsOf, type Draw } from '../harness/random.ts';
import type { Act } from './backend.ts';
import type { Link, Process } from './connection.ts';
import type { FaultCounts } from './faults.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedWorld } from './world.ts';

export const KEYS: AnswerKeys = [{ id: '1', secret: 'a secret of the simulator, of no use elsewhere' }];
export const WARNING_ID = 1;

/** One message a provider took. */
export type Taken = {
  deliveryId: number;
  attempt: number;
  channel: Channel;
  address: string;
  kind: 'exercise' | 'actual';
  /** It stood on a channel that reaches the public. */
  live: boolean;
  synthetic: boolean;
  at: Instant;
};

type Fate = 'ok' | 'failed' | 'later' | 'answer lost' | 'request lost' | 'hang';

export class FarSide {
  readonly ledger: Taken[] = [];
  /** The provider answers nothing, or turns everybody away. */
  away: 'later' | 'hang' | null = null;
  /** Somebody got a message. */
  onTaken: (entry: Taken, message: OutgoingMessage) => void = () => undefined;
  private readonly draw: Draw;
  private readonly world: SimulatedWorld;
  private readonly scheduler: Scheduler;
  private readonly link: Link;
  private readonly counts: FaultCounts;

  constructor(world: SimulatedWorld, link: Link, counts: FaultCounts) {
    this.world = world;
    this.link = link;
    this.scheduler = link.scheduler;
    this.counts = counts;
    this.draw = drawsOf(world.data.seed);
  }

  /** What the world's workers are told to serve; their channels may be wired for the other kind. */
  get serves(): WarningKind {
    return this.world.data.kind;
  }

  channel(process: Process, channel: Channel): ChannelPort {
    const { kind, miswired, concurrency, messageTimeoutMs } = this.world.data;
    const live = (kind === 'actual') !== miswired;
    return {
      channel,
      live,
      concurrency,
      messageTimeoutMs,
      send: (message) => this.send(process, channel, live, message),
      ...(this.draw(12, CHANNELS.indexOf(channel)) < 0.5 && {
        find: (message: OutgoingMessage, attempt: number) => this.find(process, message, attempt),
      }),
      close: async () => undefined,
    };
  }

  private send(
    process: Process,
    channel: Channel,
    live: boolean,
    message: OutgoingMessage,
  ): Promise<SendResult> {
    const { scheduler } = this;
    const { messageTimeoutMs, sluggish } = this.world.data;
    const fate = this.fateOf(channel, message);
    if (fate !== 'ok') this.counts.hit(`channel: ${fate}`);
    const most = Math.max(4, Math.floor((messageTimeoutMs - 1) * (fate === 'hang' ? 1 : sluggish)));
    const thereMs = scheduler.between(1, Math.max(1, most >> 1));
    const backMs =
      fate === 'hang' ? messageTimeoutMs - thereMs : scheduler.between(1, Math.max(1, most >> 1));
    const hangTaken = fate === 'hang' && scheduler.chance(0.5);
    return new Promise((resolve) => {
      scheduler.after(thereMs, () => {
        this.link.strike();
        // What a killed process had written to the wire may arrive or not.
        const arrives = process.alive || scheduler.chance(0.5);
        if (arrives && (fate === 'ok' || fate === 'answer lost' || hangTaken))
          this.take(channel, live, message);
        scheduler.after(backMs, () => {
          this.link.strike();
          if (process.alive) resolve(resultOf(fate, message));
        });
      });
    });
  }

  /** A provider that can be asked what it has; sometimes it does not answer, and a message may still be on its way to it. */
  private find(process: Process, { deliveryId }: OutgoingMessage, attempt: number) {
    const { scheduler } = this;
    return new Promise<{ providerId: string } | null | 'unknown'>((resolve) => {
      scheduler.after(scheduler.between(1, Math.max(1, this.world.data.messageTimeoutMs >> 2)), () => {
        this.link.strike();
        if (!process.alive) return;
        if (this.away || scheduler.chance(0.1)) {
          this.counts.hit('channel: not asked');
          return resolve('unknown');
        }
        const known = this.ledger.find(
          (entry) => entry.deliveryId === Number(deliveryId) && entry.attempt <= attempt,
        );
        resolve(known ? { providerId: `${deliveryId}.${known.attempt}` } : null);
      });
    });
  }

  private take(channel: Channel, live: boolean, message: OutgoingMessage): void {
    const { address, kind, synthetic, attempt } = message;
    const deliveryId = Number(message.deliveryId);
    const entry = { deliveryId, attempt, channel, address, kind, live, synthetic, at: this.scheduler.now };
    this.ledger.push(entry);
    this.onTaken(entry, message);
  }

  private fateOf(channel: Channel, message: OutgoingMessage): Fate {
    const { temper } = this.world.data;
    if (this.away) return this.away;
    const contact = Number(message.address.replaceAll(/\D/g, '')) % 1_000_000_007;
    if (this.draw(11, contact, CHANNELS.indexOf(channel)) < temper.badContacts) return 'failed';
    let luck = this.scheduler.random();
    for (const [fate, share] of [
      ['later', temper.later],
      ['answer lost', temper.answerLost],
      ['request lost', temper.requestLost],
      ['hang', temper.hang],
    ] as const) {
      if (luck < share) return fate;
      luck = (luck - share) / (1 - share);
    }
    return 'ok';
  }
}

function resultOf(fate: Fate, message: OutgoingMessage): SendResult {
  switch (fate) {
    case 'ok':
      return { outcome: 'handed off', providerId: `${message.deliveryId}.${message.attempt}` };
    case 'failed':
      return { outcome: 'failed', reason: 'bad-contact' };
    case 'later':
      return { outcome: 'later', reason: 'throttled' };
    case 'answer lost':
    case 'request lost':
      return { outcome: 'unknown', reason: 'cut' };
    case 'hang':
      return { outcome: 'unknown', reason: 'timeout' };
    default:
      return fate satisfies never;
  }
}

/** What people really did: every answer must trace to one of these. */
export type Deed = Act & { authentic: boolean };

/** Who thinks longer answers when the run is over. */
const ANSWER_MS_MAX = 4 * 60_000;

/** The people behind addresses; they act some time after a message, and now and then unasked. */
export class People {
  readonly deeds = new Map<number, Deed>();
  /** Acts that are on their way. */
  pending = 0;
  private readonly world: SimulatedWorld;
  private readonly scheduler: Scheduler;
  private readonly submit: (act: Act, number: string) => void;

  constructor(world: SimulatedWorld, scheduler: Scheduler, submit: (act: Act, number: string) => void) {
    this.world = world;
    this.scheduler = scheduler;
    this.submit = submit;
  }

  /** Words that follow no message: vouched by somebody, before the first send or after the end. */
  speakUnasked(): void {
    const { scheduler, world } = this;
    const { lastsMs, units } = world.data;
    for (const { unitId } of units) {
      if (!world.inScope(unitId) || !scheduler.chance(0.04)) continue;
      const afterMs = Math.floor(scheduler.random() ** 2 * 1.1 * lastsMs);
      this.later(afterMs, { audience: 'vouched', unitId }, this.word(), null);
    }
  }

  hear(
    message: OutgoingMessage,
    recipient: { audience: 'people' | 'households'; recipientId: number },
  ): void {
    const { scheduler } = this;
    const { temper, rules } = this.world.data;
    if (scheduler.chance(temper.scanners)) this.later(scheduler.between(0, 500), recipient, 'received', '');
    if (scheduler.chance(temper.silence)) return;
    const waitMs = rules.ladder[0]?.waitMs ?? 1_000;
    const afterMs = Math.min(ANSWER_MS_MAX, Math.floor(scheduler.random() ** 2 * 2.5 * waitMs));
    const number = message.parameters['number'] ?? '';
    this.later(afterMs, recipient, this.word(), number);
    if (scheduler.chance(temper.again))
      this.later(
        afterMs + Math.min(ANSWER_MS_MAX, scheduler.between(0, waitMs)),
        recipient,
        this.word(),
        number,
      );
  }

  private word(): AnswerKind {
    const { scheduler } = this;
    if (scheduler.chance(this.world.data.temper.cannotAct)) return 'cannot act';
    return scheduler.chance(0.6) ? 'received' : 'done';
  }

  /** `number` is null for who needs none, and empty for who has none: a scanner that presses a button. */
  private later(afterMs: number, by: Act['by'], kind: AnswerKind, number: string | null): void {
    this.pending += 1;
    const actId = this.deeds.size + 1;
    this.deeds.set(actId, { actId, by, kind, authentic: number !== '' });
    this.scheduler.after(afterMs, () => {
      this.submit({ actId, by, kind }, number ?? numberOf(by));
    });
  }
}

/** The number in the messages of one recipient; vouched words need none. */
export function numberOf(by: Act['by']): string {
  return by.audience === 'vouched'
    ? ''
    : answerNumber(KEYS, WARNING_ID, recipientName(by.audience, by.recipientId));
}
