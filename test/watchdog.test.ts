/** A cascade is held, the worker and Temporal are killed: the watchdog shouts of each, and again when it is over. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Owner } from './harness/crash-owner.ts';
import { killServer, startWatchSite, type WatchSite } from './harness/watch-site.ts';

let site: WatchSite;
let worker: Owner;
beforeAll(async () => {
  site = await startWatchSite({ name: 'watchdog', windowSeconds: 8 });
  worker = await site.start('worker');
});
afterAll(() => site.stop());

it('shouts of what stands still, and says when it is over; doctor fails meanwhile', async () => {
  const cell = await site.holdCell();
  await site.hear(new RegExp(`TROUBLE: a cascade stands still .*: W${site.warningId} `));
  expect(await site.doctor()).toMatchObject({ code: 1, troubles: [expect.stringContaining('W1')] });
  await cell.release();
  await site.hear(new RegExp(`OVER: a cascade stands still .*: W${site.warningId} `));

  await killServer(site.services.temporal);
  await site.hear(/TROUBLE: no worker reaches Temporal/);
  expect(await site.doctor()).toMatchObject({ code: 6, troubles: [expect.stringContaining('Temporal')] });
  await site.services.temporal.restart();
  await site.hear(/OVER: no worker reaches Temporal/);

  await worker.kill();
  await site.hear(/TROUBLE: no worker lives: exercise \(for \d+ s, open warnings: 1\)/);
  expect(await site.doctor()).toMatchObject({ code: 1, troubles: [expect.stringContaining('no worker')] });

  // The last may still be on its way.
  const mails = site.mails().filter(({ subject }) => !subject?.includes('no worker lives'));
  expect(mails.slice(0, 4).map(({ subject }) => subject)).toEqual([
    '[Fenghuo] 故障 有待办事项,但叫应停滞不前: W1 / TROUBLE a cascade stands still although work waits: W1',
    '[Fenghuo] 已恢复 有待办事项,但叫应停滞不前: W1 / OVER a cascade stands still although work waits: W1',
    '[Fenghuo] 故障 没有工作进程能连上 Temporal / TROUBLE no worker reaches Temporal',
    '[Fenghuo] 已恢复 没有工作进程能连上 Temporal / OVER no worker reaches Temporal',
  ]);
  expect(mails[0]?.text).toMatch(/其间请致电.*Meanwhile call those named by npx fenghuo silent/s);
});
