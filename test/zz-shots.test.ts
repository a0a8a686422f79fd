import { chromium } from 'playwright-core';
import { it } from 'vitest';
import { startAnswerSite } from '../web/testing.ts';
it('shots', async () => {
  const dir = process.env['SHOTS'] ?? '/tmp/shots/before';
  const site = await startAnswerSite('zz_shots');
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  const context = await browser.newContext({
    viewport: { width: 360, height: 640 },
    javaScriptEnabled: false,
    deviceScaleFactor: 1.5,
  });
  const page = await context.newPage();
  const shot = (name: string) => page.screenshot({ path: `${dir}/${name}.png`, fullPage: true });
  const send = async (answer: string, number: string, count = '') => {
    await page.check(`input[value=${answer}]`);
    if (count) await page.fill('input[name=count]', count);
    await page.fill('input[name=number]', number);
    await page.click('button');
    await page.waitForLoadState();
  };
  for (const [n, level] of ['red', 'orange', 'yellow', 'blue'].entries()) {
    const id = await site.issue({ level });
    await site.database.query('select 1');
    let m;
    try {
      m = await site.means(id, site.tree.person('村一'));
    } catch {
      continue;
    }
    await page.goto(m.url);
    await shot(`${n}-open-${level}`);
    await page.goto(`${m.url}?lang=en`);
    await shot(`${n}-open-${level}-en`);
    if (n > 0) continue;
    await send('done', m.wrong, '35');
    await shot('5-wrong');
    await page.goto(m.url);
    await send('received', m.number);
    await shot('6-recorded');
    await page.goto(m.url);
    await shot('7-already');
    await page.goto(`${m.url}?lang=en`);
    await shot('7-already-en');
    const o = await site.means(id, site.tree.person('村二'));
    await page.goto(o.url);
    for (let i = 0; i < 5; i += 1) {
      await page.goto(o.url);
      await send('received', o.wrong);
    }
    await shot('8-closed');
    await page.goto(o.url);
    await shot('8-closed-get');
    const p = await site.means(id, site.tree.person('组一'));
    await page.goto(p.url);
    await send('cannot', p.number);
    await shot('6-recorded-cannot');
    await page.goto(p.url + '?lang=en');
    await send('done', p.number, '12');
    await shot('6-recorded-done-en');
    await site.database.query(`update warnings set status='cancelled', ended_at = clock_timestamp()`);
    const q = await site.means(id, site.tree.person('组二'));
    await page.goto(q.url);
    await shot('9-ended');
    await send('received', q.number);
    await shot('9-ended-recorded');
    await page.goto(q.url + 'x');
    await shot('9-dead');
    await page.goto(m.url + '?lang=en');
    await shot('9-ended-en');
  }
  await browser.close();
  await site.stop();
}, 120_000);
