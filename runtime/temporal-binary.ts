// Where the `temporal` program comes from: PATH, cache, the SDK's download, a build by Go. The first that works wins.
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError, errorText } from './errors.ts';
import { waitForLock } from './lock.ts';
import { isExecutable, makeDirectory, onPath } from './places.ts';
import { run } from './processes.ts';
import type { Lock } from './lock.ts';
import type { Instance } from './places.ts';

/** The last version whose module can be installed by Go: later ones carry a local `replace`. */
const cliVersion = '1.5.1';
const goModule = `github.com/temporalio/cli/cmd/temporal@v${cliVersion}`;
const goMin = { major: 1, minor: 25 };

/** The way out by a build. */
export const goAdvice = `install Go ${goMin.major}.${goMin.minor} or newer, with its module proxy reachable, and it is built once`;

const versionTimeoutMs = 20_000;
const downloadTimeoutMs = 60_000;
// 160 s were measured on two cores with an empty cache; a slow line or machine gets several times that.
const buildTimeoutMs = 20 * 60_000;
const progressEveryMs = 5_000;

/** A `temporal` program that runs. `version` is the server's, like `1.29.1`. */
export type TemporalBinary = { file: string; version: string; source: string };

type Search = { instance: Instance; env: NodeJS.ProcessEnv; log: (line: string) => void };

/**
 * Finds, downloads or builds the program.
 * @throws RuntimeError `no-temporal` naming what was tried and every way out
 */
export async function findTemporal(search: Search): Promise<TemporalBinary> {
  const reasons: string[] = [];
  const here = await temporalHere(search, reasons);
  if (here !== null) return here;
  makeDirectory(search.instance.cacheDirectory);
  // One process fetches; whoever waits finds its result in the cache.
  const lock = await fetchLock(search);
  try {
    return (
      (await fromCache(search, reasons)) ??
      (await fromDownload(search, reasons)) ??
      (await fromGo(search, reasons)) ??
      fail(search, reasons)
    );
  } finally {
    lock.release();
  }
}

/** The program if it is on the PATH or in the cache; fetches nothing. Reasons against candidates are collected. */
export async function temporalHere(
  search: Pick<Search, 'instance' | 'env'>,
  reasons: string[] = [],
): Promise<TemporalBinary | null> {
  const candidates = onPath('temporal', search.env);
  if (candidates.length === 0) reasons.push('no "temporal" on the PATH');
  for (const file of candidates) {
    const found = await examine(file, 'PATH', reasons);
    if (found !== null) return found;
  }
  return await fromCache(search, reasons);
}

/** The Go that could build the program, like `1.26.8`, or null. */
export async function goVersion(env: NodeJS.ProcessEnv): Promise<{ file: string; version: string } | null> {
  for (const file of onPath('go', env)) {
    const ran = await run({
      file,
      args: ['version'],
      cwd: '/',
      env,
      account: null,
      timeoutMs: versionTimeoutMs,
    });
    const version = /\bgo(\d+)\.(\d+)(\.\d+)?/.exec(ran.stdout);
    if (version === null) continue;
    const [text, major, minor] = [version[0].slice(2), Number(version[1]), Number(version[2])];
    if (major > goMin.major || (major === goMin.major && minor >= goMin.minor))
      return { file, version: text };
  }
  return null;
}

/** The ways out when there is no Temporal, for errors and for the doctor. */
export function temporalAdvice(cache: string): string {
  return (
    'Any one of these helps: set TEMPORAL_ADDRESS to a server of yours (host:port); ' +
    'install the temporal CLI so that it is on the PATH (https://docs.temporal.io/cli); ' +
    'let this machine reach https://temporal.download, from where the SDK fetches it; ' +
    `${goAdvice} (about 3 minutes); ` +
    `or copy the program by hand to ${cachedFile(cache, folders.built)}.`
  );
}

function fail(search: Search, reasons: string[]): never {
  throw new RuntimeError(
    'no-temporal',
    `No Temporal server could be found or made (${[...new Set(reasons)].join('; ')}). ${temporalAdvice(search.instance.cacheDirectory)}`,
  );
}

const folders = { downloaded: 'temporal-cli-downloaded', built: `temporal-cli-${cliVersion}` };

function cachedFile(cache: string, folder: string): string {
  return join(cache, folder, 'temporal');
}

async function examine(file: string, source: string, reasons: string[]): Promise<TemporalBinary | null> {
  const ran = await run({
    file,
    args: ['--version'],
    cwd: '/',
    env: { HOME: '/' },
    account: null,
    timeoutMs: versionTimeoutMs,
  });
  const version = /Server (\d+\.\d+\.\d+)/.exec(ran.stdout)?.[1];
  if (ran.code === 0 && version !== undefined) return { file, version, source };
  reasons.push(
    `${file} does not run as the temporal CLI (${firstLine(ran.stderr || ran.stdout) || 'no answer'})`,
  );
  return null;
}

async function fromCache(
  search: Pick<Search, 'instance'>,
  reasons: string[],
): Promise<TemporalBinary | null> {
  for (const folder of [folders.downloaded, folders.built]) {
    const file = cachedFile(search.instance.cacheDirectory, folder);
    if (!isExecutable(file)) continue;
    const found = await examine(file, 'cache', reasons);
    if (found !== null) return found;
  }
  reasons.push(`none in the cache ${search.instance.cacheDirectory}`);
  return null;
}

/** The lock under which one process at a time fetches or builds. */
export async function fetchLock(search: Search): Promise<Lock> {
  return await withProgress('Waiting for another process that fetches Temporal', search.log, async () =>
    waitForLock(join(search.instance.cacheDirectory, 'temporal-fetch.lock'), {
      deadlineMs: buildTimeoutMs + downloadTimeoutMs,
      what: 'another process to finish fetching Temporal',
    }),
  );
}

async function fromDownload(search: Search, reasons: string[]): Promise<TemporalBinary | null> {
  return await fetchInto(search, folders.downloaded, async (draft) => {
    search.log('Downloading the Temporal server through the SDK (temporal.download) …');
    const ran = await withProgress('Downloading Temporal', search.log, async () =>
      run({
        file: process.execPath,
        args: [fileURLToPath(new URL('sdk-download.mjs', import.meta.url)), draft],
        cwd: dirname(draft),
        env: search.env,
        account: null,
        timeoutMs: downloadTimeoutMs,
      }),
    );
    const [file] = readdirSync(draft).filter((entry) => isExecutable(join(draft, entry)));
    if (file !== undefined && ran.code === 0) return { file: join(draft, file), source: 'SDK download' };
    const limit = `no answer within ${downloadTimeoutMs / 1000} s`;
    const why = /Error: (.*)/.exec(ran.stderr)?.[1] ?? (ran.code === null ? limit : firstLine(ran.stderr));
    search.log('The download is not reachable.');
    reasons.push(`the SDK's download failed (${shorten(why)})`);
    return null;
  });
}

async function fromGo(search: Search, reasons: string[]): Promise<TemporalBinary | null> {
  const go = await goVersion(search.env);
  if (go === null) {
    reasons.push(`no Go ${goMin.major}.${goMin.minor} or newer on the PATH`);
    return null;
  }
  return await fetchInto(search, folders.built, async (draft) => {
    search.log(`Building the Temporal server ${cliVersion} with Go ${go.version}; once, about 3 minutes …`);
    const ran = await withProgress('Building Temporal', search.log, async () =>
      run({
        file: go.file,
        args: ['install', goModule],
        cwd: draft,
        env: { ...search.env, GOBIN: draft, GOFLAGS: '', GOWORK: 'off', GOOS: '', GOARCH: '' },
        account: null,
        timeoutMs: buildTimeoutMs,
      }),
    );
    if (ran.code === 0) return { file: join(draft, 'temporal'), source: 'go install' };
    const lines = ran.stderr.trim().split('\n').slice(-3).join(' ');
    reasons.push(`go install ${goModule} failed (${shorten(lines) || 'no answer in time'})`);
    return null;
  });
}

/** Fetches into a draft folder, tries the program, and only then moves it to its place in one step. */
async function fetchInto(
  search: Search,
  folder: string,
  fetch: (draft: string) => Promise<{ file: string; source: string } | null>,
): Promise<TemporalBinary | null> {
  const cache = search.instance.cacheDirectory;
  await removeDrafts(cache);
  const draft = join(cache, `temporal.draft-${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { recursive: true });
  try {
    const fetched = await fetch(draft);
    if (fetched === null) return null;
    const reasons: string[] = [];
    if ((await examine(fetched.file, fetched.source, reasons)) === null) throw new Error(reasons.join('; '));
    const target = cachedFile(cache, folder);
    makeDirectory(dirname(target));
    await moveFile(fetched.file, target);
    search.log(`Temporal is ready in ${target}.`);
    return await examine(target, fetched.source, reasons);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function moveFile(from: string, to: string): Promise<void> {
  await chmod(from, 0o755);
  await rename(from, to).catch(async () => {
    await copyFile(from, `${to}.draft`);
    await rename(`${to}.draft`, to);
  });
}

/** What killed fetchers left; we hold the lock, so none of them is in use. */
async function removeDrafts(cache: string): Promise<void> {
  if (!existsSync(cache)) return;
  for (const entry of await readdir(cache)) {
    if (entry.startsWith('temporal.draft-')) await rm(join(cache, entry), { recursive: true, force: true });
  }
}

/** Says every few seconds that the work still goes on. */
export async function withProgress<T>(
  what: string,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  const start = Date.now();
  const timer = setInterval(
    () => log(`${what}: ${Math.round((Date.now() - start) / 1000)} s …`),
    progressEveryMs,
  );
  try {
    return await work();
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError('no-temporal', `${what} failed: ${errorText(error)}.`, { cause: error });
  } finally {
    clearInterval(timer);
  }
}

function firstLine(text: string): string {
  return shorten(text.trim().split('\n')[0] ?? '');
}

const reasonCharactersMax = 300;
/** A text short enough to be quoted as a reason. */
export function shorten(text: string): string {
  return text.length > reasonCharactersMax ? `${text.slice(0, reasonCharactersMax)}…` : text;
}
