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

/**
 * Anchors the newest seal. `when` is `due`: only where the interval has passed and something was sealed since the last anchor.
 * Gives null where there is nothing to do, or another process is at it.
 */
export async function writeAnchor(
  database: Database,
  config: Config,
  when: 'due' | 'now',
): Promise<WrittenAnchor | null> {
  return whileAnchoring(database, async () => {
    const head = await newestSeal(database);
    const last = await newestAnchor(database);
    if (!head) return null;
    const everyMs = config.FENGHUO_ANCHOR_MINUTES * MINUTE_MS;
    const due = last === null || (head.seal > last.seal && Date.now() - last.at >= everyMs);
    if (when === 'due' && !due) return null;
    const written = await writeOut(config, head);
    if (written.writtenTo.length > 0) await noteAnchor(database, head, written.writtenTo);
    return written;
  });
}

async function writeOut(config: Config, head: SealHead): Promise<WrittenAnchor> {
  const { seal, hash, incarnation } = head;
  const anchor: Anchor = { at: new Date().toISOString(), seal, hash, incarnation };
  const line = anchorLine(anchor);
  const { FENGHUO_ANCHOR_FILE: file, FENGHUO_ANCHOR_EMAIL: to } = config;
  const ways: [string, () => Promise<void>][] = [
    ...(file === undefined
      ? []
      : [['file', () => appendDurably(file, line)] as [string, () => Promise<void>]]),
    ...(to === undefined
      ? []
      : [['e-mail', () => mail(config, to, anchor, line)] as [string, () => Promise<void>]]),
  ];
  const written: WrittenAnchor = { ...anchor, writtenTo: [], failed: [] };
  for (const [way, write] of ways) {
    try {
      await write();
      written.writtenTo.push(way);
    } catch (error) {
      written.failed.push({ to: way, reason: (error as { code?: string }).code ?? 'unknown fault' });
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

async function mail(config: Config, to: string, anchor: Anchor, line: string): Promise<void> {
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
