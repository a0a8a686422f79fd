/**
 * Drills whose processes are killed while they run, and how their reports differ from that of one that was left alone. In the story no
 * answer comes near a deadline, so that the latencies of a machine decide nothing.
 */
import { readGaps } from '../../db/drills.ts';
import { openDatabase } from '../../db/database.ts';
import { storyMsAt } from '../../domain/drill-clock.ts';
import { beyondDelay } from '../../domain/drill-delay.ts';
import type { DrillReport } from '../../domain/drill-report.ts';
import { MINUTE_MS } from '../../domain/time.ts';
import { TOLERANCE_MS } from '../../operations/drill-agreement.ts';
import { waitUntil } from '../../runtime/processes.ts';
import { openDrillSite, type DrillSite, type Row } from './drill-site.ts';

/** A minute of the story is one and a half seconds, and what decides lies two or three of ours apart. */
const SPEED = 40;
const SEED = 11;
const TOLERANCE_MINUTES = (TOLERANCE_MS * SPEED) / MINUTE_MS;

/**
 * Rungs are taken at 5, 10 and 15 minutes by 村二, which is silent and passed over; at 2 and 4 by 乡二, whose people cannot act; at 5 by
 * 组一, which is in the dark until 6.5 and answers at 7.5. Digests go two minutes later. Everybody is asked again at 20.
 */
const STORY = `name: decided
title: { zh: 已定, en: Decided }
about: A test.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: orange, where: [区], expires: +60m }
  - at: +20m
    update: { of: rain, name: more, level: red }
  - at: +28m
    cancel: { of: more, reason: 雨停 }
people:
  - neverAnswers: 0
    cannotAct: 0
    wrongNumbers: 0
    notices: { sms: 100, voice: 100, email: 100 }
    delay: { median: 1, p90: 1.1 }
    done: { percent: 100, delay: { median: 3, p90: 3.2 } }
  - where: [乡二]
    tiers: [township]
    cannotAct: 100
    delay: { median: 2, p90: 2.1 }
    delayBy: { email: { median: 3, p90: 3.1 } }
  - { where: [村二], tiers: [village], neverAnswers: 100 }
failures:
  dark: [{ where: [组一], from: +0m, to: +6m30s }]
expect:
  - { answered: { tier: group, percent: 100, within: 10m } }
  - { silent: { tier: village, atLeast: 1, after: 12m } }
  - { bridged: { where: 村二, within: 18m } }
  - { noSendAfterEnd: true }
`;

/** When the story has run so long, this is killed without a word. */
export type Kill = { atMinute: number; what: 'conductor' | 'worker' | 'web' | 'sandbox' };

export type KilledSite = {
  site: DrillSite;
  /** Plays the story, killing what is said, and conducting it again where nobody does; its report. */
  play(kills: readonly Kill[]): Promise<{ row: Row; report: DrillReport }>;
  close(): Promise<void>;
};

export async function openKilledSite(name: string): Promise<KilledSite> {
  const site = await openDrillSite(name);
  // Households answer by a model that knows nothing of the story.
  await site.live.query('delete from households');
  const scenario = await site.scenario('decided.yaml', STORY);
  return {
    site,
    async play(kills) {
      let conducting = site.drill('run', scenario, '--speed', String(SPEED), '--seed', String(SEED));
      const row = await site.rowOfCommand(conducting);
      for (const { atMinute, what } of kills) {
        await untilMinute(site, row, atMinute);
        if (what === 'conductor') {
          await conducting.kill();
          conducting = site.drill('resume', row.id);
          continue;
        }
        const victim = (await site.processesOf(row)).get(what);
        if (!victim) throw new Error(`${row.id} has no ${what}`);
        process.kill(victim.pid, 'SIGKILL');
      }
      await site.done(conducting);
      const { stdout } = await site.done(site.drill('report', row.id, '--json'));
      return { row, report: JSON.parse(stdout) as DrillReport };
    },
    close: () => site.close(),
  };
}

/** How often it was without its processes. */
export function gapsIn({ interruptions }: DrillReport): number {
  return interruptions.filter(({ kind }) => kind === 'processes gone').length;
}

/** What differs by more than the disturbed one's own delay. */
export function differing(undisturbed: DrillReport, disturbed: DrillReport): string[] {
  return beyondDelay(undisturbed, disturbed, TOLERANCE_MINUTES);
}

/** Waits until the story has come to this minute; a drill that stands still does not come there. */
async function untilMinute({ live }: DrillSite, { id, schema }: Row, minute: number): Promise<void> {
  const own = openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema: schema ?? '', asOwner: true });
  try {
    await waitUntil(
      async () => {
        const [drill] = await live.query<{ startAt: number; now: number }>(
          `select extract(epoch from started_at)::float8 * 1000 as "startAt", extract(epoch from clock_timestamp())::float8 * 1000 as now
           from drills where id = $1`,
          [Number(id.slice(2))],
        );
        const [held] = await own.query('select from pauses where ended_at is null');
        if (!drill || held) return null;
        const clock = { startAt: drill.startAt, storyStartAt: 0, speed: SPEED, gaps: await readGaps(own) };
        return storyMsAt(clock, drill.now) >= minute * MINUTE_MS ? true : null;
      },
      { deadlineMs: 120_000, what: `minute ${minute} of ${id}` },
    );
  } finally {
    await own.close();
  }
}
