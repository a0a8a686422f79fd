/**
 * A mail server that takes ten seconds for each message does not slow SMS: each channel has queues and senders of its own. The same
 * warning to the same people, with a quick and with the slow mail server, in turns; what decides is that every SMS is out before
 * the slow server has taken its first message. The times are printed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_RULE_PACK } from '../operations/rule-packs.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import type { FaultPlan } from '../sandbox/faults.ts';
import { plantDistrict } from './harness/crash-tree.ts';
import { startStack } from './harness/stack.ts';

const PAIRS = 2;
const SLOW: FaultPlan = { email: { tarpit: { share: 1, delayMs: 10_000 } } };

let folder: string;
let rules: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-bulkheads-'));
  rules = join(folder, 'both-at-once.yaml');
  // Both channels on the first rung, so that they run at the same time.
  const first = 'name: tell, who: principal, by: [sms]';
  const shipped = readFileSync(DEFAULT_RULE_PACK, 'utf8');
  expect(shipped).toContain(first);
  writeFileSync(
    rules,
    shipped
      .replaceAll(first, first.replace('[sms]', '[sms, email]'))
      .replace(/^id: .*$/m, 'id: both-at-once'),
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `p95Ms` from issue to hand-off by SMS; `mailsBefore`: e-mails handed off before the last SMS was. */
async function carry(
  name: string,
  faults: FaultPlan,
): Promise<{ p95Ms: number; sms: number; mailsBefore: number }> {
  const stack = await startStack(name, { faults, model: { neverAnswersShare: 1, householdAnswersShare: 0 } });
  try {
    const { database } = stack;
    await plantDistrict(database, {
      townships: 4,
      villagesPerTownship: 4,
      groupsPerVillage: 5,
      householdsPerGroup: 10,
    });
    await stack.startWorker();
    const { warningId } = await issueWarning(database, {
      hazard: '暴雨',
      level: 'red',
      areas: ['区'],
      issuer: '城气象台',
      expires: '+6h',
      rulePackFile: rules,
    });
    const pending = `select from pages where warning_id = $1 and channel = 'sms' and ended_at is null`;
    const some = `select from pages where warning_id = $1 and channel = 'sms'`;
    await waitUntil(
      async () =>
        (await database.query(some, [warningId])).length > 1 &&
        (
          await database.query(
            `select from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1`,
            [warningId],
          )
        ).length === 0 &&
        (await database.query(pending, [warningId])).length === 0,
      { deadlineMs: 120_000, what: 'every SMS to be handed off' },
    );
    const [row] = await database.query<{ p95: number; sms: number; mails: number }>(
      `with d as (
         select g.channel, d.at, extract(epoch from d.at - w.issued_at) * 1000 as ms
         from deliveries d join pages g on g.id = d.page_id join warnings w on w.id = g.warning_id
         where g.warning_id = $1 and d.outcome = 'handed off')
       select (percentile_cont(0.95) within group (order by ms) filter (where channel = 'sms'))::float8 as p95,
         count(*) filter (where channel = 'sms')::int as sms,
         (select count(*) from d m where m.channel = 'email' and m.at < (select max(s.at) from d s where s.channel = 'sms'))::int
           as mails
       from d`,
      [warningId],
    );
    return { p95Ms: row?.p95 ?? NaN, sms: row?.sms ?? 0, mailsBefore: row?.mails ?? NaN };
  } finally {
    await stack.stop();
  }
}

it('leaves SMS as they are', async () => {
  const quick: number[] = [];
  const slow: number[] = [];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    quick.push((await carry(`bulkheads quick ${pair}`, {})).p95Ms);
    const result = await carry(`bulkheads slow ${pair}`, SLOW);
    slow.push(result.p95Ms);
    expect(result.sms).toBeGreaterThan(500);
    expect(result.mailsBefore).toBe(0);
  }
  const best = (times: readonly number[]) => Math.min(...times);
  process.stdout.write(
    `SMS p95 with a quick mail server ${quick.map(Math.round).join(', ')} ms, with a slow one ${slow.map(Math.round).join(', ')} ms: ` +
      `${(best(slow) / best(quick)).toFixed(2)} times\n`,
  );
});
