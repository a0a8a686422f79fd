/** One person with several warnings, over HTTP and PostgreSQL: the page of one lists the others, and one number settles those ticked. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../db/database.ts';
import { cancelWarning } from '../operations/warnings.ts';
import { TEST_KEYS } from '../test/harness/local-cascade.ts';
import { pastTriggers } from '../test/harness/office.ts';
import { answerPageRoutes } from './answer-page.ts';
import { startAnswerSite, type AnswerSite, type Means } from './testing.ts';

let site: AnswerSite;
let rain: number;
let flood: number;
let means: Means;

beforeAll(async () => {
  site = await startAnswerSite('answer_others');
});
afterAll(() => site.stop());
beforeEach(async () => {
  await site.database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() where status = 'open'`,
  );
  rain = await site.issue({ level: 'red' });
  flood = await site.issue({ hazard: '大风', level: 'orange', areas: ['区/乡一'] });
  means = await site.means(rain, site.tree.person('村一'));
});

const said = () =>
  site.database.query(
    `select warning_id, unit_id, kind, via, delivery_id from answers where warning_id = any($1) order by warning_id, id`,
    [[rain, flood]],
  );

const deliveryOf = (one: Means) => Number.parseInt(one.token.split('.')[0] ?? '', 36);

describe('the other open warnings of a person', () => {
  it('stand on the page by hazard, level and place, with a box of their own', async () => {
    const page = await (await fetch(means.url)).text();
    expect(page).toContain('◆ 大风橙色预警（Ⅱ级）');
    expect(page).toMatch(new RegExp(`村一 \\(W${flood}\\)`));
    expect(page).toContain(`name="t${flood}"`);
    const other = await site.means(rain, site.tree.person('村二'));
    expect(await (await fetch(other.url)).text()).not.toContain(`name="t${flood}"`);
  });

  it('are settled by the one number, each as an answer of its own through its own message', async () => {
    const fields = { answer: 'done', count: '35', number: means.number, [`t${flood}`]: 'received' };
    const page = await (await site.post(means.url, fields)).text();
    expect(page).toContain('村一：已落实，转移 35 人');
    expect(page).toMatch(new RegExp(`同时记录：◆ 大风橙色预警（Ⅱ级）（W${flood}），村一：收到`));
    const own = await site.means(flood, site.tree.person('村一'));
    const unit_id = site.tree.unit('村一');
    expect(await said()).toEqual([
      { warning_id: rain, unit_id, kind: 'done', via: 'page', delivery_id: deliveryOf(means) },
      { warning_id: flood, unit_id, kind: 'received', via: 'page', delivery_id: deliveryOf(own) },
    ]);
    expect(
      await site.database.query(
        `select c.warning_id from inbox i join cells c on c.id = i.cell_id where i.unit_id = $1 and c.warning_id = any($2) order by 1`,
        [unit_id, [rain, flood]],
      ),
    ).toEqual([{ warning_id: rain }, { warning_id: flood }]);
    expect(await (await fetch(means.url)).text()).toContain('已应答：收到');
  });

  it('that were not ticked are left alone', async () => {
    await site.post(means.url, { answer: 'received', number: means.number, [`t${flood}`]: '-' });
    expect(await said()).toMatchObject([{ warning_id: rain }]);
  });

  it.each([
    ['a wrong number', 403],
    ['no number', 400],
  ])(
    'take nothing with %s, which costs one try at most, and what was ticked is kept',
    async (what, status) => {
      const number = what === 'no number' ? '' : means.wrong;
      const fields = { answer: 'received', number, [`t${flood}`]: 'cannot' };
      const reply = await site.post(means.url, fields);
      const page = await reply.text();
      expect(reply.status).toBe(status);
      expect(page).toContain('<option value="cannot" selected>');
      expect(page).toContain(status === 403 ? '还可以试 4 次' : '四个数字');
      expect(await said()).toEqual([]);
    },
  );

  it('are only those of this person, open, told, and of the same kind', async () => {
    const elsewhere = await site.issue({ areas: ['区/乡二'] });
    const ended = await site.issue({ areas: ['区/乡一'] });
    await cancelWarning(site.database, ended, null);
    const untold = await site.issue({ areas: ['区/乡一'] });
    await site.database.query('delete from deliveries where warning_id = $1', [untold]);
    const ticked = [elsewhere, ended, untold, rain, 999_999].map((id) => [`t${id}`, 'received']);
    await site.post(means.url, {
      answer: 'received',
      number: means.number,
      ...(Object.fromEntries(ticked) as Record<string, string>),
    });
    const rows = await site.database.query(
      'select warning_id from answers where warning_id >= $1 order by id',
      [rain],
    );
    expect(rows).toEqual([{ warning_id: rain }]);
    await pastTriggers(site.database, `update warnings set kind = 'actual' where id = $1`, [flood]);
    expect(await (await fetch(means.url)).text()).not.toContain(`name="t${flood}"`);
    await pastTriggers(site.database, `update warnings set kind = 'exercise' where id = $1`, [flood]);
  });

  it('are not asked through a link of theirs that is closed', async () => {
    const own = await site.means(flood, site.tree.person('村一'));
    await site.database.query('insert into answer_tries (delivery_id, tries) values ($1, 5)', [
      deliveryOf(own),
    ]);
    const fields = { answer: 'received', number: means.number, [`t${flood}`]: 'received' };
    const page = await (await site.post(means.url, fields)).text();
    expect(page).not.toContain('同时记录');
    expect(await said()).toMatchObject([{ warning_id: rain }]);
  });
});

describe('who has neither units below nor other warnings', () => {
  it('costs no more statements than the answer itself', async () => {
    await cancelWarning(site.database, flood, null);
    const plain = await site.means(rain, site.tree.person('组二'));
    const names: (string | undefined)[] = [];
    const counted = (sql: Sql): Sql => ({
      query: (text, values, name) => {
        names.push(name);
        return sql.query(text, values, name);
      },
    });
    const database = { ...site.database, ...counted(site.database) };
    const routes = answerPageRoutes({ database, keys: TEST_KEYS, log: () => undefined });
    const ask = async (init?: RequestInit) => {
      names.length = 0;
      const response = await routes.request(`/a/${plain.token}`, init);
      expect(response.status).toBe(200);
      return [...names];
    };
    expect(await ask()).toEqual(['find-link']);
    const body = new URLSearchParams({ answer: 'received', number: plain.number });
    expect(await ask({ method: 'POST', body })).toEqual(['find-link-owners', 'store-link-answers']);
  });
});
