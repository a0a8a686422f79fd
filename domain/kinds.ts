/**
 * The two kinds of warning and what an installation needs to serve each. Exercises and actual warnings have processes, queues, Temporal
 * namespaces, senders and credentials of their own; nothing of one kind ever reaches the other.
 */
import type { Instant } from './time.ts';

const DAY_MS = 86_400_000;

export type WarningKind = 'exercise' | 'actual';

export const KINDS = ['exercise', 'actual'] as const satisfies readonly WarningKind[];

/** Whose a sender is: of one kind of warning, or of drills alone, where it carries Exercises to people who agreed. */
export type SenderSide = WarningKind | 'drill';

/** Under which name a side keeps what each side has of its own: senders, ids of what came in, watermarks. */
export function nameOfKind(side: SenderSide, name: string): string {
  return side === 'exercise' ? name : `${side} ${name}`;
}

/** A worker that lives, as it said of itself when it started. */
export type LivingWorker = { senders: readonly string[]; namespace: string; publicUrl: string };

/**
 * What a sender is called with the deliveries that it carries. In a drill with people two senders of one vendor may carry Exercises of one
 * worker; elsewhere all that a worker sends is of one side.
 */
export function senderName(side: SenderSide, id: string): string {
  return side === 'drill' ? nameOfKind(side, id) : id;
}

/** How an installation stands for one kind. */
export type KindFacts = {
  kind: WarningKind;
  /** When a worker of this kind was last there; null where none ever was. */
  seenAt: Instant | null;
  workers: readonly LivingWorker[];
  /** A web process of this kind lives: replies and keys of its providers are taken. */
  web: boolean;
  /** Somebody may draft an actual warning, and somebody else may release it. */
  twoPersons: boolean;
  /** Payloads of the other kind that this kind's workers refused within the last day. */
  misdirected: number;
};

/** Why a kind is not ready, or what is to be seen to. */
export type Gap =
  | 'no worker'
  | 'no sender'
  | 'no operators'
  | 'no web'
  | 'plain address'
  | 'address of this machine'
  | 'two namespaces'
  | 'misdirected';

/** What lets no warning of this kind go out, or must not be left as it is. */
const GRAVE: readonly Gap[] = ['no worker', 'no sender', 'no operators', 'two namespaces', 'misdirected'];

/** Without these nothing would leave, and whoever published would think it had. */
const STOPS_PUBLISHING: readonly Gap[] = ['no worker', 'no sender', 'two namespaces'];

/** True where what is published of this kind would go nowhere. */
export function stopsPublishing(gap: Gap): boolean {
  return STOPS_PUBLISHING.includes(gap);
}

/** A kind that nobody has served for so many days is taken as given up, not as broken. Product choice, no source. */
export const GIVEN_UP_DAYS = 7;

/** True where who serves a kind showed life last at `seenAt`, and that is long ago. */
export function isGivenUp(seenAt: Instant, now: Instant): boolean {
  return now - seenAt >= GIVEN_UP_DAYS * DAY_MS;
}

/** True where somebody wants this kind to be served: a worker is there, or was there not long ago. */
export function isWanted({ seenAt }: KindFacts, now: Instant): boolean {
  return seenAt !== null && !isGivenUp(seenAt, now);
}

/** True where it keeps warnings of the kind from going out as they should. */
export function isGrave(gap: Gap): boolean {
  return GRAVE.includes(gap);
}

/** All that is missing; empty where the kind is ready. Only of actual warnings people are named, and links lead outside. */
export function gapsOf(facts: KindFacts): Gap[] {
  const { kind, workers } = facts;
  const actual = kind === 'actual';
  const urls = workers.map(({ publicUrl }) => new URL(publicUrl));
  const found: [gap: Gap, there: boolean][] = [
    ['no worker', workers.length === 0],
    ['no sender', workers.length > 0 && workers.every(({ senders }) => senders.length === 0)],
    ['no operators', actual && !facts.twoPersons],
    ['no web', actual && !facts.web],
    ['plain address', actual && urls.some(({ protocol }) => protocol !== 'https:')],
    ['address of this machine', actual && urls.some(isLoopback)],
    ['two namespaces', new Set(workers.map(({ namespace }) => namespace)).size > 1],
    ['misdirected', facts.misdirected > 0],
  ];
  return found.filter(([, there]) => there).map(([gap]) => gap);
}

/** True for addresses that lead nowhere from another machine. */
function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/.test(hostname);
}
