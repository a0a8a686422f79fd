/** `drill report` and `drill compare` of rehearsals, as they are typed: no database is there. And the page in a real browser. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { DrillReport } from '../domain/drill-report.ts';
import type { Comparison } from '../domain/drill-compare.ts';
import { findChromium, launchChromium } from '../test/harness/chromium.ts';
import { createContext } from './context.ts';
import { renderReport } from './report-text.ts';
import { reportPage } from './report-page.ts';
import { run } from './testing.ts';
import { width } from './width.ts';

/** A database that nobody may ask: nothing listens there. */
const NOWHERE = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/none', FENGHUO_SECRET: 'x'.repeat(32) };
const drill = (...words: string[]) => run(['drill', ...words], NOWHERE);

const directory = mkdtempSync(join(tmpdir(), 'reports-'));
const file = (name: string) => join(directory, name);
afterAll(() => rmSync(directory, { recursive: true }));

const reported = async (...words: string[]) =>
  JSON.parse((await drill('report', ...words, '--json')).stdout) as DrillReport;

/** Five warnings over a district; played once. */
const zhengzhou = reported('zhengzhou-2021');

describe('drill report', () => {
  test('needs no database, says that it is a model, and how its score is computed', async () => {
    const { code, stdout } = await drill('report', 'quickstart');
    expect(code).toBe(0);
    expect(stdout.replaceAll('\n', ' ')).toContain('What people do is a model');
    expect(stdout).toMatch(/Score {2}\d+ of 100/);
    expect(stdout).toMatch(/answered within 15 minutes +[\d.]+ % +× 30/);
    expect(stdout).toMatch(/SMS +\d+ +\d+ +\d+/);
    const chinese = await drill('report', 'quickstart', '--lang', 'zh');
    expect(chinese.stdout).toContain('人员的表现是模型');
  });

  test('counts what the rehearsal counts', async () => {
    const { warnings } = await reported('quickstart', '--seed', '3');
    const rehearsed = JSON.parse(
      (await drill('rehearse', 'quickstart', '--seed', '3', '--json')).stdout,
    ) as Pick<DrillReport, 'warnings' | 'expectations'>;
    const figures = (all: DrillReport['warnings']) =>
      all.map(({ tiers, messages, dropped, failed }) => ({
        ...{ messages, dropped, failed },
        tiers: tiers.map(({ over: _, ...tier }) => tier),
      }));
    expect(figures(warnings)).toEqual(figures(rehearsed.warnings));
    expect(warnings[0]?.silentUnits).toHaveLength(
      warnings[0]?.tiers.reduce((sum, { silent }) => sum + silent, 0) ?? -1,
    );
  });

  test('a what-if is played and named', async () => {
    const { source, score } = await reported('quickstart', '--set', 'silent=group:80');
    expect(source).toMatchObject({ whatIfs: ['silent=group:80'] });
    expect(score.points).toBeLessThan((await reported('quickstart')).score.points);
    expect((await drill('report', 'quickstart', '--set', 'down=pigeon')).code).toBe(2);
  });

  test('--check ends with 7 where an expectation is not met', async () => {
    expect((await drill('report', 'miyun-2025', '--check')).code).toBe(7);
    expect((await drill('report', 'quickstart', '--check')).code).toBe(0);
  });

  test('CSV names posts and nobody, for a rehearsal has nobody', async () => {
    const csv = file('people.csv');
    const { code, stderr } = await drill('report', 'quickstart', '--csv', csv);
    expect(code).toBe(0);
    expect(stderr).toContain('names posts and nobody');
    const lines = readFileSync(csv, 'utf8')
      .replace(/^\ufeff/, '')
      .split('\r\n');
    expect(lines[0]).toContain('address (masked)');
    expect(lines[1]).toMatch(/,,,drawn by a rehearsal$/);
    expect(statSync(csv).mode & 0o077).toBe(0);
  });

  test('a report file is shown again, and has no people', async () => {
    const json = file('one.json');
    const { stdout } = await drill('report', 'quickstart', '--json');
    writeFileSync(json, stdout);
    expect(await reported(json)).toEqual(JSON.parse(stdout));
    expect((await drill('report', json, '--csv', file('none.csv'))).code).toBe(2);
    expect(existsSync(file('none.csv'))).toBe(false);
  });

  test('what cannot be had is refused with its code, and writes nothing', async () => {
    expect((await drill('report', 'nothing')).code).toBe(3);
    expect((await drill('report', 'W1')).code).toBe(6);
    expect(await drill('report', 'W1', '--seed', '2')).toMatchObject({ code: 2, stdout: '' });
    expect((await drill('report', file('missing.json'))).code).toBe(2);
    writeFileSync(file('odd.json'), '{"format":"another"}');
    const odd = await drill('report', file('odd.json'));
    expect(odd).toMatchObject({ code: 2, stdout: '' });
    expect(odd.stderr).toContain('another');
    const nowhere = await drill('report', 'quickstart', '--html', join(directory, 'no', 'such', 'x.html'));
    expect(nowhere).toMatchObject({ code: 2, stdout: '' });
  });

  test.each(['zh', 'en'] as const)('fits a terminal of 80 columns (%s)', async (lang) => {
    const report = await zhengzhou;
    const stdout = { write: () => true, isTTY: true, columns: 80 };
    const context = createContext(
      { stdout, stderr: stdout, env: { NO_COLOR: '1' } },
      { output: 'text', lang },
    );
    const [warning] = report.warnings;
    if (!warning) throw new RangeError('the report has a warning');
    // As in a drill with real people, in places with long names.
    const units = warning.silentUnits.slice(0, 3).map((unit) => ({
      ...unit,
      ...{ name: `${unit.name}社区居民委员会`, told: 1, answered: 0, afterMinute: 127.5 },
    }));
    const real = { told: 3, answered: 0, channels: warning.channels, units };
    const people = {
      kind: 'drill',
      id: 'DR1',
      scenario: 'zhengzhou-2021',
      ...{ seed: 1, speed: 1, ended: null, people: 3 },
    } as const;
    const withPeople = { ...report, source: people, warnings: [{ ...warning, real }] };
    const lines = [...renderReport(report, context), ...renderReport(withPeople, context)];
    for (const line of lines) expect([line, width(line) <= 80]).toEqual([line, true]);
    expect(lines.some((line) => line.includes('…'))).toBe(true);
  });
});

describe('drill compare', () => {
  test('groups that never answer make a tier worse, and says who is newly silent', async () => {
    const [before, after] = [file('before.json'), file('after.json')];
    writeFileSync(before, JSON.stringify(await reported('quickstart')));
    writeFileSync(after, JSON.stringify(await reported('quickstart', '--set', 'silent=group:70')));
    const { stdout } = await drill('compare', before, after, '--json');
    const { points, warnings } = JSON.parse(stdout) as Comparison;
    expect(points.course).toBe('worse');
    expect(warnings[0]?.newlySilent.length).toBeGreaterThan(5);
    expect(warnings[0]?.tiers.find(({ tier }) => tier === 'group')?.course).toBe('worse');
    const html = file('compared.html');
    const text = await drill('compare', before, after, '--html', html);
    const page = readFileSync(html, 'utf8');
    expect(page.match(/class="chart"/g)).toHaveLength(5);
    expect(page).not.toMatch(/NaN|undefined|\[object|<script|src=|href=/);
    expect(text.stdout).toContain('▼ worse');
    expect((await drill('compare', before, after, '--lang', 'zh')).stdout).toContain('变差');
  });

  test('two scenarios that have nothing to do with each other are compared warning by warning, the rest is named', async () => {
    const five = file('five.json');
    writeFileSync(five, JSON.stringify(await zhengzhou));
    const { code, stdout } = await drill('compare', 'quickstart', five);
    expect(code).toBe(0);
    expect(stdout).toContain('red-5');
    expect((await drill('compare', 'quickstart', 'nothing')).code).toBe(3);
  });
});

describe('the page', () => {
  const hostile = `<img src=x onerror=alert(1)>"'&`;

  async function page(lang: 'zh' | 'en', change: (report: DrillReport) => DrillReport = (one) => one) {
    const report = change(await zhengzhou);
    const stdout = { write: () => true };
    return reportPage(report, createContext({ stdout, stderr: stdout, env: {} }, { output: 'text', lang }));
  }

  test('is one file that loads nothing, in both languages, with a picture for every tier of every warning', async () => {
    for (const lang of ['zh', 'en'] as const) {
      const text = await page(lang);
      expect(text).toContain(lang === 'zh' ? '如何计算' : 'How it is computed');
      expect(text.match(/class="chart"/g)).toHaveLength(5 * (5 + 1));
      expect(text).not.toMatch(/<script|<link|<img|src=|href=|url\((?!#)/);
      expect(text.match(/NaN|undefined|\[object/)).toBeNull();
    }
  });

  test('whatever a name says, it stays text', async () => {
    const text = await page('en', (report) => ({
      ...report,
      title: { zh: hostile, en: hostile },
      warnings: report.warnings.map((warning) => ({
        ...warning,
        ...{ name: hostile, level: hostile, hazard: hostile },
        areas: warning.areas.map((area) => ({ ...area, name: hostile })),
        silentUnits: warning.silentUnits.map((unit) => ({
          ...unit,
          name: hostile,
          above: hostile,
          key: hostile,
        })),
        tiers: warning.tiers.map((tier) => ({ ...tier, tier: hostile })),
      })),
    }));
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(text).not.toContain('<img');
    expect(text).not.toMatch(/"[^"<>]*'&"/);
  });

  test('without warnings, tiers or units it is a page all the same', async () => {
    const bare = await page('en', (report) => ({ ...report, warnings: [], expectations: [] }));
    expect(bare).toContain('No warning was issued.');
    const empty = await page('en', (report) => ({
      ...report,
      warnings: report.warnings.slice(0, 1).map((one) => ({ ...one, tiers: [], channels: [], minutes: [0] })),
    }));
    expect(empty).not.toContain('NaN');
  });

  const browserPath = findChromium();

  test.runIf(browserPath !== null)('fits a phone and a sheet of paper, and asks for nothing', async () => {
    writeFileSync(file('page.html'), await page('zh'));
    const browser = await launchChromium(browserPath ?? '');
    try {
      const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
      const tab = await context.newPage();
      const asked: string[] = [];
      const said: string[] = [];
      tab.on('request', (request) => asked.push(request.url()));
      tab.on('console', (message) => said.push(message.text()));
      await tab.goto(`file://${file('page.html')}`);
      expect(
        await tab
          .locator('html')
          .evaluate((root) => (root as unknown as { scrollWidth: number }).scrollWidth),
      ).toBe(360);
      expect(await tab.locator('svg.chart').count()).toBe(30);
      const pdf = await tab.pdf({ format: 'A4', preferCSSPageSize: true });
      expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
      expect([asked.length, said]).toEqual([1, []]);
    } finally {
      await browser.close();
    }
  });
});
