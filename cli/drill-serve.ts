/** `drill serve`: conducts the drills that schedules ask for, one after the other, also after it was killed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { isUnreachable, type Database } from '../db/database.ts';
import { readWished, type Wished } from '../db/drill-schedules.ts';
import { conductAlone, lastSign, readNow } from '../db/drills.ts';
import { beat } from '../db/liveness.ts';
import type { Instant } from '../domain/time.ts';
import { DRILL_SERVER_SIGN } from '../domain/watchdog.ts';
import { BEGIN_WITHIN_MS, whyNotBegin } from '../operations/drill-schedules.ts';
import { drillName, requireDrill, wishStop } from '../operations/drills.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { serve } from './serving.ts';
import { minuteOf } from './times.ts';

/** In the place of a drill's number, for the lock of who serves: no drill has it. */
const WHO_SERVES = 0;
const LOOK_MS = 1_000;
const BEAT_MS = 5_000;
/** What failed is tried again so much later; others come first. */
const AGAIN_MS = 30_000;

export function addDrillServeCommand(drill: Command, context: Context): void {
  drill
    .command('serve')
    .description(context.say('help.drillServe'))
    .addHelpText('after', example(context, 'npx fenghuo drill serve'))
    .action(async () => {
      await serve(context, async () => {
        const live = await context.database();
        // Nothing is said to be ready that has no database.
        await readNow(live);
        context.tell(context.say('drillServe.started'));
        const controller = new AbortController();
        const done = serveDrills({ context, live, signal: controller.signal });
        return {
          done,
          stop: async () => {
            controller.abort();
            await done;
          },
        };
      });
    });
}

type Serving = { context: Context; live: Database; signal: AbortSignal };

/** One process serves, others stand by: drills of schedules never run side by side. */
async function serveDrills(serving: Serving): Promise<void> {
  const { context, live, signal } = serving;
  let told = false;
  while (!signal.aborted) {
    const served = await conductAlone(live, WHO_SERVES, (still) => serveAlone(serving, still)).catch(
      (error: unknown) => {
        if (!isUnreachable(error)) throw error;
        return { result: undefined };
      },
    );
    if (!served && !told) context.tell(context.say('drillServe.another'));
    told = served === null;
    await rest(LOOK_MS, signal);
  }
}

async function serveAlone(serving: Serving, still: () => Promise<boolean>): Promise<void> {
  const { live, signal } = serving;
  await endAbandoned(serving);
  await beat(live, DRILL_SERVER_SIGN);
  const beating = setInterval(() => void beat(live, DRILL_SERVER_SIGN).catch(() => undefined), BEAT_MS);
  const notBefore = new Map<number, Instant>();
  try {
    while (!signal.aborted && (await still())) {
      const next = (await readWished(live)).find(
        ({ drillId }) => (notBefore.get(drillId) ?? 0) <= performance.now(),
      );
      const conducted = next !== undefined && (await conductWished(serving, next));
      if (next && !conducted) notBefore.set(next.drillId, performance.now() + AGAIN_MS);
      if (!conducted) await rest(LOOK_MS, signal);
    }
  } finally {
    clearInterval(beating);
  }
}

/** A drill that began and that nobody has conducted for long does not go on at an hour at which nobody expects it. */
async function endAbandoned({ context, live }: Serving): Promise<void> {
  const sign = await lastSign(live, DRILL_SERVER_SIGN);
  if (sign === null || (await readNow(live)) - sign <= BEGIN_WITHIN_MS) return;
  for (const { drillId, startedAt } of await readWished(live)) {
    if (startedAt === null) continue;
    const { conducted } = await requireDrill(live, drillId);
    if (!conducted) await wishStop(live, drillId, context.say('notBegun.abandoned'));
  }
}

/** False where it has to be tried again later: it failed, or somebody conducts it by hand. */
async function conductWished({ context, live, signal }: Serving, wished: Wished): Promise<boolean> {
  const { drillId, dueAt, startedAt } = wished;
  const name = drillName(drillId);
  try {
    const why = startedAt === null ? await whyNotBegin(live, wished) : null;
    if (why !== null) await wishStop(live, drillId, context.say(`notBegun.${why}`));
    const { scenario } = await requireDrill(live, drillId);
    context.tell(context.say('drillServe.taken', { name, scenario: scenario.name, due: minuteOf(dueAt) }));
    const { conduct } = await import('./drill-conductor.ts');
    const conducted = await conduct(context, drillId, signal, () => Promise.resolve());
    if (!conducted) return false;
    context.tell(
      context.say('drillServe.done', { name, status: context.say(`drillStatus.${conducted.drill.status}`) }),
    );
    return true;
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    context.tell(context.say('drillServe.failed', { name, fault, seconds: AGAIN_MS / 1_000 }));
    return false;
  }
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
