/** A rehearsal on the tree of a database is that on the file, where the people are those that were made up. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from '../test/database.ts';
import { generatePopulation } from './generate-population.ts';
import { importOrganisation } from './organisation-import.ts';
import { readDatabaseTree } from './rehearsal-database.ts';
import { readRegister } from './rehearsal-tree.ts';
import { rehearseOnce, setStage } from './rehearsals.ts';
import { readRulePack } from './rule-packs.ts';
import { readScenario } from './scenario-files.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('rehearsal-database');
});
afterAll(() => database.close());

test('the same people, the same units, the same outcome', async () => {
  const register = await readRegister();
  const scenario = await readScenario('quickstart', register);
  const pack = await readRulePack();
  // Made-up people have no line for calls of their own.
  scenario.population.voicePercent = 0;
  const rows = register.units
    .map(({ code, name, tier, superior }) => ({
      code: code ?? '',
      name,
      tier,
      parent: superior === null ? '' : (register.units[superior]?.code ?? ''),
    }))
    .filter(({ code }) => code === '500000000000' || code.startsWith('500114'));
  const file = [
    'code,name,parent_code,tier',
    ...rows.map(({ code, name, parent, tier }) => [code, name, parent, tier].join()),
  ];
  await importOrganisation({ database, file: `${file.join('\n')}\n` });
  await generatePopulation({ database, seed: '1' });
  const read = await readDatabaseTree(database);
  const fromFile = await setStage({ scenario, register, pack });
  const fromDatabase = await setStage({ scenario, pack, ...read });
  const people = ({ tree }: typeof fromFile) =>
    new Map(
      tree.units.map(({ unitId, key }) => [
        key,
        (tree.posts[unitId] ?? []).map((person) => [tree.personKeys[person], tree.personChannels[person]]),
      ]),
    );
  const [one, other] = [people(fromDatabase), people(fromFile)];
  expect(one.size).toBe(84);
  // Only the city and the district may differ: whose last deputy is a principal below hangs on units that were not imported.
  for (const [key, posts] of other) if (key !== '500000000000') expect(one.get(key), key).toEqual(posts);
  for (const seed of [1, 2, 3]) {
    const [left, right] = [await rehearseOnce(fromDatabase, seed), await rehearseOnce(fromFile, seed)];
    const below = ({ warnings }: typeof left) => warnings[0]?.tiers.slice(1);
    expect(below(left)).toEqual(below(right));
  }
});
