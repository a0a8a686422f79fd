/**
 * The answer page in a real Chromium, as an old phone shows it: 360 px wide, no script. CHROMIUM names the browser, else it
 * is looked for in PATH; `apt-get install chromium` brings one. SCREENSHOTS names a folder for pictures of each state.
 */
import { join } from 'node:path';
import type { Browser, Page, Response } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FarSideAct } from '../operations/referee.ts';
import { addFirstOperator, addOperator, authenticate, grantRole } from '../operations/operators.ts';
import { cancelWarning } from '../operations/warnings.ts';
import { startAnswerSite, type AnswerSite, type Means } from '../web/testing.ts';
import { findChromium, launchChromium } from './harness/chromium.ts';

const PAGE_BYTES_MAX = 14 * 1024;
const TARGET_PX_MIN = 44;
const CONTRAST_MIN = 7;

const executablePath = findChromium();

const title =
  executablePath === null
    ? 'the answer page on a phone (left out: no Chromium; install one or set CHROMIUM)'
    : 'the answer page on a phone';

describe.runIf(executablePath !== null)(title, () => {
  let site: AnswerSite;
  let browser: Browser;
  let page: Page;
  let asked: string[];

  beforeAll(async () => {
    site = await startAnswerSite('browser');
    browser = await launchChromium(executablePath ?? '');
    const context = await browser.newContext({
      viewport: { width: 360, height: 640 },
      javaScriptEnabled: false,
    });
    page = await context.newPage();
    page.on('request', (request) => asked.push(request.url()));
  });
  afterAll(async () => {
    await browser?.close();
    await site.stop();
  });

  /** Looks at a state as its reader must: fits, is large enough, has labels and contrast, asked for nothing else. */
  async function look(name: string, response: Response | null, words: RegExp): Promise<void> {
    const folder = process.env['SCREENSHOTS'];
    if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    expect(await page.innerText('main')).toMatch(words);
    expect(asked).toHaveLength(1);
    const sizes = await response?.request().sizes();
    expect((sizes?.responseBodySize ?? 0) + (sizes?.responseHeadersSize ?? 0)).toBeLessThanOrEqual(
      PAGE_BYTES_MAX,
    );
    const faults = await page.evaluate(findFaults, { target: TARGET_PX_MIN, contrast: CONTRAST_MIN });
    expect({ name, faults }).toEqual({ name, faults: [] });
  }

  async function open(url: string): Promise<Response | null> {
    asked = [];
    return page.goto(url);
  }

  async function send(choice: string | null, number: string, count = ''): Promise<Response | null> {
    if (choice !== null) await page.getByRole('radio', { name: choice }).check();
    if (count !== '') await page.locator('#count').fill(count);
    await page.locator('#number').fill(number);
    return press(/^(提交应答|Send answer|再次提交)/);
  }

  /** Presses a button, and gives what came back. */
  async function press(name: string | RegExp): Promise<Response | null> {
    asked = [];
    const loaded = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name, exact: true }).click();
    const response = await loaded;
    await page.waitForLoadState();
    return response;
  }

  /** A person of the tree has no other open warnings. */
  const endOthers = () =>
    site.database.query(
      `update warnings set status = 'cancelled', ended_at = clock_timestamp() where status = 'open'`,
    );

  const meansOf = async (unit: string, level = 'red'): Promise<Means> =>
    site.means(await site.issue({ level }), site.tree.person(unit));

  it.each([
    ['red', /■ 暴雨红色预警/, /■ Red rainstorm warning/],
    ['orange', /◆ 暴雨橙色预警/, /◆ Orange rainstorm warning/],
    ['yellow', /▲ 暴雨黄色预警/, /▲ Yellow rainstorm warning/],
    ['blue', /● 暴雨蓝色预警/, /● Blue rainstorm warning/],
  ])('shows the level %s by word, shape and colour, in both languages', async (level, zh, en) => {
    const warningId = await site.issue({ level });
    const first = await site.database.query<{ id: number }>(
      `select recipients[1] as id from pages where warning_id = $1 and audience = 'people' order by id limit 1`,
      [warningId],
    );
    const means = await site.means(warningId, first[0]?.id ?? 0);
    await look(`open-${level}-zh`, await open(means.url), zh);
    asked = [];
    const other = page.waitForResponse(() => true);
    await page.getByRole('link', { name: 'English' }).click();
    await page.waitForLoadState();
    await look(`open-${level}-en`, await other, en);
    expect(await page.innerText('main')).toMatch(/^\[EXERCISE\][\s\S]*\[EXERCISE\]$/);
  });

  it('takes an answer after a wrong number, and shows it again later', async () => {
    const warningId = await site.issue();
    const person = site.tree.person('村一');
    const means = await site.means(warningId, person);
    const [from] = await site.database.query<{ address: string }>(
      'select address from person_channels where person_id = $1 limit 1',
      [person],
    );
    const act = (kind: 'done' | 'cannot act'): FarSideAct => ({
      ...{ actId: kind, deliveryId: String(Number.parseInt(means.token, 36)), address: from?.address ?? '' },
      ...{ via: 'email', kind, at: new Date().toISOString(), status: 200 },
    });
    const acts = [act('done'), act('cannot act')];
    await open(means.url);
    await look(
      'wrong-number',
      await send('已落实', means.wrong, '35'),
      /还没有记录。编号不对.*还可以试 4 次/,
    );
    expect(await page.getByRole('radio', { name: '已落实' }).isChecked()).toBe(true);
    expect(await page.getByLabel('转移人数').inputValue()).toBe('35');
    expect(await page.getByLabel('四位编号').inputValue()).toBe('');
    await look('recorded', await send(null, means.number), /已记录[\s\S]*村一：已落实，转移 35 人/);
    await look(
      'already',
      await open(means.url),
      /已记录[\s\S]*首次应答：.*已落实，转移 35 人[\s\S]*更改或补充应答/,
    );
    await look('recorded-again', await send('无法执行', means.number), /无法执行[\s\S]*首次应答：.*已落实/);
    await look('already-en', await open(`${means.url}?lang=en`), /Latest answer: .*Cannot act/);
    expect(await site.broken(warningId, acts)).toEqual([]);
  });

  it('says what to do when a link is closed', async () => {
    const means = await meansOf('村一');
    await open(means.url);
    for (let wrong = 1; wrong < 5; wrong += 1) await send('收到', means.wrong);
    await look('closed', await send('收到', means.wrong), /此链接已停用[\s\S]*现在请这样做：回复/);
    await look('closed-en', await open(`${means.url}?lang=en`), /This link is closed[\s\S]*What to do now/);
  });

  it('says that an answer comes late', async () => {
    const warningId = await site.issue();
    const means = await site.means(warningId, site.tree.person('村一'));
    await cancelWarning(site.database, warningId, null);
    await look('ended', await open(means.url), /解除。此时应答记为迟到/);
    await look('ended-recorded', await send('收到', means.number), /村一：收到[\s\S]*此应答记为迟到/);
  });

  it('shows an official who below is silent, and whom to phone after the number', async () => {
    await endOthers();
    const warningId = await site.issue();
    await site.database.query(
      `update unit_states set silent_at = clock_timestamp() - interval '12 minutes'
       where warning_id = $1 and tier in ('township', 'village')`,
      [warningId],
    );
    const means = await site.means(warningId, site.tree.person('区'));
    await look('below-zh', await open(means.url), /直接下级 2 个，更下级 2 个[\s\S]*乡一.*起未应/);
    await look('below-en', await open(`${means.url}?lang=en`), /Directly below: 2\. Further down: 2/);
    await open(means.url);
    await page.locator('#number2').fill(means.number);
    await look('contacts', await press('显示联系人和电话'), /乡一0 \+86[\s\S]*怎样联系到的/);
    await page.locator(`[name=u${site.tree.unit('乡一')}]`).selectOption('done');
    await page.locator(`[name=c${site.tree.unit('乡一')}]`).fill('35');
    await page.getByRole('radio', { name: '电话' }).check();
    await page.locator('#number2').fill(means.wrong);
    await look('vouched-wrong', await press('提交代应'), /编号不对[\s\S]*您代下级填写的应答还没有记录/);
    await page.locator('#number2').fill(means.number);
    await look(
      'vouched',
      await press('提交代应'),
      /已记录代应[\s\S]*乡一：已落实，转移 35 人[\s\S]*乡二0 \+86/,
    );
    await open(means.url);
    await look('recorded-below', await send('收到', means.number), /区：收到[\s\S]*乡二0 \+86/);
  });

  it('shows other warnings of the same person, and settles them with the same number', async () => {
    await endOthers();
    const warningId = await site.issue();
    const other = await site.issue({ hazard: '大风', level: 'orange', areas: ['区/乡一'] });
    const means = await site.means(warningId, site.tree.person('村一'));
    await look('others-zh', await open(means.url), /您还有别的预警[\s\S]*◆ 大风橙色预警/);
    await look(
      'others-en',
      await open(`${means.url}?lang=en`),
      /You have other warnings[\s\S]*◆ Orange gale warning/,
    );
    await open(means.url);
    await page.locator(`#t${other}`).selectOption('received');
    await look(
      'others-recorded',
      await send('已落实', means.number, '12'),
      /同时记录：◆ 大风橙色预警（Ⅱ级）（W\d+），村一：收到/,
    );
    await look('others-already', await open(means.url), /已应答：收到/);
  });

  it('shows the households of a door-to-door task, and takes what was found', async () => {
    const warningId = await site.issue();
    await site.database.query(
      `insert into households (unit_id, name, channel, address, synthetic)
       select $1, lpad(n::text, 3, '0') || '号王家（虚拟）', 'sms', '+8610001' || n, true from generate_series(1, 80) n`,
      [site.tree.unit('组二')],
    );
    const means = await site.doorTask(warningId, '组二');
    await look('doors-zh', await open(means.url), /组二：83 户中有 83 户没有应答[\s\S]*后面还有 23 户/);
    await look('doors-en', await open(`${means.url}?lang=en`), /83 of 83 households have not answered/);
    await open(means.url);
    await page.locator('[name=r]').first().check();
    await page.locator('[name=n]').nth(1).check();
    await page.locator('#number').fill(means.number);
    await look('doors-recorded', await press('提交'), /已记录：告知 1 户，无人 1 户[\s\S]*去过，无人/);
    await look('doors-next', await open(`${means.url}?from=60`), /回到前面/);
    for (let rest = 0; rest < 2; rest += 1) {
      await page.getByRole('radio', { name: '以上各户全部已告知' }).check();
      await page.locator('#number').fill(means.number);
      const sent = await press('提交');
      if (rest === 1) await look('doors-done', sent, /83 户都已应答或告知/);
    }
  });

  it('says what to do where a link does not open, in both languages', async () => {
    await look('dead', await open(`${site.url}/a/never`), /现在请这样做：[\s\S]*What to do now/);
  });

  it('shows the duty desk: the login, the list, the line that was taken, and the list again', async () => {
    const first = await addFirstOperator(site.database, '管理员');
    const administrator = await authenticate(site.database, first.token);
    const { token } = await addOperator(site.database, administrator, { name: '王值班' });
    await grantRole(site.database, administrator, '王值班', {
      ...{ role: 'duty officer', area: '城', highestLevel: 'red', hazards: [] },
    });
    await endOthers();
    const warningId = await site.issue();
    await site.database.query(
      `update unit_states set silent_at = clock_timestamp() - interval '7 minutes' where warning_id = $1`,
      [warningId],
    );
    const url = `${site.url}/desk`;
    await page.setExtraHTTPHeaders({ 'accept-language': 'zh-CN' });
    await look('desk-login', await open(url), /值班台[\s\S]*操作员令牌/);
    await page.getByLabel('操作员令牌').fill(token);
    await page.getByRole('button', { name: '登录' }).click();
    await look('desk-list', await open(url), /王值班[\s\S]*待电话联系[\s\S]*【演练】[\s\S]*未应已7分钟/);
    await page.getByRole('button', { name: '领取下一条' }).click();
    await look('desk-line', await open(url), /请现在拨打[\s\S]*\+86\d+[\s\S]*1 收到[\s\S]*6 放回/);
    await page.getByRole('button', { name: '1 收到' }).click();
    await look('desk-again', await open(url), /领取下一条/);
    await page.setExtraHTTPHeaders({});
    const [row] = await site.database.query<{ by: string }>(
      'select vouched_by as by from answers where warning_id = $1',
      [warningId],
    );
    expect(row?.by).toBe('王值班');
  });
});

/** Runs in the page: what a reader would stumble over. */
function findFaults(limits: { target: number; contrast: number }): string[] {
  const faults: string[] = [];
  const view = globalThis as unknown as {
    document: {
      documentElement: { scrollWidth: number; clientWidth: number };
      querySelectorAll(selector: string): Iterable<Element>;
    };
    getComputedStyle(element: Element): { color: string; backgroundColor: string };
  };
  type Element = {
    tagName: string;
    textContent: string;
    parentElement: Element | null;
    labels?: { length: number } | null;
    childNodes: Iterable<{ nodeType: number; textContent: string }>;
    closest(selector: string): Element | null;
    getBoundingClientRect(): { width: number; height: number };
  };
  const { document } = view;
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`scrolls sideways: ${scrollWidth} px`);
  for (const control of document.querySelectorAll('input:not([type=hidden]), select, button, a')) {
    const { width, height } = (control.closest('label') ?? control).getBoundingClientRect();
    if (height < limits.target || width < limits.target)
      faults.push(`${control.tagName} of ${width} × ${height} px`);
    if (/^(INPUT|SELECT)$/.test(control.tagName) && control.labels?.length !== 1)
      faults.push('a field without a label of its own');
  }
  const channels = (colour: string) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element: Element | null): string => {
    if (!element) return 'rgb(255, 255, 255)';
    const colour = view.getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 0 ? ground(element.parentElement) : colour;
  };
  for (const element of document.querySelectorAll('main *')) {
    const speaks = [...element.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent.trim() !== '',
    );
    if (!speaks) continue;
    const [light = 0, dark = 0] = [
      luminance(view.getComputedStyle(element).color),
      luminance(ground(element)),
    ].sort((one, other) => other - one);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < limits.contrast)
      faults.push(`contrast ${contrast.toFixed(1)}: ${element.textContent.trim()}`);
  }
  return faults;
}
