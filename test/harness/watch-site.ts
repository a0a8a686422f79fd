/** Real servers, a worker, a web process and a watchdog, each to be taken away; and what the watchdog shouts meanwhile. */
import { rm } from 'node:fs/promises';
import { startScriptedSmtp } from '../../channels/testing.ts';
import { run } from '../../cli/testing.ts';
import { openDatabase, type Database } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { answerByCommand } from '../../operations/answers.ts';
import { issueWarning } from '../../operations/warnings.ts';
import { instanceOf } from '../../runtime/places.ts';
import { freePort, waitUntil } from '../../runtime/processes.ts';
import { startServices, type Services } from '../../runtime/services.ts';
import { killAll, serversIn, startOwner, type Owner } from './crash-owner.ts';
import { ownServers } from './crash-site.ts';
import { plantSmallTree } from './small-tree.ts';

export const DUTY = 'duty@office.example';
const SHOUT_MS_MAX = 90_000;

export type WatchSite = {
  services: Services;
  warningId: number;
  /** Starts a worker or a web process, and waits until it serves. */
  start(command: 'worker' | 'web'): Promise<Owner>;
  /** Waits for the next line of the watchdog's log that says this; gives how long it took, in milliseconds. */
  hear(words: RegExp): Promise<number>;
  /** What `fenghuo doctor --json` says, and its exit code. */
  doctor(): Promise<{ code: number; troubles: string[] }>;
  /** E-mails that have come to the officer on duty: subject and text. */
  mails(): { subject: string; text: string }[];
  /** Holds the lock of a cell's row while a letter waits for it, until released. */
  holdCell(): Promise<{ release(): Promise<void> }>;
  stop(): Promise<void>;
};

/** `windowSeconds` null: as it is by default. */
export async function startWatchSite(input: {
  name: string;
  windowSeconds: number | null;
}): Promise<WatchSite> {
  const purpose = `${input.name}-${process.pid}`;
  const { directory } = instanceOf({ purpose, env: ownServers() });
  const services = await startServices({ purpose, log: () => undefined, env: ownServers() });
  const smtp = await startScriptedSmtp();
  const port = await freePort();
  const { postgres, temporal } = services;
  const environment = {
    ...{ DATABASE_URL: postgres.url, FENGHUO_SCHEMA: 'fenghuo', FENGHUO_SECRET: 'x'.repeat(32) },
    ...{ TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace },
    ...{ FENGHUO_WEB_PORT: String(port), FENGHUO_PUBLIC_URL: `http://127.0.0.1:${port}` },
    ...{ FENGHUO_SMTP_URL: `smtp://127.0.0.1:${smtp.port}`, FENGHUO_WATCHDOG_EMAIL: DUTY },
    ...(input.windowSeconds === null ? {} : { FENGHUO_WATCHDOG_SECONDS: String(input.windowSeconds) }),
  };
  const env = { ...process.env, ...environment, LANG: 'C.UTF-8', LC_ALL: '' };
  const owners: Owner[] = [];
  const own = async (command: string) => {
    const owner = startOwner([command], env);
    owners.push(owner);
    await owner.ready();
    return owner;
  };
  const database = openDatabase({
    url: postgres.url,
    schema: 'fenghuo',
    statementTimeoutMs: 200_000,
    asOwner: true,
  });
  await migrate(database);
  await plantSmallTree(database);
  const request = { hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台', expires: '+6h' };
  const { warningId } = await issueWarning(database, request);
  const watchdog = await own('watchdog');
  let heard = 0;
  return {
    services,
    warningId,
    start: own,
    hear: async (words) => {
      const begun = Date.now();
      await waitUntil(
        () => {
          const found = words.exec(watchdog.said().slice(heard));
          if (!found) return false;
          heard += found.index + found[0].length;
          return true;
        },
        { deadlineMs: SHOUT_MS_MAX, what: `the watchdog to say ${words.source}` },
      );
      return Date.now() - begun;
    },
    doctor: async () => {
      const { code, stdout } = await run(['doctor', '--json'], env);
      const { findings } = JSON.parse(stdout) as {
        findings: { name: string; status: string; found: string }[];
      };
      const failing = findings.filter(({ name, status }) => name === 'trouble' && status === 'fail');
      return { code, troubles: failing.map(({ found }) => found) };
    },
    mails: () =>
      smtp.mails.filter(({ recipients }) => recipients.join().includes(DUTY)).map(({ raw }) => mailOf(raw)),
    holdCell: () => holdCell(database, warningId),
    stop: async () => {
      for (const owner of owners) await owner.kill();
      await database.close();
      await services.stop();
      await smtp.stop();
      await killAll(serversIn(directory));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function holdCell(database: Database, warningId: number): Promise<{ release(): Promise<void> }> {
  let held = false;
  let released = false;
  const done = database.transaction(async (sql) => {
    await sql.query(
      `select from cells c join units u on u.id = c.unit_id where u.name = '区' and c.warning_id = $1 for no key update of c`,
      [warningId],
    );
    held = true;
    // Each statement is short, so that the connection is never idle for long.
    while (!released) await sql.query('select pg_sleep(0.2)');
  });
  await waitUntil(() => held, { deadlineMs: 10_000, what: 'the lock of the cell' });
  await answerByCommand(database, {
    ...{ warningId, unit: '区', answer: 'received', doneCount: null, vouchedBy: '王值班', how: '电话核实' },
  });
  return {
    release: async () => {
      released = true;
      await done;
    },
  };
}

/** As far as these mails go: an encoded subject, and one part of text in base64 or quoted-printable. */
function mailOf(raw: string): { subject: string; text: string } {
  const end = raw.indexOf('\r\n\r\n');
  const head = raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .replace(/\?= =\?/g, '?==?');
  const body = raw.slice(end + 4);
  const subject = (/^Subject: (.*)$/m.exec(head)?.[1] ?? '').replace(
    /=\?UTF-8\?([BQ])\?([^?]*)\?=/g,
    (_, how: string, word: string) =>
      how === 'B' ? Buffer.from(word, 'base64').toString('utf8') : quoted(word.replaceAll('_', ' ')),
  );
  const text = /^Content-Transfer-Encoding: base64/im.test(head)
    ? Buffer.from(body, 'base64').toString('utf8')
    : quoted(body);
  return { subject, text };
}

function quoted(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Ends a server by -9 and keeps it away: nobody starts these again but the test. */
export async function killServer(service: Services['postgres'] | Services['temporal']): Promise<void> {
  process.kill(service.pid ?? 0, 'SIGKILL');
  await waitUntil(() => !service.alive(), { deadlineMs: 5_000, what: 'the server to die' });
}
