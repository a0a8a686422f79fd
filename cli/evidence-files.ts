/** Writes exported evidence: a folder with the report, the data, and what verifies them; or the report alone. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { FACT_TABLES } from '../db/audit-facts.ts';
import { readFacts, readLines, readRecipients } from '../db/audit-read.ts';
import { SEALS } from '../db/audit-seal.ts';
import type { Database, Sql } from '../db/database.ts';
import type { Recipient } from '../db/evidence.ts';
import { NO_LINE } from '../domain/audit.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { Language } from '../domain/texts.ts';
import { gatherEvidence, type Evidence } from '../operations/evidence.ts';
import { maskAddress } from '../operations/organisation-person.ts';
import { EVIDENCE_README } from './evidence-readme.ts';
import { evidenceReport } from './evidence-report.ts';

/** Recipients that the report itself lists. */
const RECIPIENTS_SHOWN = 300;
const LANGUAGES: readonly Language[] = ['zh', 'en'];

export type ExportedEvidence = { evidence: Evidence; files: string[] };

/** Writes the folder; refuses one that holds anything, because old and new evidence must not mix. */
export async function exportFolder(
  database: Database,
  input: { warningId: number; folder: string; onFile: (file: string) => void },
): Promise<ExportedEvidence> {
  const { warningId, folder, onFile } = input;
  await requireEmpty(folder);
  const files: string[] = [];
  const add = (file: string) => {
    files.push(file);
    onFile(file);
    return join(folder, file);
  };
  for (const part of ['record', 'facts']) await mkdir(join(folder, part), { recursive: true });
  let first: Recipient[] = [];
  const evidence = await gatherEvidence(database, warningId, async (sql, gathered) => {
    await writeRecord(sql, warningId, add);
    await writeDraftActs(sql, gathered, add);
    for (const table of FACT_TABLES) {
      await writeLines(
        add(`facts/${table}.jsonl`),
        batchesOf(readFacts(sql, table, warningId), ({ line }) => line),
      );
    }
    first = await writeRecipients(sql, warningId, add);
  });
  await writeJson(add('warning.json'), evidence.warning);
  await writeJson(add('rules.json'), evidence.rungs);
  await writeJson(add('texts.json'), evidence.texts);
  await writeLines(add('units.jsonl'), [evidence.units.map((unit) => JSON.stringify(unit))]);
  for (const language of LANGUAGES) {
    const report = await evidenceReport(evidence, { language, recipients: first });
    await writeFile(add(`report.${language}.html`), report);
  }
  await writeFile(add('README.txt'), EVIDENCE_README);
  await writeFile(add('verify.sh'), await readFile(new URL('evidence-verify.sh', import.meta.url)));
  const sums = await Promise.all(
    files.map(async (file) => `${await hashOfFile(join(folder, file))}  ${file}`),
  );
  await writeFile(join(folder, 'SHA256SUMS'), `${sums.join('\n')}\n`);
  return { evidence, files: [...files, 'SHA256SUMS'] };
}

/** Writes the report alone, in one language. */
export async function exportReport(
  database: Database,
  input: { warningId: number; file: string; language: Language },
): Promise<ExportedEvidence> {
  let first: Recipient[] = [];
  const evidence = await gatherEvidence(database, input.warningId, async (sql) => {
    for await (const recipients of readRecipients(sql, input.warningId))
      first = [...first, ...recipients].slice(0, RECIPIENTS_SHOWN);
  });
  await writeFile(
    input.file,
    await evidenceReport(evidence, { language: input.language, recipients: first }),
  );
  return { evidence, files: [input.file] };
}

async function requireEmpty(folder: string): Promise<void> {
  const there = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  if (there.length === 0) return;
  throw new FenghuoError({
    code: 'folder-not-empty',
    refusal: 'conflict',
    sentence: `${folder} is not empty. Name a new folder: old and new evidence must not mix.`,
  });
}

/** One file for each chain, each line with its hash in front; of the seals, from the first that names one of these chains. */
async function writeRecord(sql: Sql, warningId: number, add: (file: string) => string): Promise<void> {
  let chain = '';
  let before = NO_LINE;
  let out: WriteStream | null = null;
  const own: string[] = [];
  let wanted = false;
  for await (const lines of readLines(sql, warningId)) {
    for (const line of lines) {
      if (line.chain !== chain) {
        await finish(out);
        ({ chain } = line);
        before = NO_LINE;
        out = createWriteStream(add(`record/${chain}.txt`));
        if (chain !== SEALS) own.push(chain);
        wanted = chain !== SEALS;
      }
      wanted ||= own.some((one) => line.rest.includes(`["${one}",`));
      if (wanted && out) await write(out, `${line.hash} ${before} ${line.rest}\n`);
      before = line.hash;
    }
  }
  await finish(out);
}

/** Acts about the draft, before there was a warning: lines of the chain that all such acts share. */
async function writeDraftActs(sql: Sql, evidence: Evidence, add: (file: string) => string): Promise<void> {
  const places = evidence.acts.filter(({ chain }) => chain === 'acts').map(({ position }) => position);
  if (places.length === 0) return;
  const rows = await sql.query<{ line: string }>(
    `select encode(a.hash, 'hex') || ' ' || audit_text(coalesce(b.hash, sha256('')), a) as line
     from audit a left join audit b on b.chain = a.chain and b.position = a.position - 1
     where a.chain = 'acts' and a.position = any($1) order by a.position`,
    [places],
  );
  await writeLines(add('record/acts-of-drafts.txt'), [rows.map(({ line }) => line)]);
}

async function writeRecipients(
  sql: Sql,
  warningId: number,
  add: (file: string) => string,
): Promise<Recipient[]> {
  const first: Recipient[] = [];
  const masked = batchesOf(readRecipients(sql, warningId), (recipient) => {
    if (first.length < RECIPIENTS_SHOWN) first.push(recipient);
    return JSON.stringify({ ...recipient, address: maskAddress(recipient.address) });
  });
  await writeLines(add('recipients.jsonl'), masked);
  return first;
}

async function* batchesOf<T>(
  batches: AsyncIterable<readonly T[]>,
  line: (item: T) => string,
): AsyncGenerator<string[]> {
  for await (const batch of batches) yield batch.map(line);
}

async function writeLines(
  file: string,
  batches: AsyncIterable<readonly string[]> | Iterable<readonly string[]>,
): Promise<void> {
  const out = createWriteStream(file);
  for await (const lines of batches) await write(out, lines.map((line) => `${line}\n`).join(''));
  await finish(out);
}

async function write(out: WriteStream, text: string): Promise<void> {
  if (!out.write(text)) await once(out, 'drain');
}

async function finish(out: WriteStream | null): Promise<void> {
  if (!out) return;
  out.end();
  await once(out, 'close');
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

async function hashOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
