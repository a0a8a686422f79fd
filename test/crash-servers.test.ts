/**
 * Everything but the worker is killed by -9 in the middle of a warning: PostgreSQL, Temporal on its file, the web process
 * and the stand-ins; before that, one send in five is accepted and its answer lost. Each warning reaches its end.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../runtime/processes.ts';
import { startCrashSite, type CrashSite, type Kill, type Part } from './harness/crash-site.ts';

let site: CrashSite;
beforeAll(async () => {
  site = await startCrashSite({
    purpose: 'crash-servers',
    shape: { townships: 5, villagesPerTownship: 4, groupsPerVillage: 6, householdsPerGroup: 30 },
    model: { neverAnswersShare: 0.2, householdAnswersShare: 0.5 },
  });
});
afterAll(() => site?.stop());

const SPEED = 60;

type Hit = { warningId: number; kill: Kill };
const hits = new Map<Part, Hit>();

const ANSWERS = 'select from answers where warning_id = $1 having count(*) >= $2';

it('one send in five is accepted and its answer lost: all are reached, and twice only where flagged', async () => {
  const share = 0.2;
  await site.setFaults({ sms: { answerLostShare: share }, email: { answerLostShare: share } });
  const warningId = await site.issue({ area: '乡1', speed: SPEED });
  await site.carryToTheEnd(warningId);
  const { counts, wrongs } = await site.verdict(warningId, 'answers lost');
  expect(wrongs).toEqual({});
  // The gateway is asked and has the message; a mail server cannot be asked, and so only e-mails are repeated.
  const adopted = await site.database.query(
    `select from deliveries where warning_id = $1 and channel = 'sms' and reason = 'adopted-by-listing'`,
    [warningId],
  );
  expect(adopted.length).toBeGreaterThan(counts.messages * share * 0.5);
  const repeated = await site.database.query(
    `select from deliveries where warning_id = $1 and channel = 'sms' and possible_duplicate and outcome = 'handed off'`,
    [warningId],
  );
  expect(repeated).toEqual([]);
  await site.setFaults({});
}, 90_000);

it('PostgreSQL is killed while messages go out', async () => {
  const warningId = await site.issue({ area: '乡2', speed: SPEED });
  await untilArrived(warningId, 150);
  await hit('postgres', warningId);
});

it('Temporal is killed while messages go out, and starts again on its file', async () => {
  const warningId = await site.issue({ area: '乡3', speed: SPEED });
  await untilArrived(warningId, 150);
  await hit('temporal', warningId);
});

it('the web process is killed while people answer', async () => {
  const warningId = await site.issue({ area: '乡4', speed: SPEED });
  await site.moment('some answers', ANSWERS, [warningId, 20]);
  await hit('web', warningId);
});

it('the stand-ins are killed while messages go out and people answer', async () => {
  const warningId = await site.issue({ area: '乡5', speed: SPEED, attemptsMost: 9 });
  await site.moment('some answers', ANSWERS, [warningId, 5]);
  await hit('sandbox', warningId);
});

it('after which each of the four warnings is carried to its end, and no answer is lost', async () => {
  const warningIds = [...hits.values()].map(({ warningId }) => warningId);
  expect(warningIds).toHaveLength(4);
  await Promise.all(warningIds.map((warningId) => site.carryToTheEnd(warningId)));
  for (const [part, { warningId, kill }] of hits) {
    await site.printFigures(warningId, part, kill);
    const { counts, wrongs } = await site.verdict(warningId, part);
    expect(wrongs).toEqual({});
    expect(counts.givenUp).toBe(0);
    // Only the death of the stand-ins themselves leaves people without a result.
    expect(counts.lastCutShortAt ?? 0).toBeLessThanOrEqual(hits.get('sandbox')?.kill.at ?? 0);
  }
}, 150_000);

async function hit(part: Part, warningId: number): Promise<void> {
  const kill = await site.kill(part);
  expect(await site.isAtRest(warningId)).toBe(false);
  await site.back(kill);
  await site.handedOn(warningId, kill);
  hits.set(part, { warningId, kill });
}

async function untilArrived(warningId: number, messages: number): Promise<void> {
  await waitUntil(async () => (await site.arrived(warningId)) >= messages, {
    deadlineMs: 20_000,
    what: `the far side to have ${messages} messages`,
    everyMs: 2,
  });
}
