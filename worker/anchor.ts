/**
 * Anchors: writes the end of the chain of seals where the database cannot reach it, to a file and by e-mail. Once over all processes:
 * whoever comes first when one is due.
 */
import { open } from 'node:fs/promises';
import { createOperatorMail } from '../channels/operator-mail.ts';
import type { Config } from '../config.ts';
import { newestAnchor, newestSeal, noteAnchor, whileAnchoring, type SealHead } from '../db/audit-seal.ts';
import type { Database } from '../db/database.ts';
import { anchorLine, type Anchor } from '../domain/anchors.ts';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';

export type WrittenAnchor = Anchor & {
  /** `file`, `e-mail`. */
  writtenTo: string[];
  /** What could not be written, and why. */
  failed: { to: string; reason: string }[];
};

/** Whether this process has been told where to write anchors. */
export function anchorsConfigured(config: Config): boolean {
  return config.FENGHUO_ANCHOR_FILE !== undefined || config.FENGHUO_ANCHOR_EMAIL !== undefined;
}

/** One place to which anchors go. */
type Way = { to: 'file' | 'e-mail'; write: (anchor: Anchor, line: string) => Promise<void> };

/**
 * Anchors the newest seal. `when` is `due`: only to where the interval has passed and something was sealed since the last anchor there,
 * so that a process without a mail server does not keep another one from its e-mail, and what failed is tried again.
 * Gives null where there is nothing to do, or another process is at it.
 */
export async function writeAnchor(
  database: Database,
  config: Config,
  when: 'due' | 'now',
): Promise<WrittenAnchor | null> {
  return whileAnchoring(database, async () => {
    const head = await newestSeal(database);
    if (!head) return null;
    const ways = when === 'now' ? waysOf(config) : await waysDue(database, config, head);
    if (ways.length === 0) return null;
    const written = await writeOut(head, ways);
    if (written.writtenTo.length > 0) await noteAnchor(database, head, written.writtenTo);
    return written;
  });
}

function waysOf(config: Config): Way[] {
  const { FENGHUO_ANCHOR_FILE: file, FENGHUO_ANCHOR_EMAIL: address } = config;
  const ways: Way[] = [];
  if (file !== undefined) ways.push({ to: 'file', write: (_anchor, line) => appendDurably(file, line) });
  if (address !== undefined)
    ways.push({ to: 'e-mail', write: (anchor, line) => mail(config, address, { anchor, line }) });
  return ways;
}

async function waysDue(database: Database, config: Config, head: SealHead): Promise<Way[]> {
  const due: Way[] = [];
  for (const way of waysOf(config)) {
    const last = await newestAnchor(database, way.to);
    const again = last !== null && Date.now() - last.at >= config.FENGHUO_ANCHOR_MINUTES * MINUTE_MS;
    if (last === null || (again && head.seal > last.seal)) due.push(way);
  }
  return due;
}

async function writeOut(head: SealHead, ways: readonly Way[]): Promise<WrittenAnchor> {
  const { seal, hash, incarnation } = head;
  const anchor: Anchor = { at: new Date().toISOString(), seal, hash, incarnation };
  const line = anchorLine(anchor);
  const written: WrittenAnchor = { ...anchor, writtenTo: [], failed: [] };
  for (const { to, write } of ways) {
    try {
      await write(anchor, line);
      written.writtenTo.push(to);
    } catch (error) {
      written.failed.push({ to, reason: (error as { code?: string }).code ?? 'unknown fault' });
    }
  }
  return written;
}

async function appendDurably(file: string, line: string): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  try {
    await handle.appendFile(`${line}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function mail(
  config: Config,
  to: string,
  { anchor, line }: { anchor: Anchor; line: string },
): Promise<void> {
  const { FENGHUO_SMTP_URL: url, FENGHUO_SMTP_FROM: from } = config;
  if (url === undefined) throw noMailServer();
  await createOperatorMail({ url, from, to }).send({
    subject: `Fenghuo anchor ${anchor.seal} ${anchor.hash.slice(0, 16)}`,
    text: [
      '这是烽火记录的锚点,请保存;核对时把这些邮件存为一个文件:',
      'An anchor of the record of Fenghuo. Keep it; to compare, save these messages as one file:',
      '',
      '  npx fenghuo audit verify --anchors FILE',
      '',
      line,
      '',
    ].join('\n'),
  });
}

function noMailServer(): FenghuoError {
  return new FenghuoError({
    code: 'configuration',
    refusal: 'usage',
    sentence: 'FENGHUO_ANCHOR_EMAIL is set and FENGHUO_SMTP_URL is not: name the mail server, or no address.',
  });
}
