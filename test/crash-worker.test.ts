/** The only worker is killed by -9, at the four moments that matter and at ten others; each warning reaches its end. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../runtime/processes.ts';
import { startCrashSite, type CrashSite, type Kill } from './harness/crash-site.ts';
import { streamOf } from './harness/random.ts';

let site: CrashSite;
beforeAll(async () => {
  site = await startCrashSite({
    purpose: 'crash-worker',
    shape: { townships: 5, villagesPerTownship: 4, groupsPerVillage: 6, householdsPerGroup: 30 },
    model: { neverAnswersShare: 0.2 },
  });
});
afterAll(() => site?.stop());

/** A real minute of the ladder in a second; a lease lasts as long as ever. */
const SPEED = 60;

type Hit = { warningId: number; kill: Kill };
const hits = new Map<string, Hit>();

const CLAIMS = 'select from claims k join pages p on p.id = k.page_id where p.warning_id = $1';

/** The next process goes on; what the dead one had claimed waits for its lease. */
async function goOn(moment: string, hit: Hit): Promise<void> {
  await site.back(hit.kill);
  await site.handedOn(hit.warningId, hit.kill);
  hits.set(moment, hit);
}

it('is killed after a claim, before the far side has any of it', async () => {
  await site.setFaults({ sms: { hangShare: 1 } });
  const warningId = await site.issue({ area: '乡1', speed: SPEED });
  await site.moment('a claim of a large slice', `${CLAIMS} and k.size > 10`, [warningId]);
  const kill = await site.kill('worker');
  expect(await site.arrived(warningId)).toBe(0);
  expect(kill.inFlight).not.toEqual([]);
  await site.setFaults({});
  await goOn('after a claim', { warningId, kill });
});

it('is killed after the provider took messages, before any outcome is ours', async () => {
  await site.setFaults({ sms: { answerHeldShare: 1 } });
  const warningId = await site.issue({ area: '乡2', speed: SPEED });
  await waitUntil(async () => (await site.arrived(warningId)) > 10, {
    deadlineMs: 20_000,
    what: 'the provider to have messages',
    everyMs: 5,
  });
  const kill = await site.kill('worker');
  expect(await outcomes(warningId)).toBe(0);
  expect(kill.inFlight).not.toEqual([]);
  await site.setFaults({});
  await goOn('after the provider took it', { warningId, kill });
});

it('is killed right after the commit of outcomes', async () => {
  const warningId = await site.issue({ area: '乡3', speed: SPEED });
  await site.moment('many outcomes', 'select from deliveries where warning_id = $1 having count(*) > 10', [
    warningId,
  ]);
  const kill = await site.kill('worker');
  expect(await outcomes(warningId)).toBeLessThan(400);
  await goOn('after the commit of outcomes', { warningId, kill });
});

it('is killed right after the commit of a step, before anything was claimed', async () => {
  // A lock that claims wait for holds the worker at this very point.
  const hit = await site.database.transaction(async (sql): Promise<Hit> => {
    await sql.query('lock table claims in share row exclusive mode');
    const warningId = await site.issue({ area: '乡4', speed: SPEED });
    await site.moment(
      'a step with pages',
      'select from audit a join cells c on c.id = a.cell_id join pages p on p.cell_id = c.id where c.warning_id = $1',
      [warningId],
    );
    const kill = await site.kill('worker');
    expect(await site.database.query(CLAIMS, [warningId])).toEqual([]);
    return { warningId, kill };
  });
  await goOn('after the commit of a step', hit);
});

it('is killed at ten random moments of one cascade', { timeout: 180_000 }, async () => {
  const random = streamOf(20_261_123);
  const warningId = await site.issue({ area: '区', speed: SPEED / 2 });
  for (let nth = 1; nth <= 10; nth += 1) {
    const enough = (await site.arrived(warningId)) + Math.ceil(random() * 300);
    await waitUntil(async () => (await site.arrived(warningId)) >= enough, {
      deadlineMs: 40_000,
      what: `the far side to have ${enough} messages`,
      everyMs: 2,
    });
    const kill = await site.kill('worker');
    hits.set(`at random moment ${nth}`, { warningId, kill });
    await site.back(kill);
  }
  expect(await site.isAtRest(warningId)).toBe(false);
});

it(
  'after which each of the five warnings is carried to its end, nothing lost, nobody chased, duplicates only where flagged',
  { timeout: 240_000 },
  async () => {
    const warningIds = new Set([...hits.values()].map((hit) => hit.warningId));
    expect(warningIds.size).toBe(5);
    const ends = await Promise.all(
      [...warningIds].map((warningId) => site.carryToTheEnd(warningId, 200_000)),
    );
    expect(ends.map(({ warning }) => warning.status)).toEqual(ends.map(() => 'cancelled'));
    for (const [what, { warningId, kill }] of hits) await site.printFigures(warningId, what, kill);
    for (const warningId of warningIds) {
      const { wrongs } = await site.verdict(warningId, `W${warningId}`);
      expect(wrongs).toEqual({});
    }
  },
);

async function outcomes(warningId: number): Promise<number> {
  const rows = await site.database.query('select from deliveries where warning_id = $1', [warningId]);
  return rows.length;
}
