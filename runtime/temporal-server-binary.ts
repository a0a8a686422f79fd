// Where the programs of a Temporal server on PostgreSQL come from: the cache, or a build by Go. The server, the tool that
// keeps its tables up to date, and the tables' own files lie in one folder, which may be copied to a machine without Go.
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { RuntimeError } from './errors.ts';
import { isExecutable, makeDirectory } from './places.ts';
import { run } from './processes.ts';
import { fetchLock, goAdvice, goVersion, shorten, withProgress } from './temporal-binary.ts';
import type { Instance } from './places.ts';
import type { Ran } from './processes.ts';

/** The release that is built. Its schema lies in the same module. */
export const serverVersion = '1.32.0';
const goModule = 'go.temporal.io/server';

// 200 s were measured on two cores with an empty cache; a slow line or machine gets several times that.
const buildTimeoutMs = 20 * 60_000;

/** The programs and the folders of versioned schema files. */
export type TemporalServerPrograms = {
  version: string;
  server: string;
  sqlTool: string;
  schema: { temporal: string; visibility: string };
  source: 'cache' | 'go install';
};

type Search = { instance: Instance; env: NodeJS.ProcessEnv; log: (line: string) => void };

/**
 * Finds or builds the programs.
 * @throws RuntimeError `no-temporal` with every way out
 */
export async function findTemporalServer(search: Search): Promise<TemporalServerPrograms> {
  const folder = join(search.instance.cacheDirectory, `temporal-server-${serverVersion}`);
  const here = programsIn(folder, 'cache');
  if (here !== null) return here;
  makeDirectory(search.instance.cacheDirectory);
  // One process builds; whoever waits finds its result in the cache.
  const lock = await fetchLock(search);
  try {
    return programsIn(folder, 'cache') ?? (await build(search, folder));
  } finally {
    lock.release();
  }
}

function programsIn(folder: string, source: TemporalServerPrograms['source']): TemporalServerPrograms | null {
  const [server, sqlTool] = [join(folder, 'server'), join(folder, 'sql')];
  if (!isExecutable(server) || !isExecutable(sqlTool)) return null;
  const schema = { temporal: join(folder, 'schema/temporal'), visibility: join(folder, 'schema/visibility') };
  return { version: serverVersion, server, sqlTool, schema, source };
}

/** Builds beside the place and moves the whole folder into it in one step: what is there is whole. */
async function build(search: Search, folder: string): Promise<TemporalServerPrograms> {
  const go = await goVersion(search.env);
  if (go === null) throw missing('there is no Go that could build it', folder);
  const cache = search.instance.cacheDirectory;
  await removeDrafts(cache);
  const draft = join(cache, `temporal-server.draft-${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { recursive: true });
  try {
    search.log(
      `Building the Temporal server ${serverVersion} with Go ${go.version}; once, about 4 minutes …`,
    );
    const goRun = async (...args: string[]): Promise<Ran> => runGo({ file: go.file, args, draft, search });
    await withProgress('Building the Temporal server', search.log, async () => {
      await goRun('install', `${goModule}/cmd/server@v${serverVersion}`);
      await goRun('install', `${goModule}/cmd/tools/sql@v${serverVersion}`);
      const downloaded = await goRun('mod', 'download', '-json', `${goModule}@v${serverVersion}`);
      const { Dir: module } = JSON.parse(downloaded.stdout) as { Dir: string };
      for (const part of ['temporal', 'visibility']) {
        const from = join(module, 'schema/postgresql/v12', part, 'versioned');
        await cp(from, join(draft, 'schema', part), { recursive: true });
      }
    });
    await rename(draft, folder);
    search.log(`The Temporal server is ready in ${folder}.`);
    return programsIn(folder, 'go install') ?? fail(folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function runGo(input: { file: string; args: string[]; draft: string; search: Search }): Promise<Ran> {
  const { args, draft, file, search } = input;
  const ran = await run({
    file,
    args,
    cwd: draft,
    env: { ...search.env, GOBIN: draft, GOFLAGS: '', GOWORK: 'off', GOOS: '', GOARCH: '' },
    account: null,
    timeoutMs: buildTimeoutMs,
  });
  if (ran.code === 0) return ran;
  const lines = ran.stderr.trim().split('\n').slice(-3).join(' ');
  throw missing(`go ${args.join(' ')} failed (${shorten(lines) || 'no answer in time'})`, draft);
}

function fail(folder: string): never {
  throw missing('its build left no program', folder);
}

function missing(reason: string, folder: string): RuntimeError {
  return new RuntimeError(
    'no-temporal',
    `The Temporal server ${serverVersion} for PostgreSQL is not here: ${reason}. Set TEMPORAL_ADDRESS to a server of yours; ` +
      `${goAdvice}; or copy ${folder} from a machine that has it.`,
  );
}

/** What killed builders left; we hold the lock, so none of it is in use. What resists is left for next time. */
async function removeDrafts(cache: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith('temporal-server.draft-')) continue;
    await rm(join(cache, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}
