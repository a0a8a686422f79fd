/**
 * `audit verify`: is the record what it was? Every line is hashed again here, by this program and not by the database, and compared
 * with its chain, with the seals, and with anchors that lie elsewhere.
 */
import { factsChain, FACT_TABLES, type FactTable } from '../db/audit-facts.ts';
import {
  findChangedWarnings,
  readBlocks,
  readFacts,
  readHeads,
  readLines,
  readOneMoment,
  readSeals,
  type SealRow,
} from '../db/audit-read.ts';
import type { Database, Sql } from '../db/database.ts';
import { judgeAnchors, type Anchor } from '../domain/anchors.ts';
import { BlockWalk, ChainWalk, type AuditFault, type Mark, type SealedBlock } from '../domain/audit.ts';

export type Verification = {
  /** True where nothing is wrong and no anchored time is lost but by restores that were named. */
  whole: boolean;
  chains: number;
  lines: number;
  /** Rows of answers, deliveries and receipts in blocks. */
  facts: number;
  seals: number;
  /** Rows that no seal has taken yet: of the last minute where a worker runs. */
  unsealedFacts: number;
  anchors: { compared: number; matched: number; lost: Anchor[] };
  /** Of the restore behind the first lost anchor: naming it says that one knows of it. Null where none is lost. */
  nextIncarnation: number | null;
  /** The first faults, and how many there are. */
  faults: AuditFault[];
  faultCount: number;
};

export type VerifyOptions = {
  /** Only this warning's chains and facts. @default null: everything */
  warningId?: number | null;
  anchors?: readonly Anchor[];
  /** Incarnations of restores that whoever verifies knows of: anchors from the time they lost are no fault. */
  restores?: readonly number[];
  /** Lines and rows hashed so far. */
  onProgress?: (done: number) => void;
};

const FAULTS_SHOWN_MOST = 50;

export async function verifyAudit(database: Database, options: VerifyOptions = {}): Promise<Verification> {
  return database.transaction(async (sql) => {
    await readOneMoment(sql);
    return verifyMoment(sql, options);
  });
}

/** Verifies what one transaction sees; it must have begun with `readOneMoment`, or change nothing meanwhile. */
export async function verifyMoment(sql: Sql, options: VerifyOptions): Promise<Verification> {
  const { warningId = null, anchors = [], restores = [] } = options;
  let done = 0;
  const progress = (rows: number) => options.onProgress?.((done += rows));
  const seals = await readSeals(sql);
  const chains = await walkChains(sql, { warningId, seals, progress });
  const facts = await walkFacts(sql, { warningId, seals, progress });
  const changed = await findChangedWarnings(sql, warningId);
  const anchored = judgeAnchors(
    anchors,
    seals.map(({ hash, body }) => ({ hash, incarnation: body.incarnation })),
  );
  const faults = [
    ...chains.faults,
    ...facts.faults,
    ...changed.map((id): AuditFault => ({
      kind: 'changed',
      chain: `acts-${id}`,
      place: `W${id}`,
      detail: 'the warning is not what its record says',
    })),
    ...anchored.faults,
  ];
  const after = anchored.lost.map((anchor) => restoredAfter(anchor, seals));
  const unnamed = after.filter((incarnation) => incarnation === null || !restores.includes(incarnation));
  return {
    whole: faults.length === 0 && unnamed.length === 0,
    chains: chains.chains,
    lines: chains.lines,
    facts: facts.rows,
    seals: seals.length,
    unsealedFacts: facts.unsealed,
    anchors: { compared: anchors.length, matched: anchored.matched, lost: anchored.lost },
    nextIncarnation: unnamed[0] ?? null,
    faults: faults.slice(0, FAULTS_SHOWN_MOST),
    faultCount: faults.length,
  };
}

/** The first incarnation on record behind an anchor's own: that of the restore which lost its seal. */
function restoredAfter(anchor: Anchor, seals: readonly SealRow[]): number | null {
  return seals.find(({ body }) => body.incarnation > anchor.incarnation)?.body.incarnation ?? null;
}

async function walkChains(
  sql: Sql,
  input: { warningId: number | null; seals: readonly SealRow[]; progress: (rows: number) => void },
) {
  const marks = await marksOf(sql, input);
  const walk = new ChainWalk((chain) => marks.get(chain) ?? []);
  const seen = new Set<string>();
  for await (const lines of readLines(sql, input.warningId)) {
    for (const line of lines) {
      seen.add(line.chain);
      walk.take(line);
    }
    input.progress(lines.length);
  }
  walk.end();
  for (const chain of marks.keys()) if (!seen.has(chain)) walk.absent(chain);
  return walk;
}

/** What the lines of each chain must hash to: by all seals, and by the database's own word for where the chain ends. */
async function marksOf(
  sql: Sql,
  { warningId, seals }: { warningId: number | null; seals: readonly SealRow[] },
): Promise<Map<string, Mark[]>> {
  const heads = await readHeads(sql, warningId);
  const wanted = warningId === null ? null : new Set(heads.map(({ chain }) => chain));
  const marks = new Map<string, Mark[]>();
  const add = (chain: string, mark: Mark) => {
    const known = marks.get(chain);
    if (known) known.push(mark);
    else marks.set(chain, [mark]);
  };
  for (const { position: seal, body } of seals) {
    for (const [chain, position, hash] of body.heads) {
      if (wanted === null || wanted.has(chain) || isOfWarning(chain, warningId))
        add(chain, { position, hash, saidBy: `seal ${seal}` });
    }
  }
  for (const { chain, position, hash } of heads)
    add(chain, { position, hash, saidBy: 'the end of the chain' });
  for (const list of marks.values()) list.sort((one, other) => one.position - other.position);
  return marks;
}

function isOfWarning(chain: string, warningId: number | null): boolean {
  return chain === `acts-${warningId}` || chain === `facts-${warningId}`;
}

async function walkFacts(
  sql: Sql,
  input: { warningId: number | null; seals: readonly SealRow[]; progress: (rows: number) => void },
) {
  const blocks = await readBlocks(sql, input.warningId);
  const sealed = input.seals.at(-1)?.body.facts;
  const total = { rows: 0, unsealed: 0, faults: [] as AuditFault[] };
  for (const table of FACT_TABLES) {
    const walk = new BlockWalk({ table, chains: chainsOf(blocks, table), sealedTo: sealed?.[table] ?? 0 });
    for await (const rows of readFacts(sql, table, input.warningId)) {
      for (const { key, warningId, line } of rows) walk.take({ chain: factsChain(warningId), key, line });
      input.progress(rows.length);
    }
    walk.end();
    total.rows += walk.rows;
    total.unsealed += walk.unsealed;
    total.faults.push(...walk.faults);
  }
  return total;
}

function chainsOf(
  blocks: readonly ({ table: FactTable; chain: string } & SealedBlock)[],
  table: FactTable,
): Map<string, SealedBlock[]> {
  const chains = new Map<string, SealedBlock[]>();
  for (const block of blocks) {
    if (block.table !== table) continue;
    const known = chains.get(block.chain);
    if (known) known.push(block);
    else chains.set(block.chain, [block]);
  }
  return chains;
}
