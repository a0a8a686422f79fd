/** "Who below me is still silent", over HTTP and PostgreSQL: what it shows to whom, and whom an official may vouch for. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { appoint, holdPost } from '../test/harness/small-tree.ts';
import { startAnswerSite, type AnswerSite, type Means } from './testing.ts';

let site: AnswerSite;
let warningId: number;

beforeAll(async () => {
  site = await startAnswerSite('answer_below');
});
afterAll(() => site.stop());
beforeEach(async () => {
  await site.database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() where status = 'open'`,
  );
  warningId = await site.issue();
});

const meansOf = (unit: string) => site.means(warningId, site.tree.person(unit));

/** Makes units silent, each a minute longer than the one before. */
async function silence(...units: string[]): Promise<void> {
  for (const [minutes, unit] of units.entries())
    await site.database.query(
      `update unit_states set silent_at = clock_timestamp() - $3 * interval '1 minute' where warning_id = $1 and unit_id = $2`,
      [warningId, site.tree.unit(unit), 10 + minutes],
    );
}

const phoneOf = async (unit: string, rank = 0) =>
  (
    await site.database.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [site.tree.person(unit, rank)],
    )
  )[0]?.address ?? '';

const vouched = () =>
  site.database.query<{ unit_id: number; kind: string }>(
    `select unit_id, kind, done_count, via, vouched_by, how, delivery_id is not null as linked from answers
     where warning_id = $1 order by id`,
    [warningId],
  );

const say = (means: Means, fields: Record<string, string> = {}) =>
  site.post(means.url, { act: 'below', number: means.number, ...fields });

describe('the list of silent units', () => {
  it('is shown by the link with names of units and counts, but no person and no telephone', async () => {
    await silence('乡一', '乡二', '村一', '组一');
    const means = await meansOf('区');
    const page = await (await fetch(means.url)).text();
    expect(page).toContain('直接下级 2 个，更下级 2 个');
    // The longest silent first.
    expect(page.indexOf('乡二')).toBeLessThan(page.indexOf('乡一'));
    expect(page).toMatch(/乡二<\/strong> \d+日\d+时\d+分起未应/);
    expect(page).not.toContain('tel:');
    for (const unit of ['乡一', '乡二', '村一']) {
      expect(page).not.toContain(await phoneOf(unit));
      expect(page).not.toContain(`${unit}0`);
    }
  });

  it('shows telephones after the right number only, and only of units directly below', async () => {
    await silence('乡一', '村一');
    const means = await meansOf('区');
    const wrong = await say(means, { number: means.wrong });
    expect([wrong.status, await wrong.text()]).toEqual([403, expect.not.stringContaining('tel:')]);
    const page = await (await say(means)).text();
    expect(page).toContain(`<a href="tel:${await phoneOf('乡一')}">`);
    expect(page).toContain('乡一0');
    expect(page).not.toContain(await phoneOf('村一'));
    expect(await vouched()).toEqual([]);
  });

  it('comes with the thanks for one’s own answer', async () => {
    await silence('乡一');
    const means = await meansOf('区');
    expect(await (await fetch(means.url)).text()).toContain('name="below"');
    const fields = { answer: 'received', number: means.number, below: '1' };
    const page = await (await site.post(means.url, fields)).text();
    expect(page).toContain('区：收到');
    expect(page).toContain(`<a href="tel:${await phoneOf('乡一')}">`);
  });

  it('puts who cannot act first, and names who has not done in time', async () => {
    await silence('乡二');
    await site.database.query(
      `update unit_states set state = (state::jsonb || '{"cannotActAt": 1700000000000}')::json
       where warning_id = $1 and unit_id = $2`,
      [warningId, site.tree.unit('乡一')],
    );
    const means = await meansOf('区');
    const page = await (await fetch(means.url)).text();
    expect(page.indexOf('报告无法执行')).toBeGreaterThan(0);
    expect(page.indexOf('报告无法执行')).toBeLessThan(page.indexOf('起未应'));
    await site.database.query(
      `update unit_states set status = 'answered', overdue_at = clock_timestamp() where warning_id = $1 and unit_id = $2`,
      [warningId, site.tree.unit('乡二')],
    );
    expect(await (await fetch(means.url)).text()).toContain('起逾期未落实');
  });

  it('holds units that report here past a silent superior', async () => {
    await silence('村一');
    const means = await meansOf('区');
    expect(await (await fetch(means.url)).text()).toContain('直接下级没有逾期未应的单位；更下级 1 个');
    await site.database.query(
      'update unit_states set reports_to = $3 where warning_id = $1 and unit_id = $2',
      [warningId, site.tree.unit('村一'), site.tree.unit('区')],
    );
    expect(await (await say(means)).text()).toContain(await phoneOf('村一'));
  });

  it('is not asked of people without units below, nor of households', async () => {
    await silence('组一', '村一');
    const page = await (await fetch((await meansOf('组一')).url)).text();
    expect(page).not.toContain('下级未应');
    const [household] = await site.database.query<{ id: number }>(
      `select id from households where name = '户一1'`,
    );
    const means = await site.means(warningId, household?.id ?? 0, 'households');
    const body = await (
      await say(means, { how: 'telephone', [`u${site.tree.unit('组一')}`]: 'received' })
    ).text();
    expect(body).not.toContain('tel:');
    expect(await vouched()).toEqual([]);
  });

  it('takes twenty lines and a number, within 14 KB, however many and long', async () => {
    const district = site.tree.unit('区');
    const name = '长"&'.repeat(20);
    await site.database.query(
      `with made as (
         insert into units (name, tier, parent_id, path, cell_unit_id, synthetic)
         select $2 || n, 'township', $1, (select path from units where id = $1), $1, true from generate_series(1, 30) n returning id)
       insert into unit_states (warning_id, unit_id, cell_id, tier, status, silent_at, rung, state)
       select $3, made.id, (select min(id) from cells where warning_id = $3), 'township', 'open', clock_timestamp(), 1, '{}' from made`,
      [district, name, warningId],
    );
    await site.database.query(
      `update units set path = path || id where parent_id = $1 and path = (select path from units where id = $1)`,
      [district],
    );
    const added = await site.database.query<{ id: number }>('select id from units where parent_id = $1', [
      district,
    ]);
    for (const { id } of added) await appoint(site.database, id, `很长的名字${id}${'名'.repeat(30)}`, 0);
    const means = await meansOf('区');
    for (const page of [await fetch(means.url), await say(means)]) {
      const body = await page.text();
      const lines = body.match(/class="item"/g)?.length ?? 0;
      expect(lines).toBeGreaterThanOrEqual(10);
      expect(lines).toBeLessThanOrEqual(20);
      expect(body).toContain(`另有 ${30 - lines} 个没有列出`);
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(14 * 1024 - 600);
    }
    const ids = added
      .map(({ id }) => id)
      .filter((id) => ![site.tree.unit('乡一'), site.tree.unit('乡二')].includes(id));
    await site.database.query('delete from unit_states where unit_id = any($1)', [ids]);
    await site.database.query('delete from posts where unit_id = any($1)', [ids]);
    await site.database.query('delete from units where id = any($1)', [ids]);
  });
});

describe('an official vouches for units below', () => {
  it('by telephone or in person, several at once, under their own name', async () => {
    await silence('乡一', '乡二');
    const means = await meansOf('区');
    const [one, two] = [site.tree.unit('乡一'), site.tree.unit('乡二')];
    await site.database.query('delete from inbox');
    const page = await (
      await say(means, {
        how: 'telephone',
        [`u${one}`]: 'done',
        [`c${one}`]: '３５人',
        [`u${two}`]: 'cannot',
      })
    ).text();
    expect(page).toContain('已记录代应');
    expect(page).toContain('乡一：已落实，转移 35 人');
    expect(page).toContain('乡二：无法执行');
    // Who has answered is not listed any more, though no step has run; who cannot act still is.
    expect(page).toContain('直接下级 1 个');
    const who = { via: 'page', vouched_by: '区0', how: 'telephone', linked: true };
    expect(await vouched()).toEqual([
      { unit_id: one, kind: 'done', done_count: 35, ...who },
      { unit_id: two, kind: 'cannot act', done_count: null, ...who },
    ]);
    expect(await site.database.query(`select body->>'kind' as kind from inbox order by id`)).toEqual([
      { kind: 'answered' },
      { kind: 'cannot act' },
    ]);
    await say(means, { how: 'person', [`u${two}`]: 'received' });
    expect((await vouched()).at(-1)).toMatchObject({ unit_id: two, kind: 'received', how: 'in person' });
    expect(await site.broken(warningId, [])).toEqual([]);
    // The referee sees who vouches for a unit that is not below theirs.
    await site.database.query(`update answers set unit_id = $2 where warning_id = $1`, [
      warningId,
      site.tree.unit('城'),
    ]);
    const broken = await site.broken(warningId, []);
    expect(broken.find(({ number }) => number === 3)).toMatchObject({ counts: { notTheirs: 3 } });
  });

  it('also for a unit further down, but not beside, above or for their own', async () => {
    const means = await meansOf('乡一');
    const ids = ['组一', '乡一', '乡二', '村二', '区', '城'].map((unit) => [
      `u${site.tree.unit(unit)}`,
      'received',
    ]);
    await say(means, { how: 'telephone', ...(Object.fromEntries(ids) as Record<string, string>) });
    expect((await vouched()).map(({ unit_id }) => unit_id)).toEqual([site.tree.unit('组一')]);
  });

  it('not by a post that was taken up after the warning was issued, or that has ended', async () => {
    const newcomer = site.tree.person('乡二', 1);
    await site.database.query(
      `insert into posts (unit_id, person_id, title, rank) values ($1, $2, '负责人', 3)`,
      [site.tree.unit('区'), newcomer],
    );
    const [row] = await site.database.query<{ id: number }>(
      `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
       select min(id), $1, 1, 'rung', 0, 'email', 'people', 1, array[$2::bigint], array[$3::int] from cells where warning_id = $1 returning id`,
      [warningId, newcomer, site.tree.unit('乡二')],
    );
    expect(row).toBeDefined();
    const means = await site.means(warningId, newcomer);
    await say(means, { how: 'telephone', [`u${site.tree.unit('乡一')}`]: 'received' });
    expect(await vouched()).toEqual([]);
    await site.database.query('delete from posts where rank = 3');
  });

  it.each([
    ['without a number', { number: '' }, 400],
    ['with a wrong number', { number: 'wrong' }, 403],
    ['without how', { how: '' }, 400],
    ['with an unknown how', { how: 'magic' }, 400],
    ['with a count that is none', { count: 'many' }, 400],
  ] as [string, Record<string, string>, number][])('not %s', async (_, change, status) => {
    await silence('乡一');
    const means = await meansOf('区');
    const unit = site.tree.unit('乡一');
    const { count, number, ...rest } = change;
    const reply = await say(means, {
      how: 'telephone',
      [`u${unit}`]: 'done',
      ...(count ? { [`c${unit}`]: count } : {}),
      ...(number === undefined ? {} : { number: number === 'wrong' ? means.wrong : number }),
      ...rest,
    });
    expect(reply.status).toBe(status);
    expect(await vouched()).toEqual([]);
    // What was filled in comes back, so that the number alone sends it again.
    const page = await reply.text();
    expect(page).toContain(`<input type="hidden" name="u${unit}" value="done">`);
    expect(page).not.toContain('tel:');
  });

  it('not by a closed link', async () => {
    const means = await meansOf('区');
    for (let wrong = 0; wrong < 5; wrong += 1) await say(means, { number: means.wrong });
    const reply = await say(means, { how: 'telephone', [`u${site.tree.unit('乡一')}`]: 'received' });
    expect([reply.status, await reply.text()]).toEqual([403, expect.stringContaining('此链接已停用')]);
    expect(await vouched()).toEqual([]);
  });

  it('and of two posts each counts, with no unit of their own in the list', async () => {
    await silence('乡一', '村二');
    await holdPost(site.database, site.tree.unit('乡二'), site.tree.person('区'), 4);
    const means = await meansOf('区');
    const page = await (await fetch(means.url)).text();
    expect(page).toContain('直接下级 2 个，更下级 0 个');
    await site.database.query('delete from posts where rank = 4');
  });
});
