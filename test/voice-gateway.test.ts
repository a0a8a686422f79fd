/** Calls by the voice gateway, whole: the worker asks for them at a limited rate, people press keys, and the keys are answers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_RULE_PACK } from '../operations/rule-packs.ts';
import { issueWarning } from '../operations/warnings.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { startStack, type Stack } from './harness/stack.ts';

let stack: Stack;
let folder: string;
let rules: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-voice-'));
  rules = join(folder, 'calls.yaml');
  const shipped = readFileSync(DEFAULT_RULE_PACK, 'utf8');
  const first = 'name: tell, who: principal, by: [sms]';
  writeFileSync(
    rules,
    shipped.replaceAll(first, first.replace('[sms]', '[voice]')).replace(/^id: .*$/m, 'id: calls-first'),
  );
  stack = await startStack('voice gateway', {
    voiceGateway: true,
    variables: { FENGHUO_VOICE_GATEWAY_PER_SECOND: '20' },
    model: { neverAnswersShare: 0, cannotActShare: 0, wokenShare: { voice: 1 }, householdAnswersShare: 0 },
  });
  await plantSmallTree(stack.database);
  await stack.database.query(
    `insert into person_channels (person_id, channel, address)
     select person_id, 'voice', address from person_channels where channel = 'sms'`,
  );
  await stack.startWorker();
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('every unit is called, answers by a key, and is not called again', async () => {
  const { database } = stack;
  const { warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    issuer: '城气象台',
    expires: '+6h',
    speed: 60,
    rulePackFile: rules,
  });
  await stack.until(warningId, 'all units to answer', ({ tiers }) =>
    tiers.every(({ tier, units, answered }) => tier === 'household' || answered === units),
  );
  await stack.until(warningId, 'households to be told', ({ tiers }) =>
    tiers.every(({ units, told }) => told === units),
  );
  const vias = await database.query(
    'select distinct via from answers where warning_id = $1 and person_id is not null',
    [warningId],
  );
  expect(vias).toEqual([{ via: 'voice' }]);
  const calls = await database.query(
    `select d.sender, count(*)::int as calls, count(distinct d.recipient_id)::int as people from deliveries d
     where d.warning_id = $1 and d.channel = 'voice' and d.outcome = 'handed off' group by d.sender`,
    [warningId],
  );
  expect(calls).toEqual([{ sender: 'voice-gateway', calls: 8, people: 8 }]);
  const [sender] = await database.query(`select per_second from senders where id = 'voice-gateway'`);
  expect(sender).toEqual({ per_second: 20 });
  expect((await stack.judge(warningId)).filter(({ holds }) => !holds)).toEqual([]);
});
