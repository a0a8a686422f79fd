/** A warning of ours as a CAP message for others, signed where there is a key. */
import { readWarningForCap } from '../db/cap.ts';
import type { Database } from '../db/database.ts';
import { buildCap } from '../domain/cap/build.ts';
import { CHINESE_AGENCY } from '../domain/cap/chinese.ts';
import { isError, sentenceOf } from '../domain/cap/findings.ts';
import { alertOfWarning, type CapIdentity } from '../domain/cap/from-warning.ts';
import { parseCapText } from '../domain/cap/parse.ts';
import { signCap } from '../domain/cap/signature.ts';
import { FenghuoError } from '../domain/errors.ts';

/** Throws `no-such-warning`, `cap-sender` and `cap-agency` (usage). `privateKey` is PEM; null leaves it unsigned. */
export async function exportCap(
  database: Database,
  warningId: number,
  input: { identity: CapIdentity; privateKey: string | null },
): Promise<string> {
  const { identity, privateKey } = input;
  if (identity.agency !== null && !CHINESE_AGENCY.test(identity.agency))
    throw refuse('cap-agency', 'FENGHUO_CAP_AGENCY must be the fourteen digits of GB/T 35965.1.');
  const warning = await readWarningForCap(database, warningId);
  if (!warning) {
    const sentence = `There is no warning W${warningId}. \`fenghuo warning list\` shows all.`;
    throw new FenghuoError({ code: 'no-such-warning', refusal: 'notFound', sentence });
  }
  const xml = buildCap(alertOfWarning(warning, identity));
  const wrong = parseCapText(xml).findings.find(isError);
  if (wrong) throw refuse('cap-export', `W${warningId} makes no valid message: ${sentenceOf(wrong, 'en')}`);
  return privateKey === null ? xml : signed(xml, privateKey);
}

function signed(xml: string, privateKey: string): string {
  try {
    return `${signCap(xml, privateKey)}\n`;
  } catch (cause) {
    const sentence = 'FENGHUO_CAP_KEY is no RSA private key in PEM. Nothing was written.';
    throw new FenghuoError({ code: 'cap-key', refusal: 'usage', sentence, cause });
  }
}

function refuse(code: string, sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal: 'usage', sentence });
}
