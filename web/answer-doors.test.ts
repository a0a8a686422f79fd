/** The door-to-door task over HTTP and PostgreSQL: which households it lists, and what a leader may say of them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { viewWarning } from '../operations/warnings.ts';
import { startAnswerSite, type AnswerSite, type Means } from './testing.ts';

let site: AnswerSite;
let warningId: number;
let means: Means;

beforeAll(async () => {
  site = await startAnswerSite('answer_doors');
});
afterAll(() => site.stop());
beforeEach(async () => {
  warningId = await site.issue();
  means = await site.doorTask(warningId, '组一');
});

const idOf = async (name: string) =>
  (await site.database.query<{ id: number }>('select id from households where name = $1', [name]))[0]?.id ??
  0;

async function report(ticks: [string, string][], fields: Record<string, string> = {}): Promise<Response> {
  const body = new URLSearchParams({ act: 'doors', number: means.number, ...fields });
  for (const [name, household] of ticks) body.append(name, String(await idOf(household)));
  return fetch(means.url, { method: 'POST', body });
}

const found = () =>
  site.database.query(
    `select h.name, a.kind, a.via, a.vouched_by, a.how, a.person_id, a.delivery_id is not null as linked
     from answers a join households h on h.id = a.household_id where a.warning_id = $1 order by a.id`,
    [warningId],
  );

const BY_LEADER = { via: 'page', vouched_by: '组一0', person_id: null, linked: true };
const reached = (name: string) => ({ name, kind: 'received', how: 'at the door', ...BY_LEADER });
const nobody = (name: string) => ({ name, kind: 'cannot act', how: 'nobody there', ...BY_LEADER });

describe('a door-to-door task', () => {
  it('lists the households of its unit that have not answered', async () => {
    const own = await site.means(warningId, await idOf('户一2'), 'households');
    await site.post(own.url, { answer: 'received', number: own.number });
    const page = await (await fetch(means.url)).text();
    expect(page).toContain('敲门任务');
    expect(page).toContain('组一：3 户中有 2 户没有应答');
    expect(page).toContain('户一1');
    expect(page).toContain('户一3');
    expect(page).not.toContain('户一2');
    expect(page).not.toContain('户二');
    expect(page).not.toContain('+86');
  });

  it('is answered household by household', async () => {
    const reply = await report([
      ['r', '户一1'],
      ['n', '户一2'],
    ]);
    const page = await reply.text();
    expect(page).toContain('已记录：告知 1 户，无人 1 户');
    // Nobody was heard there: the household stays on the list, with the visit.
    expect(page).toContain('3 户中有 2 户没有应答');
    expect(page).toMatch(/户一2 <span class=small>\d+日.*去过，无人/);
    expect(await found()).toEqual([reached('户一1'), nobody('户一2')]);
    expect(await site.database.query('select 1 from inbox')).toEqual([]);
    const { tiers } = await viewWarning(site.database, warningId);
    expect(tiers.find(({ tier }) => tier === 'household')).toMatchObject({ answered: 1 });
    await report([['r', '户一2']]);
    expect((await found()).at(-1)).toEqual(reached('户一2'));
    expect((await site.broken(warningId, [])).filter(({ number }) => number === 3)).toEqual([]);
  });

  it('is answered as a whole, but for those where nobody was', async () => {
    const [from, until] = [String(await idOf('户一1')), String(await idOf('户一3'))];
    await report([['n', '户一2']], { mode: 'all', from, until });
    expect(await found()).toEqual([reached('户一1'), nobody('户一2'), reached('户一3')]);
    const rest = await report([], { mode: 'all', from, until });
    expect(await rest.text()).toContain('3 户都已应答或告知');
    expect(await found()).toHaveLength(4);
  });

  it('as a whole says nothing of households that did not stand on the page', async () => {
    const id = String(await idOf('户一1'));
    await report([], { mode: 'all', from: id, until: id });
    expect(await found()).toEqual([reached('户一1')]);
  });

  it('never changes what a household has said, nor says it twice', async () => {
    const own = await site.means(warningId, await idOf('户一1'), 'households');
    await site.post(own.url, { answer: 'cannot', number: own.number });
    await report([
      ['r', '户一1'],
      ['r', '户一2'],
    ]);
    await report([
      ['r', '户一2'],
      ['n', '户一1'],
    ]);
    expect(await found()).toEqual([
      {
        name: '户一1',
        kind: 'cannot act',
        via: 'page',
        vouched_by: null,
        how: null,
        person_id: null,
        linked: true,
      },
      reached('户一2'),
    ]);
  });

  it('says nothing of other units’ households', async () => {
    await report([
      ['r', '户二1'],
      ['n', '户二2'],
    ]);
    await report([], { mode: 'all', from: '1', until: '2147483647' });
    expect(await found()).toEqual([reached('户一1'), reached('户一2'), reached('户一3')]);
  });

  it.each([
    ['with a wrong number', {}, 'wrong', 403],
    ['without a number', {}, '', 400],
    ['with nothing ticked', { r: '' }, 'right', 400],
    ['both there and not there', { n: '户一1' }, 'right', 400],
  ] as [string, Record<string, string>, string, number][])(
    'takes nothing %s',
    async (_, change, number, status) => {
      const ticks = Object.entries({ r: '户一1', ...change }).filter(([, name]) => name !== '');
      const given = { right: means.number, wrong: means.wrong }[number] ?? '';
      const reply = await report(ticks, { number: given });
      expect(reply.status).toBe(status);
      // The ticks are kept, so that they need not be made again.
      const kept = (await reply.text()).match(/ checked>/g)?.length ?? 0;
      expect(kept).toBe(ticks.length);
      expect(await found()).toEqual([]);
    },
  );

  it('is no task in the hand of another delivery', async () => {
    const rung = await site.means(warningId, site.tree.person('村一'));
    const fields = { act: 'doors', number: rung.number, r: String(await idOf('户一1')) };
    expect((await site.post(rung.url, fields)).status).toBe(404);
    expect(await found()).toEqual([]);
  });

  it('still takes the leader’s own answer, and has English', async () => {
    const page = await (await site.post(means.url, { answer: 'received', number: means.number })).text();
    expect(page).toContain('组一：收到');
    expect(await (await fetch(`${means.url}?lang=en`)).text()).toContain(
      '3 of 3 households have not answered',
    );
  });

  it('of many households goes page by page, each within 14 KB, and all of them stand somewhere', async () => {
    const unit = site.tree.unit('组二');
    await site.database.query(
      `insert into households (unit_id, name, channel, address, synthetic)
       select $1, '第' || n || '号"&<' || repeat('长', 30), 'sms', '+86100000' || n, true from generate_series(1, 200) n`,
      [unit],
    );
    means = await site.doorTask(warningId, '组二');
    const seen = new Set<string>();
    let url: string | null = means.url;
    for (let pages = 0; url !== null && pages < 20; pages += 1) {
      const page: string = await (await fetch(url)).text();
      expect(Buffer.byteLength(page)).toBeLessThanOrEqual(14 * 1024 - 600);
      const ids = [...page.matchAll(/name=r value=(\d+)/g)].map(([, id]) => id ?? '');
      expect(ids.length).toBeLessThanOrEqual(60);
      for (const id of ids) seen.add(id);
      const next: string | undefined = /\?from=(\d+)&/.exec(page)?.[1];
      url =
        next === undefined || ids.length === 0 || (page.includes('回到前面') && !page.includes('后面还有'))
          ? null
          : `${means.url}?from=${next}`;
    }
    expect(seen.size).toBe(203);
    await site.database.query(`delete from households where name like '第%'`);
  });
});
