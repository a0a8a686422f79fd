/**
 * Log-in by a provider in a real Chromium without scripts: the provider is another site, as it is in life, so the rules for cookies, redirects
 * and what a page may load hold as they do there.
 */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium, launchChromium } from './harness/chromium.ts';
import { openLoginOffice, type LoginOffice } from './harness/login-office.ts';

const chromium = findChromium();

describe.runIf(chromium !== null)('log-in by a provider in a browser (left out without Chromium)', () => {
  let office: LoginOffice;
  let browser: Browser;
  beforeAll(async () => {
    office = await openLoginOffice('browser login');
    browser = await launchChromium(chromium ?? '');
  });
  afterAll(async () => {
    await browser?.close();
    await office.stop();
  });

  it('leads from the desk to the provider and back to the desk', async () => {
    office.provider.asks = true;
    const context = await browser.newContext({ javaScriptEnabled: false, locale: 'zh-CN' });
    const page = await context.newPage();
    await page.goto(`${office.url}/desk`);
    const folder = process.env['SCREENSHOTS'];
    if (folder) await page.screenshot({ path: `${folder}/desk-login.png`, fullPage: true });
    await page.getByRole('link', { name: `用 ${new URL(office.provider.issuer).host} 登录` }).click();
    // What comes of this press began at the provider's site: the desk's cookie would not go along its redirects.
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${office.url}/desk`);
    expect(await page.innerText('main')).toContain('张三');
    const cookies = await context.cookies(office.url + '/desk');
    expect(cookies).toMatchObject([{ name: 'fenghuo_desk', sameSite: 'Strict', httpOnly: true }]);
    await page.getByRole('button', { name: '退出' }).click();
    expect(await page.innerText('main')).toContain('操作员令牌');
    await context.close();
  });
});
