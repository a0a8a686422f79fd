/**
 * The two kinds of warning and what an installation needs to serve each. Exercises and actual warnings have processes, queues, Temporal
 * namespaces, senders and credentials of their own; nothing of one kind ever reaches the other.
 */
export type WarningKind = 'exercise' | 'actual';

export const KINDS = ['exercise', 'actual'] as const satisfies readonly WarningKind[];

/** Under which name a kind keeps what each kind has of its own: senders, ids of what came in, watermarks. */
export function nameOfKind(kind: WarningKind, name: string): string {
  return kind === 'actual' ? `actual ${name}` : name;
}

/** A worker that lives, as it said of itself when it started. */
export type LivingWorker = { senders: readonly string[]; namespace: string; publicUrl: string };

/** How an installation stands for one kind. */
export type KindFacts = {
  kind: WarningKind;
  /** A worker of this kind was there at some time: somebody wants it to be. */
  wasThere: boolean;
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
