/** `drill` as it is typed: exit codes, both languages, JSON, and files that are written. No database is there. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from './testing.ts';
import { askForScenario } from './drill-new.ts';

/** A database that nobody may ask: nothing listens there. */
const NOWHERE = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:9/none' };
const drill = (...words: string[]) => run(['drill', ...words], NOWHERE);

describe('drill list and validate', () => {
  test('name what is shipped', async () => {
    const { code, stdout } = await drill('list', '--json');
    expect(code).toBe(0);
    const list = JSON.parse(stdout) as { name: string; sources: object }[];
    expect(list.map(({ name }) => name)).toContain('hawaii-2018');
    for (const { sources } of list) expect(Object.keys(sources).length).toBeGreaterThan(0);
    expect((await run(['drill', 'list', '--lang', 'zh'], NOWHERE)).stdout).toContain('快速上手');
  });

  test('a good one is right, one that is not there is not found, a faulty one names its lines', async () => {
    expect(await drill('validate', 'quickstart')).toMatchObject({ code: 0 });
    expect((await drill('validate', 'nothing')).code).toBe(3);
    const faulty = await drill('validate', 'scenarios/rules/default-unofficial.yaml');
    expect(faulty.code).toBe(2);
    expect(faulty.stderr).toMatch(/line \d+: /);
    expect(faulty.stdout).toBe('');
  });
});

describe('drill rehearse', () => {
  test('needs nothing that runs, and says that nothing was sent', async () => {
    const { code, stdout, stderr } = await drill('rehearse', 'quickstart');
    expect(code).toBe(0);
    expect(stdout).toMatch(/village +9 +9 +9/);
    expect(stdout).toContain('met  village: 90 % answered within 20 min');
    expect(stderr).toContain('nothing was sent');
  });

  test('the same seed prints the same, another seed another', async () => {
    const json = (seed: string) => drill('rehearse', 'quickstart', '--seed', seed, '--json');
    expect((await json('5')).stdout).toBe((await json('5')).stdout);
    expect((await json('6')).stdout).not.toBe((await json('5')).stdout);
  });

  test('seeds give ranges, what-ifs a line each', async () => {
    const { stdout } = await drill(
      'rehearse',
      'quickstart',
      '--seeds',
      '20',
      '--set',
      'silent=group:60',
      '--json',
    );
    const { seeds, warnings, expectations, whatIfs } = JSON.parse(stdout) as {
      seeds: number[];
      warnings: { tiers: { tier: string; answered: { p5: number; median: number; p95: number } }[] }[];
      expectations: { met: number; of: number }[];
      whatIfs: { whatIf: string; runs: { silent: number }[] }[];
    };
    expect(seeds).toHaveLength(20);
    const group = warnings[0]?.tiers.find(({ tier }) => tier === 'group')?.answered;
    expect(group?.p5).toBeLessThanOrEqual(group?.median ?? 0);
    expect(group?.median).toBeLessThanOrEqual(group?.p95 ?? 0);
    expect(expectations[0]).toMatchObject({ met: 20, of: 20 });
    expect(whatIfs[0]?.runs.reduce((sum, { silent }) => sum + silent, 0)).toBeGreaterThan(20);
    expect((await drill('rehearse', 'quickstart', '--seeds', '3')).stdout).toMatch(/\(\d+ … \d+\)/);
  });

  test('--check ends with 7 where an expectation is not met, and with 0 where all are', async () => {
    expect((await drill('rehearse', 'miyun-2025')).code).toBe(0);
    const unmet = await drill('rehearse', 'miyun-2025', '--check');
    expect(unmet.code).toBe(7);
    expect(unmet.stdout).toContain('would be met with: earlier=3h');
    expect((await drill('rehearse', 'quickstart', '--check')).code).toBe(0);
  });

  test('a what-if that cannot be read is refused before anything is played', async () => {
    const { code, stdout, stderr } = await drill('rehearse', 'quickstart', '--set', 'down=pigeon');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('down=CHANNEL');
    expect((await drill('rehearse', 'quickstart', '--set', 'dark=无此镇')).code).toBe(2);
  });
});

describe('drill new', () => {
  const directory = mkdtempSync(join(tmpdir(), 'drills-'));
  const file = join(directory, 'mine.yaml');
  const words = [
    '--name',
    'mine',
    '--hazard',
    '暴雨',
    '--level',
    'red',
    '--area',
    '黔江区/濯水镇',
    '--expires',
    '6h',
  ];

  test('writes a file that can be rehearsed, and never over another', async () => {
    const made = await drill(
      'new',
      ...words,
      '--silent',
      '黔江区/濯水镇',
      '--dark',
      '黔江区/冯家街道',
      '--file',
      file,
    );
    expect(made).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toContain('# 期望');
    expect((await drill('rehearse', file)).code).toBe(0);
    expect((await drill('new', ...words, '--file', file)).code).toBe(5);
  });

  test('refuses what makes no scenario, and writes nothing', async () => {
    const other = join(directory, 'other.yaml');
    const wrong = words.map((word) => (word === 'red' ? 'purple' : word));
    expect((await drill('new', ...wrong, '--file', other)).code).toBe(2);
    expect((await drill('new', '--name', 'x')).code).toBe(2);
    expect(() => readFileSync(other)).toThrow();
    const tricky = await drill('new', ...words, '--title', 'a: b\n# c\nname: x', '--file', other);
    expect(tricky.code).toBe(0);
    expect((await drill('validate', other)).stdout).toContain('mine: right');
  });

  test('asks for what no option gives, and takes an empty answer as the usual one', async () => {
    const asked: string[] = [];
    const answers = await askForScenario(
      { say: (key) => key },
      { level: 'orange' },
      async (question, usual) => {
        asked.push(question);
        return question === 'ask.where' ? '黔江区/濯水镇,万州区' : usual;
      },
    );
    expect(asked).not.toContain('ask.level');
    expect(answers).toMatchObject({
      name: 'my-drill',
      level: 'orange',
      where: ['黔江区/濯水镇', '万州区'],
      silent: [],
    });
  });
});
