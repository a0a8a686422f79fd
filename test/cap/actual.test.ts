/** Actual warnings by CAP, as people type them: file, draft, release, warning; then its Update and its Cancel, each once. No worker runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../db/database.ts';
import { parseCapText } from '../../domain/cap/parse.ts';
import { commandsIn } from '../harness/commands.ts';
import { openOffice } from '../harness/office.ts';
import { message, type Parts } from './messages.ts';

const SENT = '2026-07-09T02:42:00+08:00';

let database: Database;
type Shape = Record<string, unknown> & {
  hash: string;
  warning: string;
  draft: string;
  findings: { code: string }[];
};

const { directory, tokens, as, json, ...commands } = commandsIn<Shape>('cap_actual');
beforeAll(async () => {
  database = await commands.open();
  const office = await openOffice(database);
  tokens['author'] = (await office.hire('张三', 'author')).token;
  tokens['releaser'] = (await office.hire('李四', 'releaser')).token;
});
afterAll(() => commands.close());

let files = 0;
const TOWNSHIP = '<geocode><valueName>division</valueName><value>900101</value></geocode>';

function capFile(parts: Parts): string {
  files += 1;
  const path = join(directory, `${files}.xml`);
  writeFileSync(path, message({ area: TOWNSHIP, status: 'Actual', expires: inHours(6), ...parts }));
  return path;
}

const inHours = (hours: number) =>
  new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+Z$/, '+00:00');

const issueCap = (parts: Parts) => json('author', 'warning', 'issue', '--cap', capFile(parts));

/** The code of the first error and the exit code of a CAP file that is refused. */
async function refused(parts: Parts): Promise<string> {
  const ran = await as('author', 'warning', 'issue', '--cap', capFile(parts));
  expect(ran.stdout).toBe('');
  return `${/(CAP-\d{3}) error/.exec(ran.stderr)?.[1]} ${ran.code}`;
}

const referTo = (identifier: string, sent = SENT) => ({
  references: `weather.example,${identifier},${sent}`,
});

/** Somebody else approves, and it is published. */
async function out(draft: string): Promise<string> {
  const { hash } = await json(null, 'warning', 'drafts', draft);
  await json('releaser', 'warning', 'approve', draft, '--confirm', hash.slice(0, 8));
  return (await json('author', 'warning', 'publish', draft, '--confirm', draft)).warning;
}

const shown = async (id: string) => (await json(null, 'warning', 'show', id))['warning'] as unknown as Shape;

async function warnings() {
  return database.query<{ id: number; kind: string; status: string; identifier: string | null }>(
    'select id, kind, status, identifier from warnings order by id',
  );
}

const exported = async (id: string) => {
  const ran = await as(null, 'warning', 'export', id, '--format', 'cap');
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' });
  const path = join(directory, `${id}.xml`);
  writeFileSync(path, ran.stdout);
  expect((await as(null, 'cap', 'validate', path)).code).toBe(0);
  const { alert, findings } = parseCapText(ran.stdout);
  expect(findings).toEqual([]);
  if (!alert) throw new Error('refused');
  return alert;
};

describe.sequential('an Actual in a file', () => {
  let first: string;
  let second: string;

  it('is a draft; released by another it is a warning with the name, the words and the end of the message', async () => {
    const expires = inHours(6);
    const received = await issueCap({ identifier: 'A-1', expires });
    expect(received).toMatchObject({ verdict: 'drafted', warning: null, repeated: false });
    expect(await warnings()).toEqual([]);
    expect(await json(null, 'warning', 'drafts', received.draft)).toMatchObject({
      ...{
        act: 'issue',
        identifier: 'A-1',
        level: 'red',
        areas: ['乡一'],
        issuer: '区气象台',
        author: '张三',
      },
      text: { zh: '未来3小时将有100毫米以上强降雨。' },
    });
    const self = await as('author', 'warning', 'approve', received.draft, '--confirm', '00000000');
    expect(self.code).toBe(4);
    first = await out(received.draft);
    expect(await warnings()).toMatchObject([{ kind: 'actual', status: 'open', identifier: 'A-1' }]);
    const { expiresAt, text } = (await shown(first)) as Shape & { expiresAt: string; text: { zh: string } };
    expect(Date.parse(expiresAt)).toBe(Date.parse(expires));
    expect(text.zh).toBe('未来3小时将有100毫米以上强降雨。');
    expect(await exported(first)).toMatchObject({ identifier: 'A-1', status: 'Actual', msgType: 'Alert' });
  });

  it('does nothing when it comes again, before and after the release', async () => {
    expect(await issueCap({ identifier: 'A-1', expires: inHours(7) })).toMatchObject({
      ...{ repeated: true, warning: first },
    });
    const waiting = { identifier: 'A-2', expires: inHours(6) };
    const one = await issueCap(waiting);
    expect(await issueCap({ ...waiting, after: '<!-- again -->' })).toMatchObject({
      repeated: true,
      draft: one.draft,
    });
    await json('author', 'warning', 'withdraw', one.draft, '--reason', '重复');
    expect(await warnings()).toHaveLength(1);
  });

  it('takes no Exercise in its place, and no Exercise ends it', async () => {
    for (const msgType of ['Update', 'Cancel'])
      expect(
        await refused({ identifier: `X-${msgType}`, status: 'Exercise', msgType, ...referTo('A-1') }),
      ).toBe('CAP-715 2');
    const exercise = await issueCap({ identifier: 'E-1', status: 'Exercise' });
    expect(exercise).toMatchObject({ verdict: 'issued' });
    for (const msgType of ['Update', 'Cancel'])
      expect(await refused({ identifier: `Y-${msgType}`, msgType, ...referTo('E-1') })).toBe('CAP-715 2');
    expect(await shown(first)).toMatchObject({ status: 'open' });
    expect(await shown(exercise.warning)).toMatchObject({ kind: 'exercise', status: 'open' });
    await json(null, 'warning', 'cancel', exercise.warning);
  });

  it('takes no Exercise in its place while it is a draft, or when it has ended', async () => {
    const { draft } = await issueCap({ identifier: 'A-3' });
    const update = { status: 'Exercise', msgType: 'Update', ...referTo('A-3') };
    expect(await refused({ identifier: 'X-3', ...update })).toBe('CAP-715 2');
    await json('author', 'warning', 'withdraw', draft, '--reason', '重复');
    expect(await refused({ identifier: 'X-4', ...update })).toBe('CAP-715 2');
  });

  it('is replaced by its Update, once, whoever sends it again', async () => {
    const parts = {
      ...{ identifier: 'A-1-u', msgType: 'Update', severity: 'Severe', ...referTo('A-1') },
      headline: '区气象台变更为暴雨橙色预警信号',
    };
    const received = await issueCap(parts);
    expect(received).toMatchObject({ verdict: 'drafted' });
    expect(await json(null, 'warning', 'drafts', received.draft)).toMatchObject({
      ...{ act: 'update', supersedes: first, level: 'orange', identifier: 'A-1-u' },
    });
    const rival = await issueCap({ ...parts, identifier: 'A-1-rival' });
    second = await out(received.draft);
    expect(await shown(first)).toMatchObject({ status: 'superseded', supersededBy: second });
    expect(await shown(second)).toMatchObject({ status: 'open', supersedes: first, revision: 2 });
    expect(await issueCap(parts)).toMatchObject({ repeated: true, warning: second });
    // The other one stands for the same warning: it cannot go out any more.
    const { hash } = await json(null, 'warning', 'drafts', rival.draft);
    await json('releaser', 'warning', 'approve', rival.draft, '--confirm', hash.slice(0, 8));
    expect((await as('author', 'warning', 'publish', rival.draft, '--confirm', rival.draft)).code).toBe(5);
    await json('author', 'warning', 'withdraw', rival.draft, '--reason', '重复');
    expect((await warnings()).filter(({ kind }) => kind === 'actual')).toHaveLength(2);
  });

  it('goes to others as an Update of what it was before', async () => {
    const [before, after] = [await exported(first), await exported(second)];
    expect(after).toMatchObject({
      ...{ identifier: 'A-1-u', status: 'Actual', msgType: 'Update' },
      references: [{ identifier: before.identifier, sender: before.sender, sent: before.sent }],
    });
    expect(after.infos.map(({ severity }) => severity)).toEqual(['Severe', 'Severe']);
  });

  it('is lifted by a Cancel, once, with words although the Cancel has none', async () => {
    const parts = { identifier: 'A-1-c', msgType: 'Cancel', ...referTo('A-1-u') };
    const received = await issueCap(parts);
    const draft = await json(null, 'warning', 'drafts', received.draft);
    expect(draft).toMatchObject({ act: 'cancel', supersedes: second });
    expect((draft['text'] as { zh: string; en: string }).zh).toContain('解除暴雨橙色预警信号');
    expect((draft['text'] as { zh: string; en: string }).en).toContain('lifted the orange rainstorm warning');
    expect(await shown(second)).toMatchObject({ status: 'open' });
    expect(await out(received.draft)).toBe(second);
    expect(await shown(second)).toMatchObject({ status: 'cancelled', retracted: false });
    expect(await issueCap(parts)).toMatchObject({ repeated: true });
    expect(await refused({ ...parts, identifier: 'A-1-c2' })).toBe('CAP-714 2');
    const told = await exported(second);
    expect(told).toMatchObject({
      msgType: 'Cancel',
      references: [{ identifier: 'A-1-u' }],
    });
    // What is lifted was not false: the correction is not what is said.
    expect(told.infos[0]?.description).toContain('解除暴雨橙色预警信号');
    expect(told.identifier).not.toBe('A-1-u');
  });

  it('keeps a name of its own where the sender uses one twice', async () => {
    const again = await issueCap({ identifier: 'A-1', sent: '2026-07-09T03:00:00+08:00' });
    expect(again.findings.map(({ code }) => code)).toContain('CAP-718');
    const id = await out(again.draft);
    expect((await warnings()).at(-1)).toMatchObject({ identifier: null });
    expect((await exported(id)).identifier).toMatch(/^fenghuo-W/);
  });
});
