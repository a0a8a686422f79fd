/** With the windows as they are by default, each part is taken away in turn: its shout comes within a minute. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { killServer, startWatchSite, type WatchSite } from './harness/watch-site.ts';
import type { Owner } from './harness/crash-owner.ts';

const PROMISED_MS = 60_000;

let site: WatchSite;
let worker: Owner;
beforeAll(async () => {
  site = await startWatchSite({ name: 'watchdog-long', windowSeconds: null });
  worker = await site.start('worker');
});
afterAll(() => site.stop());

async function shouted(words: string, takeAway: () => unknown, giveBack: () => unknown): Promise<void> {
  await takeAway();
  const ms = await site.hear(new RegExp(`TROUBLE: ${words}`));
  process.stderr.write(`[watchdog] ${words}: shouted after ${(ms / 1_000).toFixed(1)} s\n`);
  expect(ms).toBeLessThan(PROMISED_MS);
  await giveBack();
  await site.hear(new RegExp(`OVER: ${words}`));
}

it('a worker that hangs', { timeout: 240_000 }, () =>
  shouted(
    'no worker lives: exercise',
    () => process.kill(worker.pid, 'SIGSTOP'),
    () => process.kill(worker.pid, 'SIGCONT'),
  ),
);

it('a cell whose row somebody locks', { timeout: 240_000 }, async () => {
  let cell: Awaited<ReturnType<WatchSite['holdCell']>> | null = null;
  await shouted(
    'a cascade stands still .*: W1',
    async () => (cell = await site.holdCell()),
    () => cell?.release(),
  );
});

it('Temporal', { timeout: 240_000 }, () =>
  shouted(
    'no worker reaches Temporal',
    () => killServer(site.services.temporal),
    () => site.services.temporal.restart(),
  ),
);

it('the web process', { timeout: 240_000 }, async () => {
  const web = await site.start('web');
  await shouted(
    'no web process lives',
    () => web.kill(),
    () => site.start('web'),
  );
});

it('PostgreSQL itself', { timeout: 240_000 }, () =>
  shouted(
    'PostgreSQL cannot be read',
    () => killServer(site.services.postgres),
    () => site.services.postgres.restart(),
  ),
);

it('all workers', { timeout: 240_000 }, () =>
  shouted(
    'no worker lives: exercise',
    () => worker.kill(),
    () => site.start('worker'),
  ),
);
