/**
 * A gateway that takes messages and loses its answers, at shares of 5, 20 and 100 %: what it can be asked about, what it reports by
 * itself, and neither. Real PostgreSQL, the real channel, the sandbox's gateway and a real web process for its receipts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { readLedger } from '../sandbox/ledger.ts';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { GATEWAY_SECRET, startAnswerSite, type AnswerSite } from '../web/testing.ts';
import { makeDeadlinesDue, runUntilQuiet, recordingChannel } from './harness/local-cascade.ts';

const HOUSEHOLDS = 300;
/** The rule pack's. */
const ATTEMPTS_MOST = 4;

let site: AnswerSite;
let sandbox: Sandbox;
let directory: string;

beforeAll(async () => {
  site = await startAnswerSite('unknown-outcomes');
  await site.database.query(
    `insert into households (unit_id, name, channel, address, synthetic)
     select $1, '户' || n, 'sms', '+861000' || lpad(n::text, 7, '0'), true from generate_series(1, $2::int) n`,
    [site.tree.unit('组一'), HOUSEHOLDS],
  );
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-unknown-'));
  sandbox = await startSandbox({
    directory,
    repliesUrl: `${site.url}/gateway/replies`,
    secret: GATEWAY_SECRET,
    seed: '1',
    log: () => undefined,
    model: { neverAnswersShare: 1, householdAnswersShare: 0 },
  });
});

afterAll(async () => {
  await sandbox?.stop();
  await site?.stop();
  rmSync(directory, { recursive: true, force: true });
});

type Knowledge = 'receipts' | 'listing' | 'neither';

/** Plays one warning until nothing is left to try. */
async function play(share: number, knowledge: Knowledge) {
  const { database } = site;
  sandbox.setFaults({
    sms: { answerLostShare: share, ...(knowledge === 'receipts' && { receipts: { lateMs: 50 } }) },
  });
  const gateway = createSmsGatewayChannel({ url: sandbox.gatewayUrl, secret: GATEWAY_SECRET, live: false });
  const sms = { ...gateway };
  if (knowledge !== 'listing') delete sms.find;
  const channels = [sms, recordingChannel('voice'), recordingChannel('email')];
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' },
  });
  for (let attempt = 1; attempt <= ATTEMPTS_MOST + 1; attempt++) {
    await runUntilQuiet(database, warningId, channels);
    if (knowledge === 'receipts') await untilReported(warningId);
    await makeDeadlinesDue(database, warningId, []);
  }
  await gateway.close();
  return figures(warningId);
}

/** Every message that the far side has was reported. */
async function untilReported(warningId: number): Promise<void> {
  const { attempts } = await readLedger(directory, { warningId: String(warningId) });
  await waitUntil(
    async () => {
      const [row] = await site.database.query<{ reported: number }>(
        `select count(distinct (r.delivery_id, r.attempt))::int as reported from receipts r
         join pages p on p.id = r.delivery_id / 1024 where p.warning_id = $1`,
        [warningId],
      );
      return (row?.reported ?? 0) >= attempts.size;
    },
    { deadlineMs: 30_000, what: 'all receipts' },
  );
}

async function figures(warningId: number) {
  const { database } = site;
  const ledger = await readLedger(directory, { warningId: String(warningId) });
  const rows = await database.query<{ id: number; attempts: number; outcomes: string[]; flags: number }>(
    `select id, count(*)::int as attempts, array_agg(coalesce(reason, outcome) order by attempt) as outcomes,
       (count(*) filter (where possible_duplicate))::int as flags
     from deliveries where warning_id = $1 and purpose = 'household' group by id`,
    [warningId],
  );
  const messages = rows.map(({ id }) => ledger.deliveries.get(String(id)) ?? 0);
  const left = await database.query(
    `select from retries r join cells c on c.id = r.cell_id where c.warning_id = $1`,
    [warningId],
  );
  const adopted = (how: string) => rows.filter(({ outcomes }) => outcomes.includes(how)).length;
  return {
    deliveries: rows.length,
    unheard: messages.filter((count) => count === 0).length,
    duplicates: messages.reduce((sum, count) => sum + Math.max(0, count - 1), 0),
    flags: rows.reduce((sum, { flags }) => sum + flags, 0),
    attemptsMost: Math.max(...rows.map(({ attempts }) => attempts)),
    adoptedByReceipt: adopted('adopted-by-receipt'),
    adoptedByListing: adopted('adopted-by-listing'),
    left: left.length,
  };
}

test.each<[number, Knowledge]>([
  [0.05, 'receipts'],
  [0.2, 'receipts'],
  [1, 'receipts'],
  [0.05, 'listing'],
  [0.2, 'listing'],
  [1, 'listing'],
  [0.05, 'neither'],
  [0.2, 'neither'],
  [1, 'neither'],
])(
  'with %d of the answers lost and %s to go by, everybody is told, in a bounded number of tries',
  async (share, knowledge) => {
    const found = await play(share, knowledge);
    const per10000 = Math.round((found.duplicates / found.deliveries) * 10_000);
    process.stderr.write(
      `${share} lost, ${knowledge}: ${per10000} duplicates per 10,000 deliveries, ${JSON.stringify(found)}\n`,
    );
    expect(found).toMatchObject({ deliveries: HOUSEHOLDS + 3, unheard: 0, left: 0 });
    expect(found.attemptsMost).toBeLessThanOrEqual(ATTEMPTS_MOST);
    const adopted = found.adoptedByReceipt + found.adoptedByListing;
    if (knowledge === 'neither') {
      expect(adopted).toBe(0);
      expect(found.duplicates).toBeGreaterThan(0);
      expect(found.flags).toBe(found.duplicates);
    } else {
      expect(found.duplicates).toBe(0);
      expect(adopted).toBeGreaterThan(share * HOUSEHOLDS * 0.5);
    }
  },
);
