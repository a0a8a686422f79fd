/** What Prometheus reads of a worker and of the web process, while a warning runs: figures, and nobody's name, number or link. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answerToken } from '../domain/links.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { freePort, waitUntil } from '../runtime/processes.ts';
import { startWeb, type RunningWeb } from '../web/server.ts';
import { answerKeys } from '../worker/channels.ts';
import { startWorker, type RunningWorker } from '../worker/worker.ts';
import { readPeople } from './harness/personal-data.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { startStack, type Stack } from './harness/stack.ts';

let stack: Stack;
let worker: RunningWorker;
let web: RunningWeb;
const addresses = { worker: '', web: '' };
beforeAll(async () => {
  stack = await startStack('metrics', { model: { neverAnswersShare: 1 } });
  await plantSmallTree(stack.database);
  addresses.worker = `127.0.0.1:${await freePort()}`;
  addresses.web = `127.0.0.1:${await freePort()}`;
  const { config } = stack;
  const log = () => undefined;
  worker = await startWorker({ config: { ...config, FENGHUO_METRICS_ADDRESS: addresses.worker }, log });
  web = await startWeb({
    config: { ...config, FENGHUO_WEB_PORT: await freePort(), FENGHUO_METRICS_ADDRESS: addresses.web },
    keys: answerKeys(config),
    log,
  });
});
afterAll(async () => {
  await web?.stop();
  await worker?.stop();
  await stack.stop();
});

async function scrape(which: keyof typeof addresses): Promise<string> {
  const answer = await fetch(`http://${addresses[which]}/metrics`);
  expect(answer.status).toBe(200);
  return answer.text();
}

/** The value of a series whose labels hold all of these, null where there is none. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number | null {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const line = text
    .split('\n')
    .find(
      (one) =>
        (one.startsWith(`${name}{`) || one.startsWith(`${name} `)) &&
        wanted.every((label) => one.includes(label)),
    );
  return line === undefined ? null : Number(line.split(' ').at(-1));
}

it('counts messages by outcome, requests by route, and what is open, and names nobody', async () => {
  const { warningId } = await issueWarning(stack.database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    issuer: '城气象台',
    expires: '+6h',
  });
  await stack.until(warningId, 'everyone to be told', ({ tiers }) =>
    tiers.every((tier) => tier.told === tier.units),
  );
  const [delivery] = await stack.database.query<{ id: number }>('select id from deliveries limit 1');
  const token = answerToken(answerKeys(stack.config), delivery?.id ?? 0);
  expect((await fetch(`${web.url}/a/${token}`)).status).toBe(200);
  expect((await fetch(`${web.url}/a/forged`)).status).toBe(404);

  const ofWorker = await waitUntil(
    async () => {
      const text = await scrape('worker');
      const sent = valueOf(text, 'fenghuo_messages_total', { channel: 'sms', outcome: 'handed off' });
      return (sent ?? 0) >= 8 + 6 && text;
    },
    { deadlineMs: 10_000, what: 'the counter of messages' },
  );
  expect(ofWorker).toMatch(/^temporal_/m);
  const ofWeb = await scrape('web');
  expect(valueOf(ofWeb, 'fenghuo_database_up')).toBe(1);
  expect(valueOf(ofWeb, 'fenghuo_open_warnings', { kind: 'exercise' })).toBe(1);
  expect(valueOf(ofWeb, 'fenghuo_sign_age_seconds', { of: 'worker exercise' })).toBeLessThan(15);
  expect(valueOf(ofWeb, 'fenghuo_waiting', { what: 'deadLetters' })).toBe(0);
  const route = { method: 'GET', route: '/a/:token' };
  expect(valueOf(ofWeb, 'fenghuo_web_requests_total', { ...route, status: '200' })).toBe(1);
  expect(valueOf(ofWeb, 'fenghuo_web_requests_total', { ...route, status: '404' })).toBe(1);
  expect(valueOf(ofWeb, 'fenghuo_web_request_seconds_count', route)).toBe(2);

  const all = ofWorker + ofWeb;
  const { words } = await readPeople(stack.database);
  // Sums of seconds end in digits of rounding: once 10000000005, which is somebody's number.
  const rounded = all.replace(/(?<=\.\d{6})\d+/g, '');
  expect([...words].filter((word) => rounded.includes(word))).toEqual([]);
  expect(all).not.toContain(token);
  await cancelWarning(stack.database, warningId, null);
});

it('is not to be had at the public address', async () => {
  expect((await fetch(`${web.url}/metrics`)).status).toBe(404);
});
