/**
 * Calls, loudspeakers, a work chat and push while much goes wrong at the far side: 429, 5xx, silence, and messages that were taken
 * without a word. Nothing is lost, and nothing comes twice but what is flagged.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_RULE_PACK } from '../operations/rule-packs.ts';
import { issueWarning } from '../operations/warnings.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { broken, startStack, type Stack } from './harness/stack.ts';

let stack: Stack;
let folder: string;
let rules: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-http-faults-'));
  rules = join(folder, 'everything.yaml');
  const shipped = readFileSync(DEFAULT_RULE_PACK, 'utf8');
  const first = 'name: tell, who: principal, by: [sms]';
  writeFileSync(
    rules,
    shipped
      .replaceAll(first, first.replace('[sms]', '[voice, loudspeaker, chat, push]'))
      .replace(/^id: .*$/m, 'id: everything-first'),
  );
  stack = await startStack('stand-in-faults', {
    allHttp: true,
    variables: { FENGHUO_VOICE_GATEWAY_LIST_PATH: '/voice/calls' },
    faults: {
      http: { answerLostShare: 0.2, throttledShare: 0.15, serverErrorShare: 0.15, hangShare: 0.04 },
    },
    model: { neverAnswersShare: 0.3, cannotActShare: 0, wokenShare: { voice: 0.6 } },
  });
  await plantSmallTree(stack.database);
  for (const [channel, address] of [
    ['voice', `(select address from person_channels c where c.person_id = p.id and c.channel = 'sms')`],
    ['chat', `(select address from person_channels c where c.person_id = p.id and c.channel = 'sms')`],
    ['loudspeaker', `'horn-' || p.id`],
    ['push', `'topic_' || p.id`],
  ])
    await stack.database.query(
      `insert into person_channels (person_id, channel, address) select p.id, '${channel}', ${address} from people p`,
    );
});

afterAll(async () => {
  await stack.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('a warning goes through all of it to its end', async () => {
  const { database, sandbox } = stack;
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台', expires: '+20m', speed: 60 },
    rulePackFile: rules,
  });
  await stack.startWorker();
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled, 150_000);
  const { messages } = await stack.ledger(warningId);
  for (const channel of ['voice', 'loudspeaker', 'chat', 'push'] as const)
    expect([channel, messages[channel]]).toEqual([channel, expect.any(Number)]);
  expect(Math.min(messages.voice, messages.loudspeaker, messages.chat, messages.push)).toBeGreaterThanOrEqual(
    6,
  );
  const { faultsHit } = sandbox.stats();
  expect(Object.keys(faultsHit)).toEqual(
    expect.arrayContaining(['http answer lost', 'http throttled', 'http server error']),
  );
  const adopted = await database.query(
    `select 1 from deliveries where warning_id = $1 and reason like 'adopted-%' and channel = 'voice'`,
    [warningId],
  );
  expect(adopted.length).toBeGreaterThan(0);
  expect(broken(await stack.judge(warningId))).toEqual([]);
});
