/** Scenario files: found, read, checked; every problem with its line, and nothing is done while there is one. */
import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isAlias,
  isNode,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml';
import type { z } from 'zod';
import { FenghuoError } from '../domain/errors.ts';
import type { Register } from '../domain/rehearsal/register.ts';
import { checkScenario, placesOf, type ScenarioProblem } from '../domain/scenario-check.ts';
import { RESERVED_KINDS, scenarioSchema, type Scenario } from '../domain/scenario.ts';

export const SCENARIOS = fileURLToPath(new URL('../scenarios', import.meta.url));

/** The longest that is shipped has 8 KB; what is larger is the wrong file, and is not even read. */
const FILE_BYTES_MOST = 256 * 1024;
/** As many as a person mends in one go; the rest is counted. */
const PROBLEMS_SHOWN_MOST = 100;

/** A problem and its line; null where the file as a whole is wrong. */
export type LinedProblem = { line: number | null; place: string; sentence: string };

/** Thrown where a scenario cannot be used. */
export class ScenarioRefused extends FenghuoError {
  readonly problems: readonly LinedProblem[];

  constructor(file: string, problems: readonly LinedProblem[], refusal: 'usage' | 'notFound' = 'usage') {
    const inOrder = [...problems].sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
    const shown = inOrder.slice(0, PROBLEMS_SHOWN_MOST).map(describe);
    const more = inOrder.length - shown.length;
    super({
      code: 'scenario',
      refusal,
      sentence: `The scenario ${file} cannot be used; nothing was started. Mend these and try again:`,
      details: more > 0 ? [...shown, `… and ${more} more`] : shown,
    });
    this.problems = inOrder;
  }
}

function describe({ line, place, sentence }: LinedProblem): string {
  return [line === null ? '' : `line ${line}: `, place === '' ? '' : `${place}: `, sentence].join('');
}

/** The file of a scenario that is named by its name or by a path. */
export function scenarioFile(nameOrPath: string): string {
  return /^[a-z0-9-]+$/.test(nameOrPath) ? join(SCENARIOS, `${nameOrPath}.yaml`) : nameOrPath;
}

/** The names of the scenarios that are shipped, in order. */
export async function shippedScenarios(): Promise<string[]> {
  const files = await readdir(SCENARIOS);
  return files
    .filter((file) => file.endsWith('.yaml') && file !== 'capabilities.yaml')
    .map((file) => basename(file, '.yaml'))
    .sort();
}

/** Reads a scenario and finds its places in the register. Throws `ScenarioRefused` with every problem of the file. */
export async function readScenario(nameOrPath: string, register: Register): Promise<Scenario> {
  return parseScenario(await readStory(nameOrPath), register, nameOrPath);
}

/** The text of a scenario's file, whatever it says. */
export async function readStory(nameOrPath: string): Promise<string> {
  return readSmallFile(scenarioFile(nameOrPath));
}

/** A scenario from a text; `alsoCheck` finds what stands in the way of what is to be done with it. */
export function parseScenario(
  text: string,
  register: Register,
  file: string,
  alsoCheck: (scenario: Scenario) => ScenarioProblem[] = () => [],
): Scenario {
  const lines = new LineCounter();
  const { document, problems } = readYaml(text, lines);
  if (!document) throw new ScenarioRefused(file, problems);
  const lined = (problem: ScenarioProblem): LinedProblem => ({
    line: lineOf(document, problem.path, lines),
    place: placeOf(problem.path),
    sentence: problem.sentence,
  });
  const raw: unknown = document.toJS();
  const parsed = scenarioSchema.safeParse(raw);
  if (!parsed.success) {
    // What hangs together cannot be judged yet, but one round of corrections should find the misspelt places too.
    const problems = [...parsed.error.issues.flatMap(schemaProblems), ...misspeltPlaces(raw, register)];
    throw new ScenarioRefused(file, problems.map(lined));
  }
  const found = [checkScenario, (one: Scenario) => unknownPlaces(one, register), alsoCheck]
    .flatMap((check) => check(parsed.data))
    .map(lined);
  if (found.length > 0) throw new ScenarioRefused(file, found);
  return parsed.data;
}

/** Places that the register does not know, or knows several times. */
export function unknownPlaces(scenario: Scenario, register: Register): ScenarioProblem[] {
  return placesOf(scenario).flatMap(({ path, place }) => {
    const found = register.find(place);
    return 'sentence' in found ? [{ path, sentence: found.sentence }] : [];
  });
}

/** The same, of whatever stands in a file that is wrong by its schema. */
function misspeltPlaces(
  node: unknown,
  register: Register,
  path: (string | number)[] = [],
): ScenarioProblem[] {
  if (typeof node === 'string') {
    const found = path.includes('where') ? register.find(node) : null;
    return found && 'sentence' in found ? [{ path, sentence: found.sentence }] : [];
  }
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, below]) =>
    misspeltPlaces(below, register, [...path, Array.isArray(node) ? Number(key) : key]),
  );
}

async function readSmallFile(file: string): Promise<string> {
  const refuse = (sentence: string, refusal: 'usage' | 'notFound' = 'usage') =>
    new ScenarioRefused(file, [{ line: null, place: '', sentence }], refusal);
  const handle = await open(file, 'r').catch((cause: unknown) => {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw missing
      ? refuse('there is no such file; `npx fenghuo drill list` names those that are shipped', 'notFound')
      : refuse('it cannot be read');
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw refuse('it is not a file');
    if (stat.size > FILE_BYTES_MOST)
      throw refuse(`it is larger than ${FILE_BYTES_MOST / 1024} KB and was not read`);
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await handle.read(bytes, 0, stat.size, 0);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, bytesRead));
  } catch (error) {
    throw error instanceof TypeError ? refuse('it is not UTF-8 text') : error;
  } finally {
    await handle.close();
  }
}

/** The YAML tree, or why there is none. Aliases are refused: a small file could stand for a huge one. */
function readYaml(text: string, lines: LineCounter): { document: Document | null; problems: LinedProblem[] } {
  let document: Document;
  try {
    document = parseDocument(text, { schema: 'core', lineCounter: lines, prettyErrors: false });
  } catch {
    // The parser descends: what is nested thousands deep is more than its stack holds.
    return { document: null, problems: [{ line: null, place: '', sentence: 'it is nested too deeply' }] };
  }
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    line: lines.linePos(pos[0]).line,
    place: '',
    sentence: message.split('\n')[0] ?? 'not YAML',
  }));
  try {
    visit(document, (_key, node) => {
      const anchored = isNode(node) && !isAlias(node) && (node as { anchor?: string }).anchor !== undefined;
      if (!isAlias(node) && !anchored) return;
      problems.push({
        line: lines.linePos(node.range?.[0] ?? 0).line,
        place: '',
        sentence: 'anchors and aliases (& and *) are not allowed in a scenario',
      });
    });
  } catch {
    return { document: null, problems: [{ line: null, place: '', sentence: 'it is nested too deeply' }] };
  }
  return { document: problems.length > 0 ? null : document, problems };
}

function schemaProblems(issue: z.core.$ZodIssue): ScenarioProblem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code !== 'unrecognized_keys') return [{ path, sentence: issue.message }];
  return issue.keys.map((key) => ({
    path: [...path, key],
    sentence:
      path[0] === 'timeline' && RESERVED_KINDS.some((kind) => kind === key)
        ? `"${key}" is reserved: the engine has no such event yet. Leave it out`
        : 'is not a key of a scenario here',
  }));
}

/** The line of the last part of the path that is in the file. */
function lineOf(document: Document, path: readonly (string | number)[], lines: LineCounter): number {
  let offset = 0;
  let node: unknown = document.contents;
  for (const part of path) {
    if (isSeq(node)) {
      const item: unknown = typeof part === 'number' ? node.items[part] : undefined;
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (!pair) break;
      offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
      node = pair.value;
    } else break;
  }
  return lines.linePos(offset).line;
}

/** `timeline[2].warning.where[0]` */
function placeOf(path: readonly (string | number)[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('');
}
