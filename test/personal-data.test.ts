/**
 * Personal data stays home: after a whole warning to ten thousand people, with failing contacts and a provider that refuses, none
 * of their names, numbers and addresses is in Temporal's store or histories, in any log, or in the metrics.
 */
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import { freePort } from '../runtime/processes.ts';
import { startWeb } from '../web/server.ts';
import { answerKeys } from '../worker/channels.ts';
import { startWorker } from '../worker/worker.ts';
import { startCrashSite, type CrashSite } from './harness/crash-site.ts';
import { filesBelow, findPeople, readPeople, type People } from './harness/personal-data.ts';

// By process: what the last test plants must never be found by another run.
const PURPOSE = `personal-data-${process.pid}`;
const PEOPLE_LEAST = 10_000;

let site: CrashSite;
let client: Client;
let people: People;
let metrics: Record<string, string>;
let warningId: number;

beforeAll(async () => {
  site = await startCrashSite({
    purpose: PURPOSE,
    shape: { townships: 5, villagesPerTownship: 8, groupsPerVillage: 8, householdsPerGroup: 30 },
    model: { neverAnswersShare: 0.3 },
    faults: {
      sms: { badNumberShare: 0.02, serverErrorShare: 0.02, answerLostShare: 0.01, filteredShare: 0.01 },
      email: { badAddressShare: 0.05, replies: [{ share: 0.05, code: 451, text: '4.3.0 try again' }] },
    },
  });
  const connection = await Connection.connect({ address: site.installation.services.temporal.address });
  client = new Client({ connection, namespace: site.installation.services.temporal.namespace });
  people = await readPeople(site.database);
  metrics = await play();
});
afterAll(async () => {
  await client?.connection.close();
  await site?.stop();
  if (site) await rm(site.installation.services.dataDirectory, { recursive: true, force: true });
});

/** The warning from its issue to its end; a worker and a web process of our own take part and show their metrics. */
async function play(): Promise<Record<string, string>> {
  const log = () => undefined;
  const configOf = async () => {
    const port = await freePort();
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const { environment } = site.installation;
    return readConfig({
      ...environment,
      FENGHUO_WEB_PORT: String(port),
      FENGHUO_METRICS_ADDRESS: metricsAddress,
    });
  };
  const [workerConfig, webConfig] = [await configOf(), await configOf()];
  const worker = await startWorker({ config: workerConfig, log });
  const web = await startWeb({ config: webConfig, keys: answerKeys(webConfig), log });
  try {
    warningId = await site.issue({ area: '区', speed: 200 });
    await site.carryToTheEnd(warningId);
    await fetch(`${web.url}/a/never`);
    const [ofWorker, ofWeb] = [await scrape(workerConfig), await scrape(webConfig)];
    return { worker: ofWorker, web: ofWeb };
  } finally {
    await worker.stop();
    await web.stop();
  }
}

async function scrape({ FENGHUO_METRICS_ADDRESS }: ReturnType<typeof readConfig>): Promise<string> {
  const answer = await fetch(`http://${FENGHUO_METRICS_ADDRESS}/metrics`);
  return answer.text();
}

/** Every file of the installation, but PostgreSQL's, where people are at home, and the far side's ledger. */
function storesAndLogs(): Map<string, string> {
  const folder = site.installation.services.dataDirectory;
  return filesBelow(folder, (path) => /\/postgres-\d+$|\/ledger-[^/]*$|\.json$/.test(path));
}

async function histories(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const { workflowId, runId, raw } of client.workflow.list()) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    texts.set(`${workflowId} ${runId}`, `${workflowId} ${JSON.stringify(raw)} ${JSON.stringify(history)}`);
  }
  return texts;
}

function found(texts: ReadonlyMap<string, string>): Record<string, string[]> {
  const all = [...texts].map(([name, text]) => [basename(name), findPeople(text, people)] as const);
  return Object.fromEntries(all.filter(([, words]) => words.length > 0));
}

describe('after a warning to ten thousand people', () => {
  it('which reached them, met failures of every kind, and broke no promise', async () => {
    expect(people.count).toBeGreaterThanOrEqual(PEOPLE_LEAST);
    expect(await site.arrived(warningId)).toBeGreaterThanOrEqual(PEOPLE_LEAST * 0.9);
    const outcomes = await site.database.query<{ outcome: string }>(
      'select distinct outcome from deliveries where warning_id = $1',
      [warningId],
    );
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(
      expect.arrayContaining(['handed off', 'failed', 'later', 'unknown']),
    );
    // Whoever has no address that works is not reached: only the referee knows of such.
    expect((await site.verdict(warningId, 'personal data')).wrongs.invariants ?? []).toEqual([]);
  });

  it('Temporal’s store and every log hold none of them', () => {
    const files = storesAndLogs();
    const names = [...files.keys()].map((path) => basename(path));
    expect(names).toEqual(
      expect.arrayContaining(['temporal.db', 'worker-1.log', 'web.log', 'sandbox.log', 'postgres-18.log']),
    );
    expect(found(files)).toEqual({});
  });

  it('Temporal’s histories and visibility hold none of them', async () => {
    const texts = await histories();
    expect(texts.size).toBeGreaterThanOrEqual(2);
    expect(found(texts)).toEqual({});
  });

  it('the metrics of worker and web hold none of them', () => {
    expect(metrics['worker']).toMatch(/^temporal_/m);
    expect(metrics['web']).toMatch(/^# HELP /m);
    expect(found(new Map(Object.entries(metrics)))).toEqual({});
  });
});

describe('the search finds', () => {
  const writings: [string, (word: string) => string][] = [
    ['a word as it is', (word) => `worker: ${word} answered`],
    ['a word in JSON of ASCII alone', (word) => `"${[...word].map(escaped).join('')}"`],
    ['a word in base64', (word) => Buffer.from(`{"to":"${word}"}`).toString('base64')],
    [
      'a word in a URL',
      (word) => `/?to=${[...Buffer.from(word)].map((byte) => `%${hex(byte, 2)}`).join('')}`,
    ],
  ];
  it.each(writings)('%s', async (_what, write) => {
    const [household] = await site.database.query<{ name: string; address: string }>(
      'select name, address from households order by id desc limit 1',
    );
    const [person] = await site.database.query<{ name: string; address: string }>(
      `select name, address from people join person_channels on person_id = id where channel = 'email' order by id limit 1`,
    );
    for (const word of [household?.name, household?.address, person?.name, person?.address])
      expect(findPeople(write(word ?? ''), people), word).not.toEqual([]);
  });

  it('one who was let slip into a workflow, in the store and in the history', async () => {
    const [person] = await site.database.query<{ name: string; reference: string }>(
      'select name, reference from people order by id desc limit 1',
    );
    expect(findPeople('worker: a page of 12 was sent', people)).toEqual([]);
    await client.workflow.start('cell', {
      ...{ taskQueue: 'nobody', workflowId: 'planted', args: [{ cellId: 0, name: person?.name }] },
    });
    expect(Object.keys(found(await histories()))).toHaveLength(1);
    expect(Object.keys(found(storesAndLogs())).some((name) => name.startsWith('temporal.db'))).toBe(true);
  });
});

function escaped(character: string): string {
  return `\\u${hex(character.charCodeAt(0), 4)}`;
}

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, '0');
}
