/**
 * The far side's truth: every message that was accepted and everything people did, as lines of JSON in two files.
 *
 * A line is handed to the kernel before the sender hears of the acceptance, so a kill -9 of this process loses nothing that
 * anybody was told. (A power cut may: this is a stand-in.) Lines of one turn of the event loop share one write.
 */
import { createReadStream, mkdirSync, openSync, closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { perChannel, type Channel } from '../domain/rules.ts';
import type { AnswerMeans } from './people.ts';

/** A message that the far side took. */
export type LedgerMessage = {
  channel: Channel;
  /** `<delivery>.<attempt>`. */
  reference: string;
  deliveryId: string;
  attempt: number;
  warningId: string;
  address: string;
  /** The far side's own id. */
  messageId: string;
  /** ISO, UTC. */
  at: string;
  /** Bytes of the body as it came. */
  bytes: number;
  /** The rung and speed an Exercise told; null where it told none. */
  step: string | null;
  speed: number | null;
  /** The fault this message met although it was recorded. */
  fault: 'answer lost' | 'answer held' | 'tarpit' | null;
  /** The text, where the far side is asked for it again. */
  body?: string;
  /** How somebody of a cast would answer it: a sandbox that starts again has only this. */
  means?: AnswerMeans;
};

/** What a person set out to do, written before it is done: no answer can be anywhere without it. */
export type LedgerAct = {
  type: 'act';
  actId: string;
  warningId: string;
  deliveryId: string;
  address: string;
  via: Channel;
  kind: 'received' | 'done' | 'cannot act';
  at: string;
};

/** What came of an act: the last HTTP status, or `given-up` where nobody took it. */
export type LedgerResult = { type: 'result'; actId: string; at: string; status: number | 'given-up' };

/** Something that was said back to a person who had written. It is of no delivery, so it stands apart. */
export type LedgerBack = { replyId: string; address: string; text: string; at: string };

/** A message that was taken back before it went out: nobody ever saw it. */
export type LedgerRecall = Pick<LedgerMessage, 'reference' | 'messageId' | 'warningId' | 'at'>;

const FILES = {
  messages: 'messages.jsonl',
  acts: 'acts.jsonl',
  backs: 'backs.jsonl',
  recalls: 'recalls.jsonl',
} as const;

/** The ledger as its writer has it. Each promise resolves when the line is the kernel's. */
export type Ledger = {
  message(entry: LedgerMessage): Promise<void>;
  act(entry: LedgerAct | LedgerResult): Promise<void>;
  back(entry: LedgerBack): Promise<void>;
  recall(entry: LedgerRecall): Promise<void>;
  close(): void;
};

/** Opens the ledger of a directory, made where it is missing; what is there is kept. One process writes at a time. */
export function openLedger(directory: string): Ledger {
  mkdirSync(directory, { recursive: true });
  const messages = new LineFile(path.join(directory, FILES.messages));
  const acts = new LineFile(path.join(directory, FILES.acts));
  const backs = new LineFile(path.join(directory, FILES.backs));
  const recalls = new LineFile(path.join(directory, FILES.recalls));
  return {
    message: (entry) => messages.append(entry),
    act: (entry) => acts.append(entry),
    back: (entry) => backs.append(entry),
    recall: (entry) => recalls.append(entry),
    close: () => {
      messages.close();
      acts.close();
      backs.close();
      recalls.close();
    },
  };
}

/** What a ledger holds, all of it or of one warning. */
export type LedgerSummary = {
  /** Messages by channel. */
  messages: Record<Channel, number>;
  /** Messages for each delivery. */
  deliveries: Map<string, number>;
  /** Messages for each attempt of a delivery, by reference. */
  attempts: Map<string, number>;
  /** When the last message of each attempt came, in milliseconds, by reference. */
  arrivals: Map<string, number>;
  /** References of those that were taken back before they went out. */
  recalled: Set<string>;
  /** Acts in order, each with what came of it; null where nothing was recorded. */
  acts: (LedgerAct & { status: LedgerResult['status'] | null })[];
  firstAt: string | null;
  lastAt: string | null;
  /** Lines that a kill tore; they were never confirmed to anybody. */
  tornLines: number;
};

/** Reads a ledger, also while it is written or after its writer was killed. A missing directory is an empty ledger. */
export async function readLedger(
  directory: string,
  only: { warningId?: string } = {},
): Promise<LedgerSummary> {
  const summary: LedgerSummary = {
    messages: perChannel(() => 0),
    deliveries: new Map(),
    attempts: new Map(),
    arrivals: new Map(),
    recalled: new Set(),
    acts: [],
    firstAt: null,
    lastAt: null,
    tornLines: 0,
  };
  const wanted = ({ warningId }: { warningId: string }) =>
    only.warningId === undefined || warningId === only.warningId;
  for await (const entry of ledgerMessages(directory)) {
    if (entry === null) summary.tornLines += 1;
    else if (wanted(entry)) count(summary, entry);
  }
  for await (const entry of ledgerRecalls(directory)) {
    if (entry === null) summary.tornLines += 1;
    else if (wanted(entry)) summary.recalled.add(entry.reference);
  }
  const results = new Map<string, LedgerResult['status']>();
  for await (const entry of ledgerActs(directory)) {
    if (entry === null) summary.tornLines += 1;
    else if (entry.type === 'result') results.set(entry.actId, entry.status);
    else if (wanted(entry)) summary.acts.push({ ...entry, status: null });
  }
  for (const act of summary.acts) act.status = results.get(act.actId) ?? null;
  return summary;
}

/** Every message in the order of acceptance; null for a torn line. */
export function ledgerMessages(directory: string): AsyncGenerator<LedgerMessage | null> {
  return entriesOf<LedgerMessage>(path.join(directory, FILES.messages));
}

/** Every act and result in order; null for a torn line. */
export function ledgerActs(directory: string): AsyncGenerator<LedgerAct | LedgerResult | null> {
  return entriesOf<LedgerAct | LedgerResult>(path.join(directory, FILES.acts));
}

/** Everything that was said back, in order; null for a torn line. */
export function ledgerBacks(directory: string): AsyncGenerator<LedgerBack | null> {
  return entriesOf<LedgerBack>(path.join(directory, FILES.backs));
}

/** Everything that was taken back, in order; null for a torn line. */
export function ledgerRecalls(directory: string): AsyncGenerator<LedgerRecall | null> {
  return entriesOf<LedgerRecall>(path.join(directory, FILES.recalls));
}

function count(summary: LedgerSummary, entry: LedgerMessage): void {
  summary.messages[entry.channel] += 1;
  summary.deliveries.set(entry.deliveryId, (summary.deliveries.get(entry.deliveryId) ?? 0) + 1);
  summary.attempts.set(entry.reference, (summary.attempts.get(entry.reference) ?? 0) + 1);
  summary.arrivals.set(entry.reference, Date.parse(entry.at));
  if (summary.firstAt === null || entry.at < summary.firstAt) summary.firstAt = entry.at;
  if (summary.lastAt === null || entry.at > summary.lastAt) summary.lastAt = entry.at;
}

const NEWLINE = 0x0a;

class LineFile {
  private readonly file: number;
  private waiting = '';
  private flushed: Promise<void> | null = null;
  private closed = false;

  constructor(name: string) {
    this.file = openSync(name, 'a+');
    this.endTornLine();
  }

  append(entry: object): Promise<void> {
    if (this.closed) return Promise.reject(new Error('the ledger is closed'));
    this.waiting += `${JSON.stringify(entry)}\n`;
    this.flushed ??= this.flushSoon();
    return this.flushed;
  }

  private async flushSoon(): Promise<void> {
    await setImmediate();
    if (!this.closed) this.flush();
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    closeSync(this.file);
  }

  private flush(): void {
    const bytes = Buffer.from(this.waiting);
    this.waiting = '';
    this.flushed = null;
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
  }

  /** A predecessor that was killed in the middle of a write may have left half a line. */
  private endTornLine(): void {
    const { size } = fstatSync(this.file);
    if (size === 0) return;
    const last = Buffer.alloc(1);
    readSync(this.file, last, 0, 1, size - 1);
    if (last[0] !== NEWLINE) writeSync(this.file, '\n');
  }
}

async function* entriesOf<Entry>(name: string): AsyncGenerator<Entry | null> {
  let rest = '';
  try {
    const chunks = createReadStream(name, {
      encoding: 'utf8',
      highWaterMark: 1 << 20,
    }) as AsyncIterable<string>;
    for await (const chunk of chunks) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield parse<Entry>(line);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Without its newline the last line was not written to the end, or is being written now.
  if (rest !== '') yield null;
}

function parse<Entry>(line: string): Entry | null {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return null;
  }
}
