/** The shipped scenarios come out as they are written down, and meet their expectations or say what would. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readRegister } from '../operations/rehearsal-tree.ts';
import { rehearseOnce, setStage } from '../operations/rehearsals.ts';
import { readRulePack } from '../operations/rule-packs.ts';
import { readScenario, scenarioFile, shippedScenarios } from '../operations/scenario-files.ts';
import { goldenFile, goldenOf, SCHEMA_FILE, schemaText, writeJson } from './golden.ts';

const names = await shippedScenarios();
const register = await readRegister();
const pack = await readRulePack();

test('the seven scenarios are there', () => {
  expect(names).toEqual([
    'chongqing-rainstorm',
    'hawaii-2018',
    'miyun-2025',
    'night-typhoon',
    'quickstart',
    'valencia-2024',
    'zhengzhou-2021',
  ]);
});

test('the published schema is that of the code, and the scenarios keep it', async () => {
  expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(await schemaText());
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
    JSON.parse(await schemaText()) as object,
  );
  for (const name of names) {
    const valid = validate(parse(readFileSync(scenarioFile(name), 'utf8'), { schema: 'core' }));
    expect(validate.errors ?? [], name).toEqual([]);
    expect(valid).toBe(true);
  }
});

describe.each(names)('%s', (name) => {
  test('comes out as expected; `npm run golden -- --update` writes it anew', async () => {
    const scenario = await readScenario(name, register);
    const played = await rehearseOnce(await setStage({ scenario, register, pack }), 1);
    expect(await writeJson(goldenOf(played))).toBe(readFileSync(goldenFile(name), 'utf8'));
    const unmet = played.verdicts.filter(({ met }) => !met).map(({ expectation }) => expectation);
    for (const expectation of unmet) {
      const whatIfs = expectation.metWith;
      if (!whatIfs)
        throw new Error(`not met, and no change of policy is named: ${JSON.stringify(expectation)}`);
      const stage = await setStage({
        scenario: { ...scenario, expect: [expectation] },
        register,
        pack,
        whatIfs,
      });
      expect((await rehearseOnce(stage, 1)).verdicts[0], whatIfs.join('; ')).toMatchObject({ met: true });
    }
    const idle = played.verdicts.filter(({ met, expectation }) => met && expectation.metWith);
    expect(idle, 'is met without the change').toEqual([]);
  });
});
