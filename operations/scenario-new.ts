/** A new scenario from what a planner knows: a file with comments, right by its schema, to be changed by hand. */
import { open } from 'node:fs/promises';
import { FenghuoError } from '../domain/errors.ts';
import type { Register } from '../domain/rehearsal/register.ts';
import { parseScenario } from './scenario-files.ts';

export type NewScenario = {
  name: string;
  title: string;
  startsAt: string;
  hazard: string;
  level: string;
  where: readonly string[];
  /** `6h` or `+6h`. */
  expires: string;
  /** Places whose people do not answer. */
  silent: readonly string[];
  /** Places without power and network. */
  dark: readonly string[];
};

/** The text of the file. Throws `ScenarioRefused` where the answers make no scenario. */
export function writeScenario(answers: NewScenario, register: Register): string {
  const { silent, dark } = answers;
  // JSON strings are YAML strings: nothing that is typed can become structure.
  const word = (value: string) => JSON.stringify(value);
  const places = (list: readonly string[]) => `[${list.map(word).join(', ')}]`;
  const text = [
    '# 演练脚本 / a scenario. Rehearse it: npx fenghuo drill rehearse FILE',
    '# What may stand here: scenarios/schema.json; how it is meant: docs/drills.md',
    `name: ${word(answers.name)}`,
    `title: { zh: ${word(answers.title)}, en: ${word(answers.title)} }`,
    `about: ${word(answers.title)}`,
    '# 时刻决定夜间静默 / the hour decides about quiet hours',
    `startsAt: ${word(answers.startsAt)}`,
    '',
    '# 依次发生的事 / what happens, in order: warning, update, cancel, retract',
    'timeline:',
    '  - at: +0m',
    '    warning:',
    '      name: first',
    `      hazard: ${word(answers.hazard)}`,
    `      level: ${word(answers.level)}`,
    `      where: ${places(answers.where)}`,
    `      expires: ${word(answers.expires.replace(/^\+?/, '+'))}`,
    '  # - at: +2h',
    '  #   cancel: { of: first, reason: 雨势减弱 }',
    '',
    '# 人员表现 / how people behave, in per cent and minutes; later entries overrule earlier ones',
    'people:',
    '  - { neverAnswers: 5, cannotAct: 1, wrongNumbers: 1, delay: usual }',
    ...silent.map((place) => `  - { where: [${word(place)}], neverAnswers: 80 } # 可能未应 / may be silent`),
    '',
    '# 停电断网、通道中断 / no power and network, providers that take nothing',
    'failures:',
    ...(dark.length === 0 ? ['  dark: []'] : ['  dark:']),
    ...dark.map((place) => `    - { where: [${word(place)}], from: +0m, to: +2h }`),
    '  outages: []',
    '  # - { channel: sms, from: +0m, to: +30m }',
    '',
    '# 期望 / what is expected; --check ends with exit code 7 where it is not met',
    'expect:',
    '  - answered: { tier: village, percent: 90, within: 20m }',
    '  - silent: { atMost: 10, after: 30m }',
    '',
  ].join('\n');
  parseScenario(text, register, answers.name);
  return text;
}

/** Writes a file that is not there yet. */
export async function keepScenario(file: string, text: string, exists: string): Promise<void> {
  const handle = await open(file, 'wx').catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    throw new FenghuoError({ code: 'file-exists', refusal: 'conflict', sentence: exists, cause });
  });
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}
