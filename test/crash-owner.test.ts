/** The process that owns an installation is killed by -9: nothing of it lives on unowned, and the next start goes on. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readEnvironment, startInstallation, type Installation } from '../cli/installation.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { issueWarning } from '../operations/warnings.ts';
import { instanceOf } from '../runtime/places.ts';
import { isAlive, waitUntil } from '../runtime/processes.ts';
import { readLedger } from '../sandbox/ledger.ts';
import { killAll, serversIn, startOwner, type Owner } from './harness/crash-owner.ts';
import { carryToTheEnd, ownServers, verdictOf } from './harness/crash-site.ts';
import { plantDistrict } from './harness/crash-tree.ts';

// By process, so that several runs in one clone never meet.
const PURPOSE = `crash-owner-${process.pid}`;
const { directory } = instanceOf({ purpose: PURPOSE, env: ownServers() });

let owner: Owner | null = null;
let next: Installation | null = null;
let database: Database | null = null;
afterAll(async () => {
  await database?.close();
  await owner?.kill();
  await next?.stop();
  await killAll(serversIn(directory));
  await rm(directory, { recursive: true, force: true });
});

it(
  'carries a warning on after its owner was killed, and leaves nothing running',
  { timeout: 120_000 },
  async () => {
    owner = startOwner(['up', '--sandbox'], { ...ownServers(), FENGHUO_INSTANCE: PURPOSE });
    await owner.ready();
    const environment = readEnvironment(directory);
    const open = () => openDatabase({ url: environment['DATABASE_URL'] ?? '', schema: 'fenghuo' });
    database = open();
    await plantDistrict(database, {
      townships: 1,
      villagesPerTownship: 4,
      groupsPerVillage: 6,
      householdsPerGroup: 30,
    });
    const { warningId } = await issueWarning(database, {
      ...{ hazard: '暴雨', level: 'red', areas: ['乡1'], issuer: '城气象台' },
      ...{ expires: '+6h', speed: 60 },
    });
    const ledgerDirectory = environment['FENGHUO_LEDGER_DIR'] ?? '';
    await waitUntil(async () => (await readLedger(ledgerDirectory)).attempts.size >= 150, {
      deadlineMs: 30_000,
      what: 'messages to go out',
      everyMs: 5,
    });

    const servers = serversIn(directory);
    const children = owner.children().filter(({ pid }) => !servers.some((server) => server.pid === pid));
    expect(children.length).toBeGreaterThanOrEqual(3);
    // Its web process hangs: it cannot see that its owner is gone, and holds the port that all links lead to.
    const web = JSON.parse(readFileSync(join(directory, 'processes', 'web.json'), 'utf8')) as { pid: number };
    expect(children.map(({ pid }) => pid)).toContain(web.pid);
    process.kill(web.pid, 'SIGSTOP');
    await owner.kill();
    expect(servers.filter(isAlive)).not.toEqual([]);

    // At once, as somebody does who sees it die: its worker, web and stand-ins may still be ending.
    const lines: string[] = [];
    next = await startInstallation({
      purpose: PURPOSE,
      sandbox: true,
      log: (line) => void lines.push(line),
      env: ownServers(),
    });
    expect(lines.filter((line) => line.endsWith('taken over.'))).toHaveLength(2);
    expect(lines.some((line) => line.startsWith('web of an earlier run still lives'))).toBe(true);
    expect(next.environment['FENGHUO_PUBLIC_URL']).toBe(environment['FENGHUO_PUBLIC_URL']);
    await waitUntil(() => !children.some(isAlive), {
      deadlineMs: 20_000,
      what: 'the children of the dead owner to end',
    });

    await carryToTheEnd(database, warningId);
    const { wrongs } = await verdictOf({ database, ledgerDirectory, warningId, what: 'owner' });
    expect(wrongs).toEqual({});
    const own = [...next.workers, next.web, next.sandbox].map((one) => one?.pid);
    expect(own.every((pid) => typeof pid === 'number')).toBe(true);
    await next.stop();
    expect([...servers, ...serversIn(directory)].filter(isAlive)).toEqual([]);
    expect([next.web, next.sandbox, ...next.workers].map((one) => one?.pid ?? null)).toEqual([
      null,
      null,
      null,
    ]);
  },
);
