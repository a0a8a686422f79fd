/** `warning update`, `cancel` and `retract` as people type them, for Exercises and for actual warnings, against PostgreSQL. No worker runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { commandsIn } from '../test/harness/commands.ts';
import { openOffice } from '../test/harness/office.ts';

const REQUEST = ['--hazard', '暴雨', '--level', 'red', '--area', '区/乡一', '--expires', '+6h'];

let database: Database;
type Shape = Record<string, unknown> & {
  id: string;
  hash: string;
  warning: string;
  endedAt: string | null;
  text: { zh: string; en: string };
  correction: { zh: string; en: string };
};

const { directory, tokens, as, json, refused, ...commands } = commandsIn<Shape>('cli_updates');
beforeAll(async () => {
  database = await commands.open();
  const office = await openOffice(database);
  tokens['author'] = (await office.hire('张三', 'author')).token;
  tokens['releaser'] = (await office.hire('李四', 'releaser')).token;
  tokens['other releaser'] = (await office.hire('孙七', 'releaser')).token;
  tokens['duty'] = (await office.hire('王五', 'duty officer')).token;
});
afterAll(() => commands.close());

const refusal = async (name: string | null, ...argv: string[]) => (await refused(name, ...argv)).is;

const shown = async (id: string) =>
  ((await json(null, 'warning', 'show', id)) as unknown as { warning: Shape }).warning;

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe.sequential('an Exercise', () => {
  const issue = async () => (await json(null, 'warning', 'issue', ...REQUEST)).id;

  test('is replaced by its update, which says what it replaced and who answers anew', async () => {
    const before = await issue();
    const chinese = await as(null, 'warning', 'update', before, '--level', 'orange', '--lang', 'zh');
    expect(chinese).toMatchObject({ code: 0 });
    const after = /W\d+/.exec(chinese.stdout)?.[0] ?? '';
    expect(chinese.stdout).toMatch(new RegExp(`^${after} 暴雨橙色预警 已替换 ${before}\n区域 +乡一\n`));
    expect(chinese.stdout).toMatch(/有效至 +\d{4}-\d\d-\d\dT.*\+08:00/);
    expect(chinese.stderr).toContain('已有的应答继续有效');
    expect(await shown(before)).toMatchObject({ status: 'superseded', supersededBy: after });
    const english = await as(null, 'warning', 'update', after, '--level', 'red', '--area', '区');
    const third = /^W\d+/.exec(english.stdout)?.[0] ?? '';
    expect(english.stdout).toContain(`is in the place of ${after}`);
    expect(english.stderr).toContain('answer');
    expect(await shown(third)).toMatchObject({
      ...{ kind: 'exercise', status: 'open', revision: 3, supersedes: after, supersededBy: null },
      ...{ chain: before, incident: before, asksAgain: true, level: 'red', areas: ['区'], retracted: false },
    });
    expect((await as(null, 'warning', 'list', '--lang', 'zh')).stdout).toContain(`已变更 → ${third}`);
    const refusedSecond = await refused(null, 'warning', 'update', before, '--level', 'blue');
    expect(refusedSecond.is).toBe('superseded 5');
    expect(refusedSecond.sentence).toContain(third);
    expect(await refusal(null, 'warning', 'cancel', after)).toBe('superseded 5');
    expect(await json(null, 'warning', 'cancel', third)).toMatchObject({ id: third, status: 'cancelled' });
  });

  test('keeps what nobody has given anew', async () => {
    const textFile = file('text.txt', '请转移到学校。\n');
    const before = (await json(null, 'warning', 'issue', ...REQUEST, '--text-file', textFile)).id;
    const after = await json(null, 'warning', 'update', before, '--expires', '+12h');
    expect(after.text.zh).toBe('请转移到学校。');
    const first = await shown(before);
    expect(after).toMatchObject({ level: first['level'], areas: first['areas'], issuer: first['issuer'] });
    expect(Date.parse(String(after['expiresAt']))).toBeGreaterThan(Date.parse(String(first['expiresAt'])));
  });

  test('is cancelled, or withdrawn, once', async () => {
    const lifted = await issue();
    const cancelled = await as(null, 'warning', 'cancel', lifted, '--reason', '雨势减弱', '--lang', 'zh');
    expect(cancelled.stdout).toMatch(new RegExp(`^${lifted} 已于 \\S+\\+08:00 解除\n$`));
    expect(await shown(lifted)).toMatchObject({
      status: 'cancelled',
      retracted: false,
      endReason: '雨势减弱',
    });
    expect(await refusal(null, 'warning', 'cancel', lifted)).toBe('not-open 5');
    expect(await refusal(null, 'warning', 'retract', lifted, '--reason', '误发')).toBe('not-open 5');
    const wrong = await issue();
    expect((await as(null, 'warning', 'retract', wrong)).code).toBe(2);
    const withdrawn = await as(null, 'warning', 'retract', wrong, '--reason', '误发');
    expect(withdrawn).toMatchObject({ code: 0 });
    expect(withdrawn.stdout).toContain(`${wrong} withdrawn at`);
    expect(await shown(wrong)).toMatchObject({ status: 'cancelled', retracted: true, endReason: '误发' });
    expect((await as(null, 'warning', 'show', wrong, '--lang', 'zh')).stdout).toContain(`${wrong} 已撤销`);
    expect((await as(null, 'warning', 'list')).stdout).toContain('withdrawn');
  });

  test('is refused with the reason and the exit code', async () => {
    const id = await issue();
    const expected: [string[], string][] = [
      [['update', id], 'nothing-changes 2'],
      [['update', id, '--level', 'purple'], 'level 2'],
      [['update', id, '--area', '没有'], 'unknown-unit 3'],
      [['update', id, '--expires', '6'], 'expiry 2'],
      [['update', id, '--text-file', file('empty.txt', ' \n')], 'text 2'],
      [['update', 'W999', '--level', 'red'], 'no-such-warning 3'],
      [['update', 'x', '--level', 'red'], 'warning-id 2'],
      [['cancel', 'W999'], 'no-such-warning 3'],
      [['retract', 'W999', '--reason', '误发'], 'no-such-warning 3'],
    ];
    for (const [argv, is] of expected)
      expect([argv, await refusal(null, 'warning', ...argv)]).toEqual([argv, is]);
    expect((await as(null, 'warning', 'update', id, '--lang', 'zh')).stderr).toContain('没有任何变更');
    expect(await shown(id)).toMatchObject({ status: 'open', supersededBy: null });
  });
});

describe.sequential('an actual warning', () => {
  const publish = async (draft: Shape) => {
    await json('releaser', 'warning', 'approve', draft.id, '--confirm', draft.hash.slice(0, 8));
    return (await json('author', 'warning', 'publish', draft.id, '--confirm', draft.id)).warning;
  };
  const issue = async (...more: string[]) =>
    publish(await json('author', 'warning', 'issue', ...REQUEST, '--actual', ...more));

  test('is updated by a draft that others release; its correction follows the level', async () => {
    const before = await issue();
    expect(await refusal(null, 'warning', 'update', before, '--level', 'orange')).toBe('no-operator 4');
    expect(await refusal('author', 'warning', 'update', before)).toBe('nothing-changes 2');
    const draft = await json('author', 'warning', 'update', before, '--level', 'orange', '--expires', '+8h');
    expect(draft).toMatchObject({
      ...{ act: 'update', status: 'waiting', approved: false, supersedes: before, level: 'orange' },
      ...{ areas: ['乡一'], author: '张三', version: 1, warning: null, reason: null },
    });
    expect(draft.text.zh).toContain('暴雨橙色预警信号');
    expect(draft.correction.zh).toContain('暴雨橙色预警信号系误发');
    expect(draft.correction.en).toContain('orange');
    // Until the release nothing has changed.
    expect(await shown(before)).toMatchObject({ status: 'open', supersededBy: null });
    const chinese = await as('author', 'warning', 'drafts', draft.id, '--lang', 'zh');
    expect(chinese.stdout).toContain(`${draft.id}  更新 ${before}  暴雨橙色预警`);
    const rival = await json('author', 'warning', 'update', before, '--level', 'yellow');
    const after = await publish(draft);
    expect(await shown(before)).toMatchObject({ status: 'superseded', supersededBy: after });
    expect(await shown(after)).toMatchObject({
      kind: 'actual',
      status: 'open',
      supersedes: before,
      revision: 2,
    });
    // The second draft for the same warning never goes out, whoever releases it.
    await json('releaser', 'warning', 'approve', rival.id, '--confirm', rival.hash.slice(0, 8));
    const late = await refused('author', 'warning', 'publish', rival.id, '--confirm', rival.id);
    expect(late.is).toBe('superseded 5');
    expect(late.sentence).toContain(after);
    expect(await refusal('author', 'warning', 'update', before, '--level', 'blue')).toBe('superseded 5');
    expect(await refusal('author', 'warning', 'cancel', before)).toBe('superseded 5');
    await json('author', 'warning', 'withdraw', rival.id, '--reason', '已更新');
  });

  test('is cancelled by two persons, with the words and the reason they released', async () => {
    const id = await issue();
    const draft = await json('author', 'warning', 'cancel', id, '--reason', '雨势减弱');
    expect(draft).toMatchObject({ act: 'cancel', supersedes: id, reason: '雨势减弱' });
    expect(draft.text.zh).toContain('解除暴雨红色预警信号');
    expect(draft.text.en).toContain('lifted the red rainstorm warning');
    expect((await as('author', 'warning', 'drafts', draft.id, '--lang', 'zh')).stdout).toContain(
      '原因:雨势减弱',
    );
    expect(await shown(id)).toMatchObject({ status: 'open' });
    expect(await refusal('author', 'warning', 'approve', draft.id, '--confirm', draft.hash.slice(0, 8))).toBe(
      'self-approval 4',
    );
    expect(await publish(draft)).toBe(id);
    expect(await shown(id)).toMatchObject({ status: 'cancelled', retracted: false, endReason: '雨势减弱' });
    expect(await refusal('author', 'warning', 'cancel', id)).toBe('not-open 5');
    expect(await refusal('author', 'warning', 'update', id, '--level', 'blue')).toBe('not-open 5');
    expect(await refusal('author', 'warning', 'publish', draft.id, '--confirm', draft.id)).toBe(
      'draft-ended 5',
    );
  });

  test('is withdrawn by one person with what was released, and somebody else looks at it', async () => {
    const correction = file('correction.txt', '此前预警有误,请停止转移。');
    const id = await issue('--correction-file', correction);
    expect(await refusal(null, 'warning', 'retract', id, '--reason', '误发')).toBe('no-operator 4');
    expect(await refusal('author', 'warning', 'retract', id, '--reason', '误发')).toBe('no-authority 4');
    expect(await refusal('duty', 'warning', 'retract', id, '--reason', ' ')).toBe('empty-option 2');
    expect(await shown(id)).toMatchObject({ status: 'open' });
    const withdrawn = await as('duty', 'warning', 'retract', id, '--reason', '误发', '--lang', 'zh');
    expect(withdrawn).toMatchObject({ code: 0 });
    expect(withdrawn.stdout).toContain('已通知者会收到更正');
    expect(withdrawn.stderr).toContain('事后复核');
    expect(await shown(id)).toMatchObject({ status: 'cancelled', retracted: true, endReason: '误发' });
    expect(await database.query('select end_text_zh as said from warnings order by id desc limit 1')).toEqual(
      [{ said: '此前预警有误,请停止转移。' }],
    );
    const [open] = (await json(null, 'warning', 'review-after')) as unknown as [
      { review: string; act: string; operator: string; warning: string },
    ];
    expect(open).toMatchObject({ act: 'retract', operator: '王五' });
    const finding = ['--justified', '--finding', '确属误发'];
    expect(await refusal('duty', 'warning', 'review-after', open.review, ...finding)).toBe('self-approval 4');
    await json('other releaser', 'warning', 'review-after', open.review, ...finding);
    expect(await refusal('duty', 'warning', 'retract', id, '--reason', '误发')).toBe('not-open 5');
  });

  test('has a name of its own in the world, checked when it is written', async () => {
    expect(await refusal('author', 'warning', 'issue', ...REQUEST, '--actual', '--identifier', 'a b')).toBe(
      'identifier 2',
    );
    await issue('--identifier', '50011441600000_20260709024200');
    const again = ['--actual', '--identifier', '50011441600000_20260709024200'];
    expect(await refusal('author', 'warning', 'issue', ...REQUEST, ...again)).toBe('identifier-taken 5');
  });
});
