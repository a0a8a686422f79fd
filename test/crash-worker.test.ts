/** The only worker is killed by -9, at the four moments that matter and at ten others; each warning reaches its end. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../runtime/processes.ts';
import { startCrashSite, type CrashSite, type Kill } from './harness/crash-site.ts';
import { streamOf } from './harness/random.ts';

let site: CrashSite;
beforeAll(async () => {
  site = await startCrashSite({
    purpose: 'crash-worker',
    shape: { townships: 5, villagesPerTownship: 4, groupsPerVillage: 6, householdsPerGroup: 40 },
    model: { neverAnswersShare: 0.2 },
  });
});
afterAll(() => site?.stop());
afterEach(() => site.setFaults({}));

/** A real minute of the ladder in a second; a lease lasts as long as ever. */
const SPEED = 60;

/** Each township has more households than this; a slice has 500 messages at most. */
const PLANNED_LEAST = 900;

type Hit = { warningId: number; kill: Kill };
const hits = new Map<string, Hit>();

const CLAIMS = 'select from claims k join pages p on p.id = k.page_id where p.warning_id = $1';

/** The moment has come: the kill, which the last test judges whatever else this one finds. */
async function hit(moment: string, warningId: number): Promise<Kill> {
  const kill = await site.kill('worker');
  hits.set(moment, { warningId, kill });
  return kill;
}

/** The next process goes on; what the dead one had claimed waits for its lease. */
async function goOn(warningId: number, kill: Kill): Promise<void> {
  await site.setFaults({});
  await site.back(kill);
  await site.handedOn(warningId, kill);
}

it('is killed after a claim, before the far side has any of it', async () => {
  await site.setFaults({ sms: { hangShare: 1 } });
  const warningId = await site.issue({ area: '乡1', speed: SPEED });
  await site.moment('a claim of a large slice', `${CLAIMS} and k.size > 10`, [warningId]);
  const kill = await hit('after a claim', warningId);
  expect(await site.arrived(warningId)).toBe(0);
  expect(kill.inFlight).not.toEqual([]);
  await goOn(warningId, kill);
});

it('is killed after the provider took messages, before any outcome is ours', async () => {
  await site.setFaults({ sms: { answerHeldShare: 1 } });
  const warningId = await site.issue({ area: '乡2', speed: SPEED });
  await waitUntil(async () => (await site.arrived(warningId)) > 10, {
    deadlineMs: 20_000,
    what: 'the provider to have messages',
    everyMs: 5,
  });
  const kill = await hit('after the provider took it', warningId);
  expect(await outcomes(warningId)).toBe(0);
  expect(kill.inFlight).not.toEqual([]);
  await goOn(warningId, kill);
});

it('is killed right after the commit of outcomes', async () => {
  const warningId = await site.issue({ area: '乡3', speed: SPEED });
  await site.moment('many outcomes', 'select from deliveries where warning_id = $1 having count(*) > 10', [
    warningId,
  ]);
  const kill = await hit('after the commit of outcomes', warningId);
  expect(await outcomes(warningId)).toBeLessThan(PLANNED_LEAST);
  await goOn(warningId, kill);
});

it('is killed right after the commit of a step, before anything was claimed', async () => {
  // A lock that claims wait for holds the worker at this very point.
  const { warningId, kill } = await site.database.transaction(async (sql): Promise<Hit> => {
    await sql.query(`set local idle_in_transaction_session_timeout = '40s'`);
    await sql.query('lock table claims in share row exclusive mode');
    const warningId = await site.issue({ area: '乡4', speed: SPEED });
    await site.moment(
      'a step with pages',
      'select from audit a join cells c on c.id = a.cell_id join pages p on p.cell_id = c.id where c.warning_id = $1',
      [warningId],
    );
    const kill = await hit('after the commit of a step', warningId);
    expect(await site.database.query(CLAIMS, [warningId])).toEqual([]);
    return { warningId, kill };
  });
  await goOn(warningId, kill);
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
    await site.back(await hit(`at random moment ${nth}`, warningId));
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
    const wrongs: Record<string, unknown> = {};
    for (const warningId of warningIds) {
      wrongs[`W${warningId}`] = (await site.verdict(warningId, `W${warningId}`)).wrongs;
    }
    expect(wrongs).toEqual(Object.fromEntries([...warningIds].map((warningId) => [`W${warningId}`, {}])));
  },
);

/** What came of messages that were sent; who answered before their turn was sent nothing. */
async function outcomes(warningId: number): Promise<number> {
  const rows = await site.database.query(
    `select from deliveries where warning_id = $1 and outcome <> 'dropped'`,
    [warningId],
  );
  return rows.length;
}
