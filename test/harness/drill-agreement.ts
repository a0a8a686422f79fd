/** A drill with something of everything on the real stack, to be compared with its rehearsal at any speed. */
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Database } from '../../db/database.ts';
import { readNow } from '../../db/drills.ts';
import { spanMs, type Scenario } from '../../domain/scenario.ts';
import { compareWithRehearsal, type DrillAgreement } from '../../operations/drill-agreement.ts';
import { castOf, writeCast, type CastInput } from '../../operations/drill-cast.ts';
import { playScene } from '../../operations/drill-play.ts';
import type { Drill } from '../../operations/drills.ts';
import { generatePopulation } from '../../operations/generate-population.ts';
import { importOrganisation } from '../../operations/organisation-import.ts';
import { readDatabaseTree } from '../../operations/rehearsal-database.ts';
import { readRegister } from '../../operations/rehearsal-tree.ts';
import { readRulePack } from '../../operations/rule-packs.ts';
import { parseScenario } from '../../operations/scenario-files.ts';
import { waitUntil } from '../../runtime/processes.ts';
import { startStack, type Stack } from './stack.ts';

/** Web and worker are up by then. */
const LEAD_MS = 10_000;
/** So long after the story's last minute all is on record. */
const SETTLED_WITHIN_MS = 60_000;

/** 221 units, among them those in the dark and those whose provider is out. */
export const THREE_TOWNSHIPS = '[黔江区/濯水镇, 黔江区/石会镇, 黔江区/黑溪镇]';

/** `where` as a scenario says it. */
export type AgreementDrill = { name: string; where: string; speed: number; seed: number };

export type PlayedDrill = { stack: Stack; drill: CastInput };

/** A dark village, a provider that is out, wrong numbers, people who sleep or cannot act, *done*; twenty minutes. */
function storyIn(where: string): string {
  return `
name: agreement
title: { zh: 对照, en: Agreement }
about: A test.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: red, where: ${where}, expires: +20m }
people:
  - { neverAnswers: 12, cannotAct: 4, wrongNumbers: 4, notices: { sms: 60, voice: 60, email: 60 }, delay: prompt }
  - { tiers: [village], done: { percent: 80, delay: { median: 3, p90: 6 } } }
senders:
  voice: { perSecond: 5000, delaySeconds: 1 }
failures:
  dark: [{ where: [黔江区/濯水镇/濯水社区居民委员会], from: +0m, to: +7m }]
  outages: [{ channel: email, where: [黔江区/石会镇], from: +4m, to: +6m }]
`;
}

/** Plays the story from its first event until everything is settled. */
export async function playAgreementDrill({ name, where, ...how }: AgreementDrill): Promise<PlayedDrill> {
  const pack = await readRulePack();
  let drill: CastInput | null = null;
  const stack = await startStack(name, {
    voiceGateway: true,
    prepare: async (database, directory) => {
      const scenario = await plant(database, where);
      drill = { scenario, pack, ...how, startAt: Date.now() + LEAD_MS };
      const cast = join(directory, 'cast.jsonl');
      await writeCast(cast, await castOf(database, drill));
      return { cast };
    },
  });
  try {
    await stack.startWorker();
    const played = { stack, drill: drill as unknown as CastInput };
    await play(played);
    return played;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** 黔江区 with everybody in it: 2,012 units. */
async function plant(database: Database, where: string): Promise<Scenario> {
  const register = await readRegister();
  const rows = register.units
    .map(({ code, name, tier, superior }) => ({
      code: code ?? '',
      line: [code, name, superior === null ? '' : register.units[superior]?.code, tier].join(),
    }))
    .filter(({ code }) => code === '500000000000' || code.startsWith('500114'));
  const file = ['code,name,parent_code,tier', ...rows.map(({ line }) => line)].join('\n');
  await importOrganisation({ database, file: `${file}\n` });
  await generatePopulation({ database, seed: '1' });
  // Made-up people have no line for calls of their own.
  await database.query(
    `insert into person_channels (person_id, channel, address) select person_id, 'voice', address from person_channels
     where channel = 'sms' and person_id % 4 > 0`,
  );
  return parseScenario(storyIn(where), (await readDatabaseTree(database)).register, 'the test');
}

async function play({ stack, drill }: PlayedDrill): Promise<void> {
  const { database } = stack;
  const { scenario, startAt, speed } = drill;
  const clock = { ...drill, storyStartAt: Date.parse(scenario.startsAt), gaps: [] };
  const playing = { ...drill, drillId: 1, areaIds: [] } as unknown as Drill;
  let lastsMs = 0;
  for (const [event, { at, warning }] of scenario.timeline.entries()) {
    const dueAt = startAt + spanMs(at) / speed;
    await waitUntil(async () => ((await readNow(database)) >= dueAt ? true : null), {
      deadlineMs: 60_000,
      what: `event ${event}`,
    });
    await playScene({ own: database, drill: playing, issuer: '城气象台' }, event, clock);
    lastsMs = spanMs(warning?.expires ?? '+0m') / speed;
  }
  await stack.until(1, 'its end', ({ settled }) => settled, lastsMs + SETTLED_WITHIN_MS);
}

/** The one warning of the story, compared. */
async function agreementIn({ stack, drill }: PlayedDrill, seed = drill.seed): Promise<DrillAgreement> {
  const [agreement] = await compareWithRehearsal(stack.database, { ...drill, seed });
  if (!agreement) throw new Error('nothing was issued');
  return agreement;
}

/** Every unit goes the way of the rehearsal but for a share that is listed, each for a reason; and not by chance: other people tell another story. */
export async function expectAgreement(played: PlayedDrill, listedMostShare: number): Promise<void> {
  const agreement = await agreementIn(played);
  const { units, differing } = agreement;
  expect(agreement).toMatchObject({ name: 'rain', units: 221 });
  const unexplained = differing.filter(({ cause }) => cause === 'unexplained');
  expect(unexplained, listed(agreement)).toEqual([]);
  expect(differing.length, listed(agreement)).toBeLessThanOrEqual(units * listedMostShare);
  const other = await agreementIn(played, played.drill.seed + 1);
  expect(other.differing.length).toBeGreaterThan(units / 2);
}

/** Each unit that differs in a line of its own, for an assertion that shows what differs. */
function listed({ name, differing }: DrillAgreement): string {
  const lines = differing.map(({ key, unit, cause, what }) =>
    [
      `${name} ${key} ${unit} (${cause})`,
      ...what.map(({ field, rehearsed, played }) => `${field} ${rehearsed} | ${played}`),
    ].join('; '),
  );
  return lines.join('\n');
}
