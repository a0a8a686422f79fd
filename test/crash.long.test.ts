/** The crash tests at length: many seeds and every part, e-mail, the demo after a kill of the demo, several clones at once. */
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, waitUntil } from '../runtime/processes.ts';
import { killAll, runDemo, serversIn, startOwner, type Owner, type Ran } from './harness/crash-owner.ts';
import { ownServers, PARTS, startCrashSite, type CrashSite } from './harness/crash-site.ts';
import { streamOf } from './harness/random.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SHAPE = { townships: 4, villagesPerTownship: 5, groupsPerVillage: 8, householdsPerGroup: 30 };

/** What a test has started, ended after it whatever happened. */
const toEnd: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of toEnd.splice(0).reverse()) await end();
});

async function site(
  purpose: string,
  more: { model?: { neverAnswersShare: number } } = {},
): Promise<CrashSite> {
  const started = await startCrashSite({ purpose, shape: SHAPE, model: { neverAnswersShare: 0.2 }, ...more });
  toEnd.push(() => started.stop());
  return started;
}

async function untilMore(
  at: CrashSite,
  warningId: number,
  messages: number,
  deadlineMs = 60_000,
): Promise<void> {
  const enough = (await at.arrived(warningId)) + messages;
  await waitUntil(async () => (await at.arrived(warningId)) >= enough, {
    deadlineMs,
    what: `the far side to have ${enough} messages`,
    everyMs: 2,
  });
}

describe('one kill -9, measured alone', () => {
  it.each(PARTS)('of the %s, while messages go out', { timeout: 180_000 }, async (part) => {
    const at = await site('crash-one');
    const warningId = await at.issue({ area: '区', speed: 30, attemptsMost: 9 });
    await untilMore(at, warningId, 1_000);
    const kill = await at.kill(part);
    await at.back(kill);
    await at.carryToTheEnd(warningId);
    await at.printFigures(warningId, part, kill);
    expect((await at.verdict(warningId, part)).wrongs).toEqual({});
  });
});

describe('the worker is killed again and again', () => {
  it.each([1, 2, 3])('ten times in one cascade, seed %i', { timeout: 300_000 }, async (seed) => {
    const at = await site('crash-again');
    const random = streamOf(seed);
    const warningId = await at.issue({ area: '区', speed: 20, attemptsMost: 9 });
    for (let nth = 1; nth <= 10; nth += 1) {
      await untilMore(at, warningId, Math.ceil(random() * 400));
      await at.back(await at.kill('worker'));
    }
    await at.carryToTheEnd(warningId, 200_000);
    expect((await at.verdict(warningId, `seed ${seed}`)).wrongs).toEqual({});
  });

  it('while e-mails are taken and their answers wait', { timeout: 180_000 }, async () => {
    // Nobody hears an SMS: every unit comes to its e-mail.
    const at = await site('crash-email', { model: { neverAnswersShare: 1 } });
    const warningId = await at.issue({ area: '乡1', speed: 60, attemptsMost: 9 });
    await at.setFaults({ email: { tarpit: { share: 1, delayMs: 15_000 } } });
    await at.moment('an e-mail in flight', EMAIL_CLAIMS, [warningId]);
    await waitUntil(async () => (await at.arrived(warningId, 'email')) > 5, {
      deadlineMs: 20_000,
      what: 'e-mails to be taken',
      everyMs: 5,
    });
    const kill = await at.kill('worker');
    await at.setFaults({});
    await at.back(kill);
    await at.carryToTheEnd(warningId);
    await at.printFigures(warningId, 'e-mail', kill);
    expect((await at.verdict(warningId, 'e-mail')).wrongs).toEqual({});
  });
});

const EMAIL_CLAIMS = `select from claims k join pages p on p.id = k.page_id
  where p.warning_id = $1 and p.channel = 'email' and k.settled_at is null`;

it.each([11, 12])(
  'whatever part is killed, twelve times in one cascade, the warning reaches its end: seed %i',
  { timeout: 300_000 },
  async (seed) => {
    const at = await site('crash-any');
    const random = streamOf(seed);
    const warningId = await at.issue({ area: '区', speed: 20, attemptsMost: 9 });
    const killed: string[] = [];
    for (let nth = 1; nth <= 12; nth += 1) {
      await untilMore(at, warningId, Math.ceil(random() * 250));
      const part = PARTS[Math.floor(random() * PARTS.length)] ?? 'worker';
      killed.push(part);
      await at.back(await at.kill(part));
    }
    await at.carryToTheEnd(warningId, 200_000);
    expect({ killed, ...(await at.verdict(warningId, `seed ${seed}`)).wrongs }).toEqual({ killed });
  },
);

it('two installations of one clone work beside each other', { timeout: 240_000 }, async () => {
  const sites = await Promise.all([site('crash-beside-1'), site('crash-beside-2')]);
  const warningIds = await Promise.all(sites.map((at) => at.issue({ area: '乡1', speed: 60 })));
  await Promise.all(sites.map((at, index) => at.carryToTheEnd(warningIds[index] ?? 0)));
  for (const [index, at] of sites.entries()) {
    const { counts, wrongs } = await at.verdict(warningIds[index] ?? 0, `beside ${index + 1}`);
    expect(wrongs).toEqual({});
    expect(counts.planned).toBeGreaterThan(500);
  }
});

describe('the demo', () => {
  it('works after a kill -9 of the demo, and leaves nothing running', { timeout: 300_000 }, async () => {
    const { env, directory } = await folderOfItsOwn();
    const killed = startOwner(['demo', '--json'], env);
    toEnd.push(() => killed.kill());
    await waitUntil(() => /W\d+/.test(killed.said()), {
      deadlineMs: 90_000,
      what: 'the demo to issue',
      everyMs: 20,
    });
    const left = childrenAndServers(killed, directory);
    expect(left.length).toBeGreaterThanOrEqual(5);
    await killed.kill();
    expectDemo(await runDemo(env));
    expect([...left, ...serversIn(directory)].filter(isAlive)).toEqual([]);
  });

  it('runs in two clones at the same time', { timeout: 400_000 }, async () => {
    const { env, folder, directory } = await folderOfItsOwn();
    const clones = await Promise.all(['one', 'two'].map((name) => cloneTo(join(folder, name))));
    const runs = await Promise.all(clones.map((clone) => runDemo(env, clone)));
    for (const run of runs) expectDemo(run);
    expect(serversIn(directory)).toEqual([]);
  });
});

function childrenAndServers(owner: Owner, directory: string) {
  return [...owner.children(), ...serversIn(directory)];
}

/** One JSON object, every invariant holding, six tiers, exit 0. */
function expectDemo({ code, stdout, stderr }: Ran): void {
  expect({ code, tail: code === 0 ? '' : stderr.slice(-2_000) }).toEqual({ code: 0, tail: '' });
  const result = JSON.parse(stdout) as {
    seconds: { total: number; firstSend: number };
    tiers: unknown[];
    invariants: { name: string; holds: boolean }[];
  };
  process.stderr.write(`[crash] demo: ${JSON.stringify(result.seconds)}\n`);
  expect(result.tiers).toHaveLength(6);
  expect(result.invariants.filter(({ holds }) => !holds)).toEqual([]);
}

/** Data of their own, so that the clone's own demo may run meanwhile. Others must be able to enter: PostgreSQL's account. */
async function folderOfItsOwn() {
  const folder = await mkdtemp(join(tmpdir(), 'fenghuo-crash-'));
  chmodSync(folder, 0o755);
  const directory = join(folder, 'data');
  const env = { ...ownServers(), FENGHUO_DATA_DIR: directory };
  toEnd.push(async () => {
    await killAll(serversIn(directory));
    await rm(folder, { recursive: true, force: true });
  });
  return { folder, directory, env };
}

/** The files of this clone, with the installed packages of this one. */
async function cloneTo(folder: string): Promise<string> {
  const left = new Set(['node_modules', '.git'].map((name) => join(ROOT, name)));
  await cp(ROOT, folder, { recursive: true, filter: (source) => !left.has(source) });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
