/**
 * The answer page: GET shows, POST acts, and POST asks for the four-digit number of the message, because mail scanners
 * follow links and press buttons. Every dead link looks alike, whether it was forged or has expired. Thanks come after the
 * commit. What each state looks like is in answer-view.ts.
 */
import { Hono, type Context } from 'hono';
import { isUnreachable, type Database } from '../db/database.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { Language } from '../domain/texts.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { answersByLink, openAnswerLink, type AnswerLink, type LinkAnswer } from '../operations/answers.ts';
import { closedPage, deadPage, formPage, notNowPage, recordedPage, type Typed } from './answer-view.ts';
import { sayOnPage, type AnswerWord } from './answer-words.ts';
import { limitBody } from './body.ts';

type Env = { Variables: { typed: Typed } };
type Exchange = Context<Env>;

const ANSWERS: Readonly<Record<string, AnswerKind>> = {
  received: 'received',
  done: 'done',
  cannot: 'cannot act',
};

/** The form has three short fields: what is larger does not come from it. */
const FORM_BYTES_MAX = 4_096;
const DONE_COUNT_MAX = 1_000_000;
/** What is shown again after an error; a count has no more characters than its field takes. */
const TYPED_CHARACTERS_MAX = 7;
const RETRY_AFTER_SECONDS = 5;

export function answerPageRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  log: (line: string) => void;
}): Hono<Env> {
  const { database, keys, log } = input;
  const takeAnswer = answersByLink(database, keys);
  const routes = new Hono<Env>();
  routes.get('/a/:token', async (context) => {
    const link = await openAnswerLink(database, keys, context.req.param('token'));
    if (!link) return context.html(deadPage(), 404);
    const language = languageOf(context, link);
    return link.closed
      ? context.html(closedPage(link, language), 403)
      : context.html(formPage(link, language, null));
  });
  const limit = limitBody(FORM_BYTES_MAX, (context) => {
    // The rest is not read: the connection ends with the answer.
    context.header('connection', 'close');
    return context.html(deadPage(), 413);
  });
  routes.post('/a/:token', limit, async (context) => {
    const token = context.req.param('token');
    const fields = new URLSearchParams(await context.req.text());
    const typed = {
      answer: fields.get('answer') ?? '',
      count: (fields.get('count') ?? '').trim().slice(0, TYPED_CHARACTERS_MAX),
    };
    context.set('typed', typed);
    const form = readForm(typed);
    if ('fault' in form) {
      const link = await openAnswerLink(database, keys, token);
      return link && !link.closed
        ? refused(context, link, typed, form.fault, 400)
        : notTaken(context, link ? { kind: 'closed', link } : { kind: 'no such link' }, typed);
    }
    const outcome = await takeAnswer({ token, number: fields.get('number') ?? '', ...form });
    if (outcome.kind !== 'recorded') return notTaken(context, outcome, typed);
    const { link, late } = outcome;
    const { answer, doneCount: count } = form;
    return context.html(recordedPage(link, languageOf(context, link), { answer, count, late }));
  });
  routes.all('/a/:token', (context) => {
    context.header('allow', 'GET, HEAD, POST');
    return context.html(deadPage(), 405);
  });
  routes.onError((error, context) => {
    const away = isUnreachable(error);
    if (!away) log(`web: ${error.name} ${codeOf(error)} at ${context.req.method} of an answer page`);
    context.header('retry-after', String(RETRY_AFTER_SECONDS));
    return context.html(notNowPage(context.get('typed') ?? null), away ? 503 : 500);
  });
  return routes;
}

type Form = { answer: AnswerKind; doneCount: number | null };

/** What the form says, or what is missing in it. */
function readForm(typed: Typed): Form | { fault: AnswerWord } {
  const answer = Object.hasOwn(ANSWERS, typed.answer) ? ANSWERS[typed.answer] : undefined;
  if (answer === undefined) return { fault: 'chooseOne' };
  const digits = typed.count.normalize('NFKC').replace(/人$/, '').trim();
  if (digits === '') return { answer, doneCount: null };
  if (answer !== 'done') return { fault: 'countNeedsDone' };
  const count = /^[0-9]+$/.test(digits) ? Number(digits) : Number.NaN;
  return count <= DONE_COUNT_MAX ? { answer, doneCount: count } : { fault: 'countWrong' };
}

function notTaken(context: Exchange, outcome: Exclude<LinkAnswer, { kind: 'recorded' }>, typed: Typed) {
  switch (outcome.kind) {
    case 'no such link':
      return context.html(deadPage(), 404);
    case 'closed':
      return context.html(closedPage(outcome.link, languageOf(context, outcome.link)), 403);
    case 'no number':
      return refused(context, outcome.link, typed, 'noNumber', 400);
    case 'wrong number':
      return refused(context, outcome.link, typed, 'wrongNumber', 403, outcome.triesLeft);
    default:
      return outcome satisfies never;
  }
}

function refused(
  context: Exchange,
  link: AnswerLink,
  typed: Typed,
  word: AnswerWord,
  status: 400 | 403,
  count = 0,
) {
  const language = languageOf(context, link);
  return context.html(
    formPage(link, language, { note: sayOnPage(language, word, { count }), typed }),
    status,
  );
}

/** The language asked for, else the recipient's own. */
function languageOf(context: Exchange, link: { language: Language }): Language {
  const asked = context.req.query('lang');
  return asked === 'zh' || asked === 'en' ? asked : link.language;
}

/** SQLSTATE or Node's code: never the message, which may hold what was typed. */
export function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
