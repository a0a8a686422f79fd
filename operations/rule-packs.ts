/** Rule packs from YAML files: read, checked, every problem by its place. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseDocument } from 'yaml';
import { FenghuoError } from '../domain/errors.ts';
import { rulePackSchema, type RulePack } from '../domain/rules.ts';

export const DEFAULT_RULE_PACK = fileURLToPath(
  new URL('../scenarios/rules/default-unofficial.yaml', import.meta.url),
);

const RULE_PACK_CHARACTERS_MAX = 200_000;
const ALIASES_MAX = 50;

/** Reads a rule pack; throws a FenghuoError that lists every problem of the file. */
export async function readRulePack(file: string = DEFAULT_RULE_PACK): Promise<RulePack> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refusal(file, ['the file cannot be read'], cause);
  });
  if (text.length > RULE_PACK_CHARACTERS_MAX)
    throw refusal(file, [`longer than ${RULE_PACK_CHARACTERS_MAX} characters`]);
  const document = parseDocument(text, { schema: 'core' });
  if (document.errors.length > 0) {
    throw refusal(
      file,
      document.errors.map((error) => error.message.split('\n')[0] ?? error.code),
    );
  }
  const parsed = rulePackSchema.safeParse(document.toJS({ maxAliasCount: ALIASES_MAX }));
  if (parsed.success) return parsed.data;
  throw refusal(
    file,
    parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  );
}

function refusal(file: string, details: string[], cause?: unknown): FenghuoError {
  return new FenghuoError({
    code: 'rule-pack',
    refusal: 'usage',
    sentence: `The rule pack ${file} cannot be used. Mend these and try again:`,
    details,
    cause,
  });
}
