/**
 * The rule of the record: a line holds the hash of its text and of the line before it in its chain; a seal names the ends of
 * chains; an anchor names a seal outside of the database. Pure: what is read comes in, what is wrong goes out.
 */
import { createHash } from 'node:crypto';

/** The hash before the first line of a chain: of nothing. */
export const NO_LINE = sha256('');

/** A line of the record as it is read: `rest` is its text behind the hash of the line before. Hashes are hex. */
export type AuditLine = { chain: string; position: number; hash: string; rest: string };

/** Of the end of a chain, said elsewhere: by a seal, or by an anchor. */
export type Mark = { position: number; hash: string; saidBy: string };

export type FaultKind =
  /** Something does not match its hash: it was changed, exchanged for another, or put in. */
  | 'changed'
  /** Something is not there. */
  | 'missing'
  /** Something stands where nothing was on record. */
  | 'inserted'
  /** The end of a chain is gone. */
  | 'cut off'
  /** A chain is sound in itself, and is not the one that was sealed or anchored. */
  | 'rewritten';

/** One thing that is wrong, by chain and place: a position, or a range of numbers. */
export type AuditFault = { kind: FaultKind; chain: string; place: string; detail: string };

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Walks one chain after the other: lines come by chain and position, without gaps between chains. `marks` say what the lines of a
 * chain must hash to, in the order of their positions.
 */
export class ChainWalk {
  readonly faults: AuditFault[] = [];
  chains = 0;
  lines = 0;
  private readonly marksOf: (chain: string) => readonly Mark[];
  private chain: string | null = null;
  private position = 0;
  private hash = NO_LINE;
  private marks: readonly Mark[] = [];
  private nextMark = 0;

  constructor(marksOf: (chain: string) => readonly Mark[]) {
    this.marksOf = marksOf;
  }

  take(line: AuditLine): void {
    if (line.chain !== this.chain) this.begin(line.chain);
    this.lines += 1;
    if (line.position !== this.position + 1) this.fault('missing', gap(this.position + 1, line.position - 1));
    if (sha256(`${this.hash} ${line.rest}`) !== line.hash) this.fault('changed', String(line.position));
    this.position = line.position;
    this.hash = line.hash;
    this.compareMarks();
  }

  /** After the last line; `chain` has no lines at all where it is named. */
  end(): void {
    for (; this.chain !== null && this.nextMark < this.marks.length; this.nextMark += 1) {
      const mark = this.marks[this.nextMark];
      if (mark && mark.position > this.position)
        this.fault('cut off', gap(this.position + 1, mark.position), `named by ${mark.saidBy}`);
    }
    this.chain = null;
  }

  /** A chain of which not one line is left. */
  absent(chain: string): void {
    this.begin(chain);
    this.end();
  }

  private begin(chain: string): void {
    this.end();
    this.chains += 1;
    this.chain = chain;
    this.position = 0;
    this.hash = NO_LINE;
    this.marks = this.marksOf(chain);
    this.nextMark = 0;
  }

  private compareMarks(): void {
    for (let mark = this.marks[this.nextMark]; mark && mark.position <= this.position;) {
      // One that was passed over is missing, which is said already.
      if (mark.position === this.position && mark.hash !== this.hash)
        this.fault('rewritten', String(mark.position), `${mark.saidBy} names another hash`);
      this.nextMark += 1;
      mark = this.marks[this.nextMark];
    }
  }

  private fault(kind: FaultKind, place: string, detail = ''): void {
    this.faults.push({ kind, chain: this.chain ?? '', place, detail });
  }
}

function gap(from: number, to: number): string {
  return from >= to ? String(from) : `${from}–${to}`;
}

/** A block of facts on record, of one warning and one table. */
export type SealedBlock = { from: number; to: number; rows: number; sha256: string; position: number };

/** Compares the rows of one table, in the order of their numbers, with the blocks that were sealed of them. */
export class BlockWalk {
  readonly faults: AuditFault[] = [];
  /** Rows in blocks, and rows that no seal has taken yet. */
  rows = 0;
  unsealed = 0;
  private readonly table: string;
  private readonly chains: ReadonlyMap<string, readonly SealedBlock[]>;
  private readonly sealedTo: number;
  private readonly places = new Map<
    string,
    { block: number; rows: number; hash: ReturnType<typeof createHash> }
  >();

  /** `chains`: the blocks of each chain, in order; `sealedTo`: up to which number the newest seal has taken rows. */
  constructor(input: {
    table: string;
    chains: ReadonlyMap<string, readonly SealedBlock[]>;
    sealedTo: number;
  }) {
    this.table = input.table;
    this.chains = input.chains;
    this.sealedTo = input.sealedTo;
  }

  take(row: { chain: string; key: number; line: string }): void {
    const blocks = this.chains.get(row.chain) ?? [];
    const place = this.placeOf(row.chain);
    for (let block = blocks[place.block]; block && row.key > block.to; block = blocks[place.block])
      this.close(row.chain, blocks);
    const block = blocks[place.block];
    if (block && row.key >= block.from) {
      place.rows += 1;
      place.hash.update(`${row.line}\n`);
      this.rows += 1;
    } else if (row.key > this.sealedTo) this.unsealed += 1;
    else this.fault('inserted', row.chain, String(row.key), 'is in no block');
  }

  /** After the last row. */
  end(): void {
    for (const [chain, blocks] of this.chains) {
      while (this.placeOf(chain).block < blocks.length) this.close(chain, blocks);
    }
  }

  private placeOf(chain: string) {
    let place = this.places.get(chain);
    if (!place) {
      place = { block: 0, rows: 0, hash: createHash('sha256') };
      this.places.set(chain, place);
    }
    return place;
  }

  /** Judges the block that is open, and opens the next. */
  private close(chain: string, blocks: readonly SealedBlock[]): void {
    const place = this.placeOf(chain);
    const block = blocks[place.block];
    if (block && place.hash.digest('hex') !== block.sha256) {
      const kind = place.rows < block.rows ? 'missing' : place.rows > block.rows ? 'inserted' : 'changed';
      this.fault(
        kind,
        chain,
        gap(block.from, block.to),
        `${place.rows} rows, sealed were ${block.rows} (line ${block.position})`,
      );
    }
    place.block += 1;
    place.rows = 0;
    place.hash = createHash('sha256');
  }

  private fault(kind: FaultKind, chain: string, place: string, detail: string): void {
    this.faults.push({ kind, chain, place: `${this.table} ${place}`, detail });
  }
}
