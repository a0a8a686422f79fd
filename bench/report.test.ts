import { describe, expect, it } from 'vitest';
import { withTable } from './readme.ts';
import { mergeFigures, tableOf, type Report } from './report.ts';

const SPREAD = { median: 0.9, worst: 0.8, best: 0.95 };
const CITY = {
  told: 102_500,
  seconds: 17.2,
  firstSendMs: 310,
  answered95Seconds: 48,
  workflows: 39,
  workerRssMiB: 420,
  maxHistoryEvents: 846,
  farSideDuplicates: 0,
};
const KILL = { lost: 0, twice: 12, flagged: 30, firstNewSendSeconds: 9.4 };

const PARTS = [
  {
    ratios: { smtp: { engineVsBare: SPREAD, engineVsGraphileWorker: SPREAD, engineVsPgBoss: SPREAD } },
    rates: { smtp: 2_400 },
  },
  { ratios: { gateway: { engineVsLoop: SPREAD } }, rates: { gateway: 9_000 } },
  { cityWide: CITY, kill: KILL, devServer: { cityWide: CITY, kill: KILL } },
  {
    rates: { answers: 3_400 },
    answers: { perSecond: 3_400, p99IdleMs: 30, p99BusyMs: 90, lost: 0 },
  },
];

const REPORT: Report = {
  machine: { cpu: 'a processor', cores: 2, memoryGiB: 24, system: 'Linux' },
  versions: { node: '20.20.2', PostgreSQL: '18.4' },
  at: '2026-01-02T03:04:05.000Z',
  quick: false,
  seconds: 1_000,
  ...mergeFigures(PARTS),
  benches: {},
};

describe('the report', () => {
  it('has the keys that readers of the JSON rely on, from whatever benches filled them', () => {
    expect(REPORT).toMatchObject({
      ratios: {
        smtp: { engineVsBare: SPREAD, engineVsGraphileWorker: SPREAD, engineVsPgBoss: SPREAD },
        gateway: { engineVsLoop: SPREAD },
      },
      rates: { smtp: 2_400, gateway: 9_000, answers: 3_400 },
      cityWide: CITY,
      kill: KILL,
      answers: { perSecond: 3_400, p99IdleMs: 30, p99BusyMs: 90, lost: 0 },
      devServer: { cityWide: CITY, kill: KILL },
    });
  });

  it('shows the same figures in both languages, in as many rows', () => {
    const figures = (text: string) => text.match(/\d+(?:[.,]\d+)*/g)?.sort();
    const [zh, en] = [tableOf(REPORT, 'zh'), tableOf(REPORT, 'en')];
    expect(zh.split('\n').length).toBe(en.split('\n').length);
    expect(figures(zh)).toEqual(figures(en));
    expect(en).toContain('| … ÷ nodemailer alone | **0.9** (worst 0.8, best 0.95) |');
    expect(en).toContain('Measured 2026-01-02 on a processor');
  });

  it('has no row for what was not measured', () => {
    const { machine, versions, at, quick, seconds, benches } = REPORT;
    const answers = { machine, versions, at, quick, seconds, benches, ...mergeFigures(PARTS.slice(3)) };
    expect(tableOf(answers, 'en')).toContain('| Answers a second | 3,400 |');
    expect(tableOf(answers, 'en')).not.toContain('City-wide');
  });
});

describe('the table in the READMEs', () => {
  const readme = (inside: string) =>
    `before\n<!-- bench: written by npm run bench -- --write-readme -->${inside}<!-- /bench -->\nafter`;

  it('replaces what stands between its marks, as often as one likes', () => {
    const once = withTable(readme('old'), '| new |');
    expect(once).toBe(readme('\n\n| new |\n\n'));
    expect(withTable(once, '| new |')).toBe(once);
  });

  it('is refused by a text without marks', () => {
    expect(() => withTable('no marks', '| new |')).toThrow('lacks the marks');
  });
});
