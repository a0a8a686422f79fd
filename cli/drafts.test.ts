/** An actual warning at the command line, from the first operator to the retraction: what people type, against PostgreSQL. No worker runs. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { commandsIn } from '../test/harness/commands.ts';
import { pastTriggers, serveActual } from '../test/harness/office.ts';

const REQUEST = ['--hazard', '暴雨', '--level', 'red', '--area', '区/乡一', '--expires', '+6h', '--actual'];

let database: Database;
type Shape = Record<string, unknown> & { id: string; hash: string; warning: string; token: string };

const { directory, tokens, as, json, refused, ...commands } = commandsIn<Shape>('cli_drafts');
beforeAll(async () => {
  database = await commands.open();
});
afterAll(() => commands.close());

/** The code of the refusal and the exit code. */
const refusal = async (name: string | null, ...argv: string[]) => (await refused(name, ...argv)).is;

async function hire(name: string, ...grant: string[]): Promise<void> {
  tokens[name] = (await json('管理员', 'operator', 'add', name)).token;
  await json('管理员', 'operator', 'grant', name, ...grant);
}

describe.sequential('an office goes live', () => {
  test('nobody does anything without being logged in', async () => {
    expect(await refusal(null, 'warning', 'issue', ...REQUEST)).toBe('no-operator 4');
    expect(await refusal(null, 'operator', 'add', '张三')).toBe('no-operator 4');
    expect((await as(null, 'whoami', '--lang', 'zh')).stdout).toContain('无人登录');
    tokens['nobody'] = 'fenghuo_made-up';
    expect(await refusal('nobody', 'warning', 'issue', ...REQUEST)).toBe('token-unknown 4');
  });

  test('the first operator hands out authority and has none', async () => {
    tokens['管理员'] = (await json(null, 'operator', 'add', '管理员', '--first')).token;
    expect(await refusal(null, 'operator', 'add', '某人', '--first')).toBe('not-first-operator 4');
    const all = ['--area', '城', '--level', 'red'];
    expect(await refusal('管理员', 'operator', 'grant', '管理员', '--role', 'releaser', ...all)).toBe(
      'administrator-has-no-authority 4',
    );
    expect(await refusal('管理员', 'warning', 'issue', ...REQUEST)).toBe('no-authority 4');
    await hire('张三', '--role', 'author', '--area', '区/乡一', '--level', 'red');
    await hire('李四', '--role', 'releaser', ...all);
    await hire('王五', '--role', 'duty-officer', ...all);
    await hire('赵六', '--role', 'author', ...all, '--hazard', '台风');
    expect(await refusal('张三', 'operator', 'add', '某人')).toBe('not-administrator 4');
    expect((await as('张三', 'operator', 'list', '--lang', 'zh')).stdout).toContain(
      '签发人 · 城 · 至红色 · 全部灾种',
    );
  });

  test('a token is kept for its owner alone, and ends with the logout', async () => {
    const spare = (await json('张三', 'operator', 'token', '张三', '--days', '1')).token;
    const file = join(directory, 'token.txt');
    writeFileSync(file, spare);
    expect(await as(null, 'login', '--token-file', file)).toMatchObject({ code: 0 });
    expect((await as(null, 'whoami')).stdout).toMatch(
      /^张三\n {2}#\d+ author · 城\/区\/乡一 · up to red · all hazards/,
    );
    const kept = (await import('./token.ts')).tokenFile(commands.environment());
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(await as(null, 'logout')).toMatchObject({ code: 0 });
    expect((await as(null, 'whoami')).stdout).toContain('Nobody is logged in');
    tokens['spare'] = spare;
    expect(await refusal('spare', 'whoami')).toBe('token-revoked 4');
    expect(await refusal('王五', 'operator', 'token', '张三')).toBe('not-administrator 4');
  });
});

describe.sequential('an actual warning', () => {
  let draft: Shape;
  let warning: string;

  test('is a draft with its plan, and nothing goes out', async () => {
    expect(await refusal('赵六', 'warning', 'issue', ...REQUEST)).toBe('no-authority 4');
    expect(await refusal('张三', 'warning', 'issue', ...REQUEST, '--speed', '2')).toBe('speed 2');
    draft = await json('张三', 'warning', 'issue', ...REQUEST);
    expect(draft).toMatchObject({
      id: 'D1',
      status: 'waiting',
      approved: false,
      author: '张三',
      plan: { warning: { kind: 'actual' } },
    });
    expect(await database.query('select from warnings')).toEqual([]);
    expect((await as(null, 'warning', 'drafts', '--lang', 'zh')).stdout).toMatch(
      /D1 +发布 +红色 +暴雨 +乡一 +张三 .*待审核、签发/,
    );
    const shown = (await as(null, 'warning', 'drafts', 'D1')).stdout;
    expect(shown).toContain('重庆市气象台更正');
    expect(shown).not.toContain('EXERCISE');
  });

  test('is released by somebody else who has read this very version', async () => {
    const hash = draft.hash.slice(0, 8);
    expect(await refusal('李四', 'warning', 'approve', 'D1')).toBe('confirm 4');
    expect(await refusal('李四', 'warning', 'approve', 'D1', '--confirm', '00000000')).toBe('confirm 4');
    expect(await refusal('张三', 'warning', 'approve', 'D1', '--confirm', hash)).toBe('self-approval 4');
    expect(await refusal('王五', 'warning', 'approve', 'D1', '--confirm', hash)).toBe('no-authority 4');
    expect(await refusal('张三', 'warning', 'publish', 'D1', '--confirm', 'D1')).toBe('not-ready 4');
    await serveActual(database);
    expect(await refusal('张三', 'warning', 'publish', 'D1', '--confirm', 'D1')).toBe('not-approved 4');
    const edited = await json(
      '张三',
      'warning',
      'issue',
      ...REQUEST.slice(0, -2),
      '+5h',
      '--actual',
      '--edit',
      'D1',
    );
    expect(edited).toMatchObject({ id: 'D1', version: 2 });
    expect(await refusal('李四', 'warning', 'approve', 'D1', '--confirm', hash)).toBe('confirm 4');
    const approved = await json('李四', 'warning', 'approve', 'D1', '--confirm', edited.hash.slice(0, 8));
    expect(approved).toMatchObject({ approved: true, approvals: [{ step: 'release' }, { step: 'review' }] });
  });

  test('is published once its name is typed, and once only', async () => {
    expect(await refusal('张三', 'warning', 'publish', 'D1')).toBe('confirm 4');
    expect(await refusal('李四', 'warning', 'publish', 'D1', '--confirm', 'D2')).toBe('confirm 4');
    const published = await json('张三', 'warning', 'publish', 'D1', '--confirm', 'D1');
    warning = published.warning;
    expect(published).toMatchObject({ status: 'published', endedBy: '张三' });
    expect(await json(null, 'warning', 'show', warning)).toMatchObject({
      warning: { kind: 'actual', status: 'open' },
    });
    expect(await refusal('张三', 'warning', 'publish', 'D1', '--confirm', 'D1')).toBe('draft-ended 5');
    expect(await refusal('张三', 'warning', 'publish', 'D9', '--confirm', 'D9')).toBe('no-such-draft 3');
  });

  test('shows numbers of an actual warning to those with the right', async () => {
    expect(await refusal(null, 'silent', warning, '--numbers')).toBe('no-operator 4');
    expect(await refusal('张三', 'silent', warning, '--numbers')).toBe('no-authority 4');
    expect(await json('王五', 'silent', warning, '--numbers')).toMatchObject({ warning });
    expect(await json(null, 'silent', warning)).toMatchObject({ warning });
    expect(await refusal(null, 'calls', 'next', warning)).toBe('actor 2');
    expect(await refusal('张三', 'calls', 'next', warning, '--officer', '别人')).toBe('other-actor 4');
    expect(await json('张三', 'calls', 'next', warning)).toEqual({ call: null });
    expect(await json('王五', 'pause', '--reason', '误发核实')).toMatchObject({ paused: { by: '王五' } });
    expect(await json('李四', 'resume')).toMatchObject({ ended: { by: '王五' } });
  });

  test('is updated and cancelled by two persons, retracted by one', async () => {
    const outByTwo = async (draft: Shape): Promise<string> => {
      await json('李四', 'warning', 'approve', draft.id, '--confirm', draft.hash.slice(0, 8));
      return (await json('张三', 'warning', 'publish', draft.id, '--confirm', draft.id)).warning;
    };
    expect(await refusal(null, 'warning', 'update', warning, '--level', 'orange')).toBe('no-operator 4');
    expect(await refusal('赵六', 'warning', 'cancel', warning)).toBe('no-authority 4');
    const update = await json('张三', 'warning', 'update', warning, '--level', 'orange');
    expect(update).toMatchObject({ act: 'update', supersedes: warning, level: 'orange' });
    const second = await outByTwo(update);
    expect(await json(null, 'warning', 'show', warning)).toMatchObject({ warning: { status: 'superseded' } });
    const cancel = await json('张三', 'warning', 'cancel', second);
    expect(cancel).toMatchObject({ act: 'cancel', supersedes: second });
    expect(await json(null, 'warning', 'show', second)).toMatchObject({ warning: { status: 'open' } });
    expect(await outByTwo(cancel)).toBe(second);
    expect(await json(null, 'warning', 'show', second)).toMatchObject({ warning: { status: 'cancelled' } });
    const third = await outByTwo(await json('张三', 'warning', 'issue', ...REQUEST));
    expect(await refusal('张三', 'warning', 'retract', third, '--reason', '误发')).toBe('no-authority 4');
    await json('李四', 'warning', 'retract', third, '--reason', '误发');
    expect(await refusal('李四', 'warning', 'retract', third, '--reason', '误发')).toBe('not-open 5');
    const [open] = (await json(null, 'warning', 'review-after')) as unknown as [
      { review: string; act: string },
    ];
    expect(open.act).toBe('retract');
    const other = ['--role', 'releaser', '--area', '城', '--level', 'red'];
    await hire('孙七', ...other);
    await json('孙七', 'warning', 'review-after', open.review, '--justified', '--finding', '属误发');
  });

  test('an approval is good for a quarter of an hour', async () => {
    const { id, hash } = await json('张三', 'warning', 'issue', ...REQUEST);
    await json('李四', 'warning', 'approve', id, '--confirm', hash.slice(0, 8));
    await pastTriggers(database, `update approvals set valid_until = valid_until - interval '15 minutes'`);
    expect(await refusal('张三', 'warning', 'publish', id, '--confirm', id)).toBe('approval-expired 4');
    expect((await as('张三', 'warning', 'publish', id, '--confirm', id, '--lang', 'zh')).stderr).toContain(
      '15 分钟',
    );
    expect(await json('李四', 'warning', 'reject', id, '--reason', '等级过高')).toMatchObject({
      ...{ status: 'rejected', endedBy: '李四', endReason: '等级过高' },
    });
  });

  test('that is not to be sent is decided so, because', async () => {
    const { id } = await json('张三', 'warning', 'issue', ...REQUEST);
    expect(await refusal('李四', 'warning', 'decide-not', id, '--reason', ' ')).toBe('empty-option 2');
    expect(await refusal('赵六', 'warning', 'decide-not', id, '--reason', '雨停')).toBe('no-authority 4');
    expect(await json('李四', 'warning', 'decide-not', id, '--reason', '雨势减弱')).toMatchObject({
      status: 'not sent',
    });
    expect(await database.query('select reason from decisions')).toEqual([{ reason: '雨势减弱' }]);
    expect((await as(null, 'warning', 'drafts', '--all')).stdout).toContain('decided not to send');
  });

  test('that nobody has drafted is decided against as well', async () => {
    const about = ['--hazard', '暴雨', '--level', 'orange', '--area', '区/乡一', '--reason', '雨势减弱'];
    expect(await refusal(null, 'warning', 'decide-not', ...about)).toBe('no-operator 4');
    expect(await refusal('赵六', 'warning', 'decide-not', ...about)).toBe('no-authority 4');
    expect(await refusal('李四', 'warning', 'decide-not', ...about.slice(2))).toBe('decide-what 2');
    expect(await refusal('李四', 'warning', 'decide-not', 'D1', ...about)).toBe('decide-what 2');
    expect(await refusal('李四', 'warning', 'decide-not', ...about.with(1, '雨雪'))).toBe('hazard 2');
    expect(await json('李四', 'warning', 'decide-not', ...about)).toMatchObject({
      ...{ hazard: { code: '11B03' }, level: 'orange', areas: ['乡一'], by: '李四', reason: '雨势减弱' },
    });
    expect((await as('李四', 'warning', 'decide-not', ...about, '--lang', 'zh')).stdout).toBe(
      '决定不发布:乡一 暴雨橙色预警。决定人:李四;理由:雨势减弱。已留存。\n',
    );
    const [row] = await database.query('select draft_id, level from decisions order by id desc limit 1');
    expect(row).toEqual({ draft_id: null, level: 'orange' });
  });

  test('and what was decided against is listed, and shown one by one', async () => {
    const list = (await json(null, 'warning', 'decisions')) as unknown as Record<string, unknown>[];
    expect(list.map(({ decision, draft, level }) => [decision, draft !== null, level])).toEqual([
      ['3', false, 'orange'],
      ['2', false, 'orange'],
      ['1', true, 'red'],
    ]);
    expect(await json(null, 'warning', 'decisions', '3')).toEqual(list[0]);
    expect(await json(null, 'warning', 'decisions', '--most', '1')).toHaveLength(1);
    const shown = (await as(null, 'warning', 'decisions', '1', '--lang', 'zh')).stdout;
    for (const words of ['决定 1:不发布 暴雨红色预警 (D', '区域  乡一', '决定人 李四', '原因:雨势减弱'])
      expect(shown).toContain(words);
    expect((await as(null, 'warning', 'decisions')).stdout).toMatch(
      /^id +when +level +hazard +area.* +by +because\n/,
    );
    expect(await refusal(null, 'warning', 'decisions', '99')).toBe('no-such-decision 3');
  });

  test('goes out by one person in an emergency, and somebody else looks at it', async () => {
    const publish = async (id: string) =>
      ['warning', 'publish', id, '--confirm', id, '--emergency', '溃坝'] as const;
    const one = await json('王五', 'warning', 'issue', ...REQUEST);
    expect(await refusal('张三', ...(await publish(one.id)))).toBe('no-authority 4');
    expect(await json('王五', ...(await publish(one.id)))).toMatchObject({ status: 'published' });
    const two = await json('王五', 'warning', 'issue', ...REQUEST);
    expect(await refusal('王五', ...(await publish(two.id)))).toBe('after-review-open 4');
    const [open] = (await json(null, 'warning', 'review-after')) as unknown as [
      { review: string; operator: string },
    ];
    expect(open.operator).toBe('王五');
    const justified = ['--justified', '--finding', '溃坝属实'];
    expect(await refusal('王五', 'warning', 'review-after', open.review, ...justified)).toBe(
      'self-approval 4',
    );
    expect(await refusal('张三', 'warning', 'review-after', open.review, ...justified)).toBe(
      'no-authority 4',
    );
    expect(await refusal('李四', 'warning', 'review-after', open.review, '--finding', '?')).toBe('verdict 2');
    await json('李四', 'warning', 'review-after', open.review, ...justified);
    expect(await json('王五', ...(await publish(two.id)))).toMatchObject({ status: 'published' });
  });

  test('that was decided against first says so in its evidence', async () => {
    const [newest] = (await json(null, 'warning', 'list')) as unknown as [Shape];
    for (const [lang, words] of [
      ['zh', '决定不发布,理由:雨势减弱'],
      ['en', 'decided not to send, because: 雨势减弱'],
    ] as const) {
      const file = join(directory, `evidence.${lang}.html`);
      await as(null, 'audit', 'export', newest.id, '--out', file, '--lang', lang);
      expect(readFileSync(file, 'utf8')).toContain(words);
    }
  });

  test('is answered for by nobody who is not logged in', async () => {
    const [newest] = (await json(null, 'warning', 'list')) as unknown as [Shape];
    const words = [
      'answer',
      '--warning',
      newest.id,
      '--unit',
      '区/乡一',
      '--vouched-by',
      '王五',
      '--how',
      '电话',
    ];
    expect(await refusal(null, ...words)).toBe('no-operator 4');
    tokens['nobody'] = 'fenghuo_made-up';
    expect(await refusal('nobody', ...words)).toBe('no-operator 4');
    expect(await database.query('select from answers where warning_id = $1', [newest.id.slice(1)])).toEqual(
      [],
    );
    expect(await json('王五', ...words)).toMatchObject({ answer: 'received', vouchedBy: '王五' });
    const [call] = await database.query<{ id: number }>(
      `insert into calls (warning_id, unit_id, officer, taken_until)
       select $1, id, '某人', clock_timestamp() + interval '5 minutes' from units where name = '乡一' returning id`,
      [newest.id.slice(1)],
    );
    const heard = ['calls', 'record', String(call?.id), '--outcome', 'cannot-act'];
    expect(await refusal(null, ...heard)).toBe('no-operator 4');
    const wrong = [...heard.slice(0, -1), 'wrong-number'];
    expect(await refusal(null, ...wrong)).toBe('no-operator 4');
    expect(await json('王五', ...heard)).toMatchObject({ unit: '乡一' });
    expect(
      await database.query(
        `select actor, body->>'outcome' as outcome, body->>'officer' as officer from audit where kind = 'call'`,
      ),
    ).toEqual([{ actor: '王五', outcome: 'cannot act', officer: '某人' }]);
  });

  test('is stopped by anybody, and goes on or is sent again by nobody who is not logged in', async () => {
    const [newest] = (await json(null, 'warning', 'list')) as unknown as [Shape];
    const again = ['delivery', 'retry', newest.id, '--failed', '--by', '某人', '--reason', '网关已恢复'];
    expect(await refusal(null, ...again)).toBe('no-operator 4');
    const { paused } = await json(null, 'pause', '--by', '某人', '--reason', '误发核实');
    expect(paused).toMatchObject({ by: '某人' });
    expect(await refusal(null, 'resume', '--by', '某人')).toBe('no-operator 4');
    expect(await json('王五', 'resume')).toMatchObject({ paused: null });
    expect(
      await json('王五', 'delivery', 'retry', newest.id, '--failed', '--reason', '网关已恢复'),
    ).toMatchObject({
      retried: 0,
    });
  });

  test('leaves a line in the record for every act', async () => {
    const rows = await database.query<{ kind: string; actors: string }>(
      `select kind, string_agg(distinct coalesce(actor, '-'), ',' order by coalesce(actor, '-')) as actors from audit
       where chain like 'acts%' group by kind`,
    );
    expect(Object.fromEntries(rows.map(({ kind, actors }) => [kind, actors]))).toMatchObject({
      'operator add': '管理员',
      grant: '管理员',
      draft: '张三,王五',
      edit: '张三',
      review: '李四',
      release: '李四',
      publish: '张三',
      rejected: '李四',
      'decided not to send': '李四',
      emergency: '王五',
      answer: '王五',
      'after-review': '孙七,李四',
      'release alone': '李四',
    });
    // Neither a token nor its hash stands there.
    const [leak] = await database.query<{ count: number }>(
      `select count(*)::int as count from audit where body::text like '%fenghuo\\_%'`,
    );
    expect(leak?.count).toBe(0);
  });
});
