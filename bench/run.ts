/**
 * `npm run bench -- [name…] [--json] [--quick] [--from FILE] [--write-readme]`: runs the benches named, or all of them. Data goes to
 * standard output, as a Markdown table or as one JSON object; progress to standard error. Exits with 0 when it measured, also
 * below the goals. `--from` reads an earlier JSON object instead of measuring; `--write-readme` puts the table into both READMEs.
 */
import { readFileSync } from 'node:fs';
import { cpus, totalmem, type as systemType, release, arch } from 'node:os';
import { parseArgs } from 'node:util';
import { BENCHES, type Result, type TemporalServer } from './bench.ts';
import { rounded } from './measure.ts';
import { writeReadmes } from './readme.ts';
import { circumstancesOf, mergeFigures, tableOf, type Machine, type Report } from './report.ts';

const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** What the figures depend on, beside servers: read from what is installed. */
const PACKAGES = ['@temporalio/worker', 'pg', 'nodemailer', 'undici', 'graphile-worker', 'pg-boss'];

/** Runs the command; gives back the exit code. */
export async function main(words: string[]): Promise<number> {
  const asked = readArguments(words);
  if (asked === null) return EXIT.usage;
  try {
    const report = asked.from === undefined ? await measure(asked) : readReport(asked.from);
    const text = asked.json
      ? JSON.stringify(report)
      : `${tableOf(report, 'en')}\n\n${circumstancesOf(report)}`;
    process.stdout.write(`${text}\n`);
    if (asked.writeReadme) writeReadmes(report);
    return EXIT.done;
  } catch (error) {
    say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return EXIT.failed;
  }
}

type Asked = {
  names: string[];
  json: boolean;
  quick: boolean;
  writeReadme: boolean;
  servers: TemporalServer[];
  from: string | undefined;
};

function readArguments(words: string[]): Asked | null {
  try {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        'write-readme': { type: 'boolean', default: false },
        from: { type: 'string' },
        // The first gives the figures; where the production server cannot be built, `--server dev` measures all the same.
        server: { type: 'string', multiple: true, default: ['postgres', 'dev'] },
      },
    });
    const unknown = positionals.filter((name) => !(name in BENCHES));
    const strange = values.server.filter((name) => name !== 'postgres' && name !== 'dev');
    if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(', ')}`);
    if (strange.length > 0)
      throw new Error(`there is no server ${strange.join(', ')}: postgres and dev are known`);
    return {
      ...values,
      names: positionals.length > 0 ? positionals : Object.keys(BENCHES),
      writeReadme: values['write-readme'],
      servers: values.server as TemporalServer[],
      from: values.from,
    };
  } catch (error) {
    say(`${(error as Error).message}. Benches are: ${Object.keys(BENCHES).join(', ')}.`);
    return null;
  }
}

async function measure({ names, quick, servers }: Asked): Promise<Report> {
  const startedAt = Date.now();
  const versions: Record<string, string> = {
    node: process.versions.node,
    ...Object.fromEntries(PACKAGES.map((name) => [name, installedVersion(name)])),
  };
  const results: Result[] = [];
  const benches: Report['benches'] = {};
  for (const name of names) {
    const { bench } = await (BENCHES[name] ?? unreachable)();
    say(`${name}: ${bench.question}`);
    const from = Date.now();
    const result = await bench.run({
      quick,
      servers,
      say,
      noteVersion: (of, version) => {
        versions[of] = version;
      },
    });
    benches[name] = {
      question: bench.question,
      seconds: rounded((Date.now() - from) / 1000, 1),
      settings: result.settings,
      farSide: result.farSide,
      verdicts: result.verdicts,
      details: result.details ?? {},
    };
    results.push(result);
    tellVerdicts(result);
  }
  return {
    machine: machine(),
    versions,
    at: new Date(startedAt).toISOString(),
    quick,
    seconds: rounded((Date.now() - startedAt) / 1000, 1),
    ...mergeFigures(results.map((result) => result.figures)),
    benches,
  };
}

function unreachable(): never {
  throw new RangeError('the names were checked');
}

function tellVerdicts({ verdicts }: Result): void {
  for (const { warning, server, judged, broken } of verdicts) {
    for (const { number, name, counts, first } of broken)
      say(`REFEREE: ${warning} (${server}) breaks ${number}, ${name}: ${JSON.stringify({ counts, first })}`);
    if (broken.length === 0)
      say(`The referee finds ${warning} (${server}) in order: ${judged.join(', ')} hold.`);
  }
}

function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: rounded(totalmem() / 2 ** 30, 1),
    system: `${systemType()} ${release()} ${arch()}`,
  };
}

function installedVersion(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function readReport(file: string): Report {
  return JSON.parse(readFileSync(file, 'utf8')) as Report;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
