/** What both stand-ins share: a message is recorded, counted and then noticed by its reader. */
import { perChannel, type Channel } from '../domain/rules.ts';
import type { Arrival, Crowd } from './crowd.ts';
import type { FaultPlan } from './faults.ts';
import type { Ledger, LedgerBack, LedgerMessage } from './ledger.ts';
import type { Players } from './players.ts';

/** A message as a stand-in took it. `text` is decoded only where somebody will answer. */
export type Taken = Omit<LedgerMessage, 'deliveryId' | 'attempt' | 'at'> &
  Pick<Arrival, 'text' | 'ways'> & {
    /** While it waits in the provider's queue: false where it was taken back. Left out: it arrives at once. */
    arrives?: Promise<boolean>;
  };

/** What was counted since the start, or of one warning. */
export type FarSideCounts = { messages: Record<Channel, number>; acts: number };

export class FarSide {
  /** The plan in force; replaced as a whole at run time. */
  faults: FaultPlan;
  readonly seed: string;
  /** Faults that really hit, by kind. */
  readonly faultsHit = new Map<string, number>();
  readonly total: FarSideCounts = noCounts();
  /** What was said back to people who had written. */
  backs = 0;
  /** Messages that were taken back. */
  recalled = 0;
  private readonly smsByReference = new Map<string, string[]>();
  private readonly byWarning = new Map<string, FarSideCounts>();
  private readonly ledger: Ledger;
  private readonly crowd: Pick<Crowd, 'notice'>;
  private readonly players: Players | null;
  private readonly keepTexts: boolean;

  /** `players`: the people of a drill, where one is played. */
  constructor(input: {
    ledger: Ledger;
    crowd: Crowd;
    players?: Players | null;
    seed: string;
    faults: FaultPlan;
    keepTexts: boolean;
  }) {
    this.ledger = input.ledger;
    this.players = input.players ?? null;
    this.crowd = this.players ?? input.crowd;
    this.seed = input.seed;
    this.faults = input.faults;
    this.keepTexts = input.keepTexts;
  }

  /** Resolves when the message is in the ledger: only then may the sender hear of it. */
  async take({ text, ways, arrives, ...taken }: Taken): Promise<void> {
    const { deliveryId, attempt } = splitReference(taken.reference);
    const body = this.keepTexts ? { body: taken.body ?? text() ?? '' } : {};
    const means = this.players?.meansOf({ ...taken, text });
    const kept = { ...body, ...(means && { means }) };
    await this.ledger.message({ ...taken, ...kept, deliveryId, attempt, at: new Date().toISOString() });
    this.remember(taken);
    const notice = () => this.crowd.notice({ ...taken, deliveryId, text, ...(ways ? { ways } : {}) });
    if (arrives) void arrives.then((arrived) => arrived && notice());
    else notice();
  }

  /** Why the scenario of a drill has a message to this address refused right now; null where it has not. */
  refusal(channel: Channel, address: string): ReturnType<Players['refusal']> {
    const refusal = this.players?.refusal(channel, address) ?? null;
    if (refusal) this.hit(`${channel} ${refusal}`);
    return refusal;
  }

  /** True where the cast of a drill decides how a call ends. */
  plays(channel: Channel, address: string): boolean {
    return this.players?.plays(channel, address) ?? false;
  }

  /** A message was taken back before it went out. Resolves when that is in the ledger. */
  async recall(message: Pick<LedgerMessage, 'reference' | 'messageId' | 'warningId'>): Promise<void> {
    await this.ledger.recall({ ...message, at: new Date().toISOString() });
    this.recalled += 1;
  }

  /** What is said back to a person is no message of a warning: it is counted apart, and nobody answers it. */
  async takeBack(back: Omit<LedgerBack, 'at'>): Promise<void> {
    await this.ledger.back({ ...back, at: new Date().toISOString() });
    this.backs += 1;
  }

  /** Counts a message of the ledger, of this life or an earlier one. */
  remember(message: Pick<LedgerMessage, 'channel' | 'warningId' | 'reference' | 'messageId'>): void {
    const { channel, warningId, reference, messageId } = message;
    this.total.messages[channel] += 1;
    this.entry(warningId).messages[channel] += 1;
    // Only the gateway is asked for what it took under a reference.
    if (channel !== 'sms' || isTwilioSid(messageId)) return;
    const known = this.smsByReference.get(reference);
    if (known) known.push(messageId);
    else this.smsByReference.set(reference, [messageId]);
  }

  /** The gateway's ids of what it took under a reference, in order. */
  smsOf(reference: string): readonly string[] {
    return this.smsByReference.get(reference) ?? [];
  }

  countAct(warningId: string): void {
    this.total.acts += 1;
    this.entry(warningId).acts += 1;
  }

  hit(fault: string): void {
    this.faultsHit.set(fault, (this.faultsHit.get(fault) ?? 0) + 1);
  }

  /** All zero for a warning that nothing is known of. */
  countsOf(warningId: string): FarSideCounts {
    return this.byWarning.get(warningId) ?? noCounts();
  }

  private entry(warningId: string): FarSideCounts {
    const known = this.byWarning.get(warningId);
    if (known) return known;
    const counts = noCounts();
    this.byWarning.set(warningId, counts);
    return counts;
  }
}

function noCounts(): FarSideCounts {
  return { messages: perChannel(() => 0), acts: 0 };
}

/** True for ids of the sandbox's Twilio, as the ledger holds them. */
export function isTwilioSid(messageId: string): boolean {
  return /^(SM|CA)[0-9a-f]{32}$/.test(messageId);
}

/** `<delivery>.<attempt>`; what has another form is a delivery of its own with attempt 0. */
export function splitReference(reference: string): { deliveryId: string; attempt: number } {
  const match = /^(.+)\.(\d{1,6})$/.exec(reference);
  return match
    ? { deliveryId: match[1] ?? '', attempt: Number(match[2]) }
    : { deliveryId: reference, attempt: 0 };
}
