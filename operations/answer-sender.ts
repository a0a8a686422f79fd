/** The number a reply comes from, in the spelling in which addresses are kept. Gateways write it in many ways. */
import parsePhoneNumber from 'libphonenumber-js/max';

/** E.164 allows 15 digits; what is longer than this with all its signs is no number. */
const CHARACTERS_MOST = 40;

/**
 * `138 0013 8000`, `8613800138000`, `0086…`, `+86 …` and full-width digits all give `+8613800138000`: a number without a
 * country is one of mainland China, as at the import. Null for what is no number.
 */
export function parseSender(from: string): string | null {
  const text = from
    .normalize('NFKC')
    .trim()
    .replace(/^\((\+?86)\)/, '$1');
  if (text.length > CHARACTERS_MOST) return null;
  const number = parsePhoneNumber(text, { defaultCountry: 'CN', extract: false });
  if (number) return number.ext === undefined ? number.number : null;
  // Shorter than any country's numbers, but written as one: a stand-in's.
  return /^\+[1-9][0-9]{4,14}$/.test(text) ? text : null;
}
