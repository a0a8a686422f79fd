/**
 * What people write back: the words and figures of an answer by SMS, and the message's four-digit number beside them.
 * Anything that is not plainly an answer is null, because a false answer stops an escalation.
 */

export type ReplyAnswer = 'received' | 'done' | 'cannot act';

/**
 * `count` is the number of people moved, where one was given with *done*; `code` is the message's number, where one was given.
 * `stop` asks for no further messages, `start` for them again.
 */
export type Reply =
  { answer: ReplyAnswer; count: number | null; code: string | null } | { stop: true } | { start: true };

/** The whole text of an answer, without its number. */
const ANSWERS: ReadonlyMap<string, ReplyAnswer> = new Map([
  ['收到', 'received'],
  ['已收到', 'received'],
  ['确认', 'received'],
  ['1', 'received'],
  ['ok', 'received'],
  ['ack', 'received'],
  ['received', 'received'],
  ['已转移', 'done'],
  ['moved', 'done'],
  ['done', 'done'],
  ['2', 'done'],
  ['无法执行', 'cannot act'],
  ['cannotact', 'cannot act'],
  ['3', 'cannot act'],
]);

const STOPS: ReadonlySet<string> = new Set(['td', 't', 'stop', '退订']);
const STARTS: ReadonlySet<string> = new Set(['ty', 'start', '恢复']);

/** What stands behind a count, by the word before it. */
const COUNTED: ReadonlyMap<string, readonly string[]> = new Map([
  ['已转移', ['人']],
  ['moved', ['people', 'persons']],
]);

const CODE = /^[0-9]{4}$/;

/** No village has a million people to move: a longer group of digits is a telephone number or a slip. */
const COUNT = /^[0-9]{1,6}$/;

/** Longer than any answer in the grammar with all its punctuation; what is longer is a letter, not an answer. */
const CHARACTERS_MOST = 200;

/**
 * Reads a reply; null where it is not in the grammar. Width, case, spaces and punctuation do not matter, but a
 * space between two groups of digits does: `2 12` are two groups.
 */
export function parseReply(text: string): Reply | null {
  const tokens = tokensOf(text);
  // Without a number first: `已转移 1200 人` holds a count. Then the number behind the answer, then before it.
  return (
    answerOf(tokens, null) ??
    answerWithCode(tokens.slice(0, -1), tokens.at(-1)) ??
    answerWithCode(tokens.slice(1), tokens.at(0))
  );
}

/** Groups of digits, and words: whatever stands between two groups, run together. */
function tokensOf(text: string): string[] {
  const plain = text.normalize('NFKC').toLowerCase();
  if (plain.length > CHARACTERS_MOST) return [];
  // Marks are dropped with the punctuation: the keycap 1️⃣ is a 1 with marks.
  const kept = plain.replace(/[^\p{L}\p{N}]+/gu, ' ');
  return (kept.match(/[0-9]+|[^0-9]+/gu) ?? [])
    .map((run) => run.replaceAll(' ', ''))
    .filter((run) => run !== '');
}

function answerWithCode(tokens: readonly string[], code: string | undefined): Reply | null {
  return code !== undefined && CODE.test(code) ? answerOf(tokens, code) : null;
}

function answerOf(tokens: readonly string[], code: string | null): Reply | null {
  const [head, second, third] = tokens;
  if (head === undefined || tokens.length > 3) return null;
  if (second === undefined) {
    if (STOPS.has(head)) return { stop: true };
    if (STARTS.has(head)) return { start: true };
    const answer = ANSWERS.get(head);
    return answer === undefined ? null : { answer, count: null, code };
  }
  if (ANSWERS.get(head) !== 'done' || !COUNT.test(second)) return null;
  const whole =
    third === undefined ? code !== null || !CODE.test(second) : COUNTED.get(head)?.includes(third) === true;
  if (!whole) return null;
  return { answer: 'done', count: Number(second), code };
}
