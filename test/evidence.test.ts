/** `audit`, as an operator and a court use it: the evidence of a warning, what verifies it, anchors, and what a restore leaves. */
import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, type Ran } from '../cli/testing.ts';
import { newestSeal, seal } from '../db/audit-seal.ts';
import type { Database } from '../db/database.ts';
import { CHANNELS } from '../domain/rules.ts';
import { answerByCommand } from '../operations/answers.ts';
import { verifyAudit } from '../operations/audit-verify.ts';
import { pauseEverything, resumeEverything } from '../operations/pauses.ts';
import { declareRestored } from '../operations/restored.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { readAnchors } from '../domain/anchors.ts';
import { testDatabase } from './database.ts';
import { restoreBackup, takeBackup } from './harness/backup.ts';
import { makeDeadlinesDue, recordingChannel, runUntilQuiet } from './harness/local-cascade.ts';
import { plantSmallTree } from './harness/small-tree.ts';

let database: Database;
let directory: string;
let warningId: number;
beforeAll(async () => {
  database = await testDatabase('evidence');
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-evidence-'));
  await plantSmallTree(database);
  warningId = await liveThrough();
}, 60_000);
afterAll(async () => {
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

/** A red warning: told, one village vouched for, one that cannot act, the others silent up to the last rung, then lifted. */
async function liveThrough(): Promise<number> {
  const issued = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' },
  });
  const channels = CHANNELS.map((channel) => recordingChannel(channel));
  const goOn = () => runUntilQuiet(database, issued.warningId, channels);
  await goOn();
  await pauseEverything(database, { by: '王值班', reason: '误发核实' });
  await resumeEverything(database, { by: '李主任' });
  const vouched = { warningId: issued.warningId, vouchedBy: '值班员 甲', how: '电话 <b>核实</b>' };
  await answerByCommand(database, { ...vouched, unit: '村一', answer: 'done', doneCount: 12 });
  await answerByCommand(database, { ...vouched, unit: '村二', answer: 'cannot act', doneCount: null });
  for (let rung = 0; rung < 3; rung += 1) {
    await goOn();
    await makeDeadlinesDue(database, issued.warningId);
  }
  await goOn();
  await cancelWarning(database, issued.warningId, '雨势减弱');
  await goOn();
  return issued.warningId;
}

const fenghuo = (words: string[], env: Record<string, string> = {}): Promise<Ran> =>
  run(words, {
    DATABASE_URL: process.env['DATABASE_URL'],
    FENGHUO_SECRET: process.env['FENGHUO_SECRET'],
    FENGHUO_SCHEMA: database.schema,
    ...env,
  });

describe('the evidence', () => {
  let folder: string;
  const verify = () => spawnSync('sh', [join(folder, 'verify.sh')], { encoding: 'utf8' });

  beforeAll(async () => {
    folder = join(directory, 'w');
    expect(await fenghuo(['audit', 'export', `W${warningId}`, '--out', folder])).toMatchObject({ code: 0 });
  });

  it('verifies by sha256sum alone, and no longer once a word of it is changed', async () => {
    expect(verify()).toMatchObject({ status: 0, stderr: '' });
    for (const [file, from, to] of [
      [`record/acts-${warningId}.txt`, '暴雨', '大风'],
      ['facts/answers.jsonl', '值班员 甲', '值班员 乙'],
      ['facts/deliveries.jsonl', '"handed off"', '"dropped"'],
    ] as const) {
      const text = await readFile(join(folder, file), 'utf8');
      expect(text).toContain(from);
      const sums = await readFile(join(folder, 'SHA256SUMS'), 'utf8');
      await writeFile(join(folder, file), text.replace(from, to));
      // Whoever forges a file forges the list of files too.
      await writeFile(join(folder, 'SHA256SUMS'), '');
      const { status, stdout } = verify();
      expect({ file, status, found: stdout.includes('FAULT') }).toEqual({ file, status: 1, found: true });
      await writeFile(join(folder, file), text);
      await writeFile(join(folder, 'SHA256SUMS'), sums);
    }
  });

  it('misses a chain that was taken out as a whole', async () => {
    const cell = (await readdir(join(folder, 'record'))).find((file) => file.startsWith('cell-'));
    const files = [`acts-${warningId}.txt`, `facts-${warningId}.txt`, String(cell)];
    for (const file of files) {
      const path = join(folder, 'record', file);
      const text = await readFile(path, 'utf8');
      const sums = await readFile(join(folder, 'SHA256SUMS'), 'utf8');
      await rm(path);
      await writeFile(join(folder, 'SHA256SUMS'), sums.replace(new RegExp(`.*record/${file}\n`), ''));
      const { status, stdout } = verify();
      expect(stdout).toContain(`FAULT: ${file.replace('.txt', '')}: this chain is missing`);
      expect(status).toBe(1);
      await writeFile(path, text);
      await writeFile(join(folder, 'SHA256SUMS'), sums);
    }
    expect(verify()).toMatchObject({ status: 0 });
  });

  it.each([
    [
      'zh',
      [
        '证据材料:预警',
        '暴雨',
        '红',
        '未应单位',
        '雨势减弱',
        '值班员 甲',
        'Changzhi city',
        '已核对记录',
        '全部暂停,理由:误发核实',
        '换渠道',
      ],
    ],
    [
      'en',
      [
        'Evidence: warning',
        'Silent units',
        'vouched for by 值班员 甲',
        'woken within 5 minutes',
        'was verified',
      ],
    ],
  ])('is read as a report (%s), with every number masked and every text escaped', async (language, words) => {
    const report = await readFile(join(folder, `report.${language}.html`), 'utf8');
    for (const word of words) expect(report).toContain(word);
    expect(report).toContain('电话 &lt;b&gt;核实&lt;/b&gt;');
    expect(report).not.toContain('<script');
    const people = await database.query<{ address: string }>(
      'select address from person_channels union select address from households',
    );
    const everything = await Promise.all(
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(join(entry.parentPath, entry.name), 'utf8')),
    );
    for (const { address } of people)
      expect(everything.filter((text) => text.includes(address)).length, address).toBe(0);
  });

  it('goes into a new folder only, or into one file', async () => {
    expect(await fenghuo(['audit', 'export', `W${warningId}`, '--out', folder])).toMatchObject({ code: 5 });
    const file = join(directory, 'report.html');
    expect(await fenghuo(['audit', 'export', `W${warningId}`, '--out', file, '--lang', 'zh'])).toMatchObject({
      code: 0,
    });
    expect(await readFile(file, 'utf8')).toContain('时间线');
    expect(await fenghuo(['audit', 'export', 'W999', '--out', file])).toMatchObject({ code: 3 });
  });
});

describe('what is exported', () => {
  const exported = async (id: number, name: string) => {
    const folder = join(directory, name);
    expect(await fenghuo(['audit', 'export', `W${id}`, '--out', folder])).toMatchObject({ code: 0 });
    const { status, stdout } = spawnSync('sh', [join(folder, 'verify.sh')], { encoding: 'utf8' });
    expect(stdout).toContain('Everything matches');
    expect(status).toBe(0);
    return folder;
  };

  it('stands where nothing has happened yet, not even a step', async () => {
    const nothing = { hazard: '大风', level: 'blue', areas: ['城'], expires: '+6h', issuer: '城气象台' };
    const { warningId: id } = await issueWarning(database, nothing);
    const folder = await exported(id, 'nothing');
    expect(await readFile(join(folder, 'facts/deliveries.jsonl'), 'utf8')).toBe('');
    expect(await readFile(join(folder, 'report.zh.html'), 'utf8')).toContain('大风');
  });

  it('is harmless, whatever names and words are in it', async () => {
    const hostile =
      '</pre><img src=x onerror=alert(1)>"\'`$(touch pwned)\\ =1+1 {at} {{x}} %s 🌊\n\r\t| ; \u202e倒';
    await database.query('update units set name = $1 where name = $2', [`一${hostile}`, '村一']);
    await database.query('update people set name = $1 where name = $2', [`二${hostile}`, '村二0']);
    const words = { hazard: '暴雨', level: 'red', areas: ['区'], expires: '+6h' };
    const { warningId: id } = await issueWarning(database, {
      ...{ ...words, issuer: `三${hostile.replaceAll(/[\n\r\t]/g, '')}` },
      ...{ textZh: `四${hostile}`, textEn: `five ${hostile}` },
    });
    const channels = CHANNELS.map((channel) => recordingChannel(channel));
    await runUntilQuiet(database, id, channels);
    await answerByCommand(database, {
      ...{ warningId: id, unit: '区/乡二', answer: 'done', doneCount: 1 },
      ...{ vouchedBy: `六${hostile}`, how: `七${hostile}` },
    });
    await runUntilQuiet(database, id, channels);
    await cancelWarning(database, id, `八${hostile}`);
    await runUntilQuiet(database, id, channels);
    const folder = await exported(id, 'hostile');
    for (const language of ['zh', 'en']) {
      const report = await readFile(join(folder, `report.${language}.html`), 'utf8');
      expect(report).not.toMatch(/<img|<script|<\/pre><img/);
      for (const word of ['二', '三', '四', '六', '七', '八'])
        expect(report).toContain(`${word}&lt;/pre&gt;&lt;img`);
    }
    expect((await readdir(folder)).includes('pwned')).toBe(false);
  });
});

describe('anchors', () => {
  it('are written by hand to a file, and compared by verify', async () => {
    const file = join(directory, 'anchors.jsonl');
    const env = { FENGHUO_ANCHOR_FILE: file };
    expect(await fenghuo(['audit', 'anchor'])).toMatchObject({ code: 2 });
    expect(await fenghuo(['audit', 'anchor'], env)).toMatchObject({ code: 0 });
    const [anchor] = readAnchors(await readFile(file, 'utf8')).anchors;
    expect(anchor).toMatchObject({ seal: (await newestSeal(database))?.seal });
    const verified = await fenghuo(['audit', 'verify', '--json'], env);
    expect(verified).toMatchObject({ code: 0 });
    expect(JSON.parse(verified.stdout)).toMatchObject({ whole: true, anchors: { compared: 1, matched: 1 } });
    const forged = join(directory, 'forged.jsonl');
    await writeFile(forged, `> ${JSON.stringify({ fenghuo: 'anchor', ...anchor, hash: '0'.repeat(64) })}\n`);
    const found = await fenghuo(['audit', 'verify', '--anchors', forged]);
    expect(found).toMatchObject({ code: 1 });
    expect(found.stdout).toMatch(/seals \d+: written anew/);
    // The disk was full: half a line, and the next anchor behind it.
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 60));
    expect(await fenghuo(['audit', 'verify'], env)).toMatchObject({ code: 2 });
    expect(await fenghuo(['audit', 'anchor'], env)).toMatchObject({ code: 0 });
    const cut = await fenghuo(['audit', 'verify', '--json'], env);
    expect(cut).toMatchObject({ code: 1 });
    expect(JSON.parse(cut.stdout)).toMatchObject({
      whole: true,
      anchors: { compared: 1, matched: 1, broken: 1 },
    });
    expect((await fenghuo(['audit', 'verify', '--lang', 'zh'], env)).stdout).toContain('有 1 个锚点读不完整');
    await appendFile(file, 'not an anchor\n');
    expect(await fenghuo(['audit', 'verify', '--anchors', join(directory, 'w', 'README.txt')])).toMatchObject(
      { code: 2 },
    );
  });
});

it('names chain and place of what was changed, and exits with 1', async () => {
  await seal(database);
  const changed = await database.transaction(async (sql) => {
    await sql.query('set local session_replication_role = replica');
    return sql.query<{ position: number }>(
      `update audit set body = '{}' where id = (select min(id) from audit where chain = $1) returning position`,
      [`acts-${warningId}`],
    );
  });
  expect(changed).toEqual([{ position: 1 }]);
  const found = await fenghuo(['audit', 'verify', `W${warningId}`]);
  expect(found).toMatchObject({ code: 1 });
  expect(found.stdout).toContain(`acts-${warningId} 1: changed`);
  expect(await fenghuo(['audit', 'verify', `W${warningId}`, '--lang', 'zh'])).toMatchObject({ code: 1 });
});

it('after a restore, names the time whose record is lost, and asks whether one knows of it', async () => {
  const other = await testDatabase('evidence-restored');
  await plantSmallTree(other);
  await issueWarning(other, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    expires: '+6h',
    issuer: '城气象台',
  });
  const anchorNow = async () => {
    await seal(other);
    const head = await newestSeal(other);
    if (!head) throw new Error('no seal');
    return head;
  };
  const kept = await anchorNow();
  const backup = await takeBackup(other, process.env['DATABASE_URL'] ?? '');
  await pauseEverything(other, { by: '王值班', reason: '其间的决定' });
  const lost = await anchorNow();

  const again = await restoreBackup(backup, `${other.schema}_again`);
  const anchors = [kept, lost];
  // Before anybody says that this is a restore, it looks like what it may be: an end cut off.
  expect((await verifyAudit(again, { anchors })).faults).toMatchObject([{ kind: 'cut off', chain: 'seals' }]);
  const { incarnation } = await declareRestored(again);
  const told = await verifyAudit(again, { anchors });
  expect(told).toMatchObject({ whole: false, faultCount: 0, nextIncarnation: incarnation });
  expect(told.anchors).toMatchObject({ compared: 2, matched: 1, lost: [lost] });
  expect(await verifyAudit(again, { anchors, restores: [incarnation] })).toMatchObject({ whole: true });
  expect(await verifyAudit(again, { anchors, restores: [incarnation + 1] })).toMatchObject({ whole: false });
  await again.close();
  await other.close();
});
