/**
 * How an answer proves itself: the link of an e-mail and the number of a message.
 *
 * Both are keyed hashes, so nothing secret is stored, every attempt shows the same link, and keys can rotate: the key's id
 * is part of what is hashed. Sizes: OWASP ASVS 5.0 (6.6.3, 11.5.1) asks for 64 bits and more; a link carries 96.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The current key first; older ones are still accepted. Each is the installation's secret under an id. */
export type AnswerKeys = readonly { id: string; secret: string }[];

const TOKEN_CHARACTERS = 16;

/** `<delivery id in base 36>.<16 characters>`: what stands behind `/a/` in a link. */
export function answerToken(keys: AnswerKeys, deliveryId: number): string {
  const key = currentKey(keys);
  return `${deliveryId.toString(36)}.${tokenHash(key, deliveryId)}`;
}

/** The delivery a token was made for; null for a token that was not made by one of the keys. */
export function openToken(keys: AnswerKeys, token: string): number | null {
  const match = /^([0-9a-z]{1,11})\.([A-Za-z0-9_-]{16})$/.exec(token);
  if (!match?.[1] || !match[2]) return null;
  const deliveryId = Number.parseInt(match[1], 36);
  // One delivery has one spelling: `0a` is not `a`.
  if (deliveryId.toString(36) !== match[1]) return null;
  const given = Buffer.from(match[2]);
  const known = keys.some((key) => timingSafeEqual(Buffer.from(tokenHash(key, deliveryId)), given));
  return known ? deliveryId : null;
}

/**
 * The four-digit number that stands in each message of one warning to one recipient. It is asked for by the answer page,
 * because mail scanners press buttons, and it tells warnings apart in a reply by SMS.
 */
export function answerNumber(keys: AnswerKeys, warningId: number, recipient: string): string {
  const hash = createHmac('sha256', currentKey(keys).secret)
    .update(`number:${warningId}:${recipient}`)
    .digest();
  return String(hash.readUInt32BE(0) % 10_000).padStart(4, '0');
}

/** Whether `given` is the number of the message; that of an older key still is, because its messages still lie in inboxes. */
export function isAnswerNumber(
  keys: AnswerKeys,
  warningId: number,
  recipient: string,
  given: string,
): boolean {
  return keys.some((key) => answerNumber([key], warningId, recipient) === given);
}

/** The name under which a recipient's number is made: people and households have ids of their own. */
export function recipientName(audience: 'people' | 'households', recipientId: number): string {
  return `${audience}:${recipientId}`;
}

function tokenHash(key: AnswerKeys[number], deliveryId: number): string {
  const hash = createHmac('sha256', key.secret).update(`link:${key.id}:${deliveryId}`).digest('base64url');
  return hash.slice(0, TOKEN_CHARACTERS);
}

function currentKey(keys: AnswerKeys): AnswerKeys[number] {
  const [key] = keys;
  if (!key) throw new RangeError('no answer key');
  return key;
}
