/**
 * Golden outcomes of the shipped scenarios: `npm run golden` compares, `npm run golden -- --update` writes them anew, and the
 * published schema with them. Review what changes before it is committed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import { z } from 'zod';
import { momentKeys, type WarningSummary } from '../domain/rehearsal/summary.ts';
import { scenarioSchema } from '../domain/scenario.ts';
import { readRegister } from '../operations/rehearsal-tree.ts';
import { rehearseOnce, setStage, type Rehearsed } from '../operations/rehearsals.ts';
import { readRulePack } from '../operations/rule-packs.ts';
import { readScenario, SCENARIOS, shippedScenarios } from '../operations/scenario-files.ts';

const SEED = 1;

/** A scenario's expected timeline: per warning and tier how the units stand at each look, and what came of the expectations. */
export function goldenOf({ seed, warnings, verdicts }: Rehearsed) {
  return {
    seed,
    warnings: warnings.map((warning) => ({
      name: warning.name,
      end: warning.end,
      messages: warning.messages,
      afterEnd: warning.afterEnd,
      minutes: warning.minutes,
      tiers: Object.fromEntries(warning.tiers.map((tier) => [tier.tier, timelineOf(tier)])),
    })),
    expectations: verdicts.map(({ met, was }) => ({ met, was })),
  };
}

function timelineOf({ units, over }: WarningSummary['tiers'][number]) {
  return { units, ...Object.fromEntries(momentKeys.map((key) => [key, over.map((moment) => moment[key])])) };
}

/** The golden outcome of a scenario, played now. */
export async function playGolden(name: string): Promise<ReturnType<typeof goldenOf>> {
  const register = await readRegister();
  const scenario = await readScenario(name, register);
  const stage = await setStage({ scenario, register, pack: await readRulePack() });
  return goldenOf(await rehearseOnce(stage, SEED));
}

export function goldenFile(name: string): string {
  return `${SCENARIOS}/golden/${name}.json`;
}

/** As the formatter wants it, which fills lines with numbers. */
export async function writeJson(value: unknown): Promise<string> {
  return format(JSON.stringify(value, null, 2), { parser: 'json', printWidth: 110 });
}

export const SCHEMA_FILE = `${SCENARIOS}/schema.json`;

/** The published schema of scenario files. */
export function schemaText(): Promise<string> {
  return writeJson({ title: 'Fenghuo scenario', ...z.toJSONSchema(scenarioSchema, { io: 'input' }) });
}

async function main(update: boolean): Promise<number> {
  const files = new Map([[SCHEMA_FILE, await schemaText()]]);
  for (const name of await shippedScenarios())
    files.set(goldenFile(name), await writeJson(await playGolden(name)));
  const changed = [...files].filter(([file, text]) => readOr(file) !== text);
  for (const [file, text] of changed) {
    if (update) writeFileSync(file, text);
    process.stdout.write(`${update ? 'written' : 'differs'}: ${file}\n`);
  }
  if (changed.length === 0) process.stdout.write('all as expected\n');
  return changed.length === 0 || update ? 0 : 1;
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.includes('--update'));
}
