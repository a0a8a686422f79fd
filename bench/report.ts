/** What a run of the bench comes to: one JSON object, and the table that the READMEs quote. */
import type { CityWide, Figures, Result, Spread } from './bench.ts';

export type Machine = { cpu: string; cores: number; memoryGiB: number; system: string };

export type Report = Figures & {
  machine: Machine;
  /** By name: Node, PostgreSQL, Temporal's servers, packages. */
  versions: Record<string, string>;
  at: string;
  quick: boolean;
  seconds: number;
  benches: Record<string, Omit<Result, 'figures'> & { question: string; seconds: number }>;
};

export type Language = 'zh' | 'en';

/** Puts the parts that benches filled together; each figure has one bench that fills it. */
export function mergeFigures(parts: readonly Figures[]): Figures {
  const merge = (into: object, part: object): object => {
    const merged: Record<string, unknown> = { ...into };
    for (const [key, value] of Object.entries(part)) {
      const known = merged[key];
      merged[key] = isPlain(known) && isPlain(value) ? merge(known, value) : value;
    }
    return merged;
  };
  return parts.reduce<Figures>((sum, part) => merge(sum, part), {});
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Words = Record<Language, string>;
type Row = { what: Words; figure: Words };

/** The table, in Markdown, with the machine and the versions below it. Figures that were not measured have no row. */
export function tableOf(report: Report, language: Language): string {
  const heads = { en: ['what', 'measured'], zh: ['项目', '实测'] }[language];
  const lines = rowsOf(report).map(({ what, figure }) => `| ${what[language]} | ${figure[language]} |`);
  return [`| ${heads.join(' | ')} |`, '| --- | --- |', ...lines, '', origin(report, language)].join('\n');
}

/** What a reader needs to do it again, and to trust it: settings, what the far side counted itself, the referee's word. */
export function circumstancesOf({ benches }: Report): string {
  const list = (values: Record<string, string | number>) =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ');
  return Object.entries(benches)
    .map(([name, { seconds, settings, farSide, verdicts }]) => {
      const broken = verdicts.flatMap(({ warning, server, broken }) =>
        broken.map((promise) => `${warning} (${server}) breaks ${promise.number}, ${promise.name}`),
      );
      return [
        `${name}, ${seconds} s in all`,
        `- settings: ${list(settings)}`,
        `- counted by the far side: ${list(farSide)}`,
        `- referee: ${verdicts.length} warnings, ${broken.length === 0 ? 'every promise holds' : broken.join('; ')}`,
      ].join('\n');
    })
    .join('\n\n');
}

function rowsOf(report: Report): Row[] {
  const { ratios, rates, cityWide, kill, answers, devServer } = report;
  const rows: (Row | null)[] = [
    row('E-mails a second', '每秒邮件', number(rates?.smtp)),
    row('… ÷ nodemailer alone', '… ÷ 仅 nodemailer', spread(ratios?.smtp?.engineVsBare)),
    row('… ÷ Graphile Worker', '… ÷ Graphile Worker', spread(ratios?.smtp?.engineVsGraphileWorker)),
    row('… ÷ pg-boss', '… ÷ pg-boss', spread(ratios?.smtp?.engineVsPgBoss)),
    row('SMS a second, gateway on this machine', '每秒短信(本机网关)', number(rates?.gateway)),
    row(
      '… ÷ a plain loop without Temporal',
      '… ÷ 不用 Temporal 的循环',
      spread(ratios?.gateway?.engineVsLoop),
    ),
    ...cityRows(cityWide, { en: 'all on PostgreSQL', zh: '全部在 PostgreSQL 上' }),
    ...cityRows(devServer?.cityWide, { en: 'dev server', zh: '开发服务器' }),
    row(
      'Worker killed: lost, sent twice, flagged',
      '杀死工作进程:丢失、重发、标记',
      kill && same(`${kill.lost}, ${kill.twice}, ${kill.flagged}`),
    ),
    row(
      'Worker killed: first new send after',
      '杀死工作进程:首条新消息',
      kill && seconds(kill.firstNewSendSeconds),
    ),
    row('Answers a second', '每秒应答', number(answers?.perSecond)),
    row(
      '… p99 idle, during the city-wide run; lost',
      '… p99 空闲、全市预警期间;丢失',
      answers && same(`${answers.p99IdleMs} ms, ${answers.p99BusyMs} ms; ${answers.lost}`),
    ),
  ];
  return rows.filter((one) => one !== null);
}

function cityRows(city: CityWide | undefined, where: Words): (Row | null)[] {
  const here = (en: string, zh: string, figure: Words | undefined) =>
    row(`${en} (${where.en})`, `${zh}(${where.zh})`, figure);
  return [
    here(
      'City-wide red: told, first send, last send',
      '全市红色预警:已送达、首条、末条',
      city && {
        en: `${digits(city.told)}; ${city.firstSendMs} ms; ${city.seconds} s`,
        zh: `${digits(city.told)};${city.firstSendMs} ms;${city.seconds} s`,
      },
    ),
    here('95 % answered after', '95% 应答用时', city && seconds(city.answered95Seconds)),
    here(
      'Workflows; longest history; worker memory',
      '工作流;最长历史;工作进程内存',
      city && same(`${city.workflows}; ${digits(city.maxHistoryEvents)}; ${city.workerRssMiB} MiB`),
    ),
  ];
}

function row(en: string, zh: string, figure: Words | undefined): Row | null {
  return figure ? { what: { en, zh }, figure } : null;
}

function number(value: number | undefined): Words | undefined {
  return value === undefined ? undefined : same(digits(value));
}

function seconds(value: number): Words {
  return { en: `${value} s`, zh: `${value} 秒` };
}

/** Median first, because it is the figure; worst and best say how sure it is. */
function spread(value: Spread | undefined): Words | undefined {
  if (!value) return undefined;
  const { median, worst, best } = value;
  return {
    en: `**${median}** (worst ${worst}, best ${best})`,
    zh: `**${median}**(最差 ${worst},最好 ${best})`,
  };
}

function same(text: string): Words {
  return { en: text, zh: text };
}

function digits(value: number): string {
  return value.toLocaleString('en-US');
}

function origin({ machine, versions, at, quick }: Report, language: Language): string {
  const named = Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  const on = `${machine.cpu}, ${machine.cores} ${{ en: 'cores', zh: '核' }[language]}, ${machine.memoryGiB} GiB, ${machine.system}`;
  const short = quick ? { en: ' A quick run.', zh: '快速运行。' }[language] : '';
  return language === 'en'
    ? `Measured ${at.slice(0, 10)} on ${on}; ${named}.${short}`
    : `${at.slice(0, 10)} 测于 ${on};${named}。${short}`;
}
