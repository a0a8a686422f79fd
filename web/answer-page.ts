/**
 * The answer page: GET shows, POST acts, and POST asks for the four-digit number of the message, because mail scanners
 * follow links and press buttons. Every dead link looks alike, whether it was forged or has expired. Thanks come after the
 * commit. What each state looks like is in answer-view.ts and beside it; what the forms say, in answer-forms.ts.
 */
import { Hono, type Context } from 'hono';
import { isUnreachable, type Database } from '../db/database.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { Language } from '../domain/texts.ts';
import {
  answersByLink,
  openAnswerLink,
  type AnswerLink,
  type RefusedLink,
} from '../operations/answer-links.ts';
import { answerForBelow, countDeeperSeldom, listBelow } from '../operations/below.ts';
import { answerDoors, openDoors } from '../operations/doors.ts';
import { answerOthers, listOtherWarnings } from '../operations/other-warnings.ts';
import { addressLimit, clientAddress } from './addresses.ts';
import { belowPage } from './answer-below-view.ts';
import { doorsPage } from './answer-doors-view.ts';
import { idOf, readForm, typedIn, type AnswerForm, type OwnForm, type Typed } from './answer-forms.ts';
import { closedPage, deadPage, formPage, notNowPage, recordedPage, type Wrong } from './answer-view.ts';
import { sayOnPage, type AnswerWord } from './answer-words.ts';
import { limitBody } from './body.ts';

type Env = { Variables: { typed: Typed; wrongNumber: () => void } };
type Exchange = Context<Env>;

/** What a form of sixty households holds when all of them are ticked; what is larger does not come from it. */
const FORM_BYTES_MAX = 4_096;
const RETRY_AFTER_SECONDS = 5;
const BUSY_AFTER_SECONDS = 60;

export function answerPageRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  log: (line: string) => void;
  /** Proxies of our own in front; @default 0 */
  proxies?: number;
}): Hono<Env> {
  const { database, keys, log, proxies = 0 } = input;
  const pages = answerPages(database, keys);
  const wrongNumbers = addressLimit();
  const routes = new Hono<Env>();
  routes.get('/a/:token', async (context) => {
    const link = await openAnswerLink(database, keys, context.req.param('token'));
    if (!link) return context.html(deadPage(), 404);
    if (link.closed) return context.html(closedPage(link, languageOf(context, link)), 403);
    return context.html(await pages.open(context, link, null));
  });
  const limit = limitBody(FORM_BYTES_MAX, (context) => {
    // The rest is not read: the connection ends with the answer.
    context.header('connection', 'close');
    return context.html(deadPage(), 413);
  });
  routes.post('/a/:token', limit, async (context) => {
    const fields = new URLSearchParams(await context.req.text());
    const typed = typedIn(fields);
    context.set('typed', typed);
    const address = clientAddress(context, proxies);
    context.set('wrongNumber', () => wrongNumbers.count(address));
    if (wrongNumbers.isOver(address)) {
      context.header('retry-after', String(BUSY_AFTER_SECONDS));
      return context.html(notNowPage(typed), 429);
    }
    const given = { token: context.req.param('token'), number: fields.get('number') ?? '' };
    const form = readForm(typed);
    if (!('fault' in form)) return pages.take(context, given, form);
    const link = await openAnswerLink(database, keys, given.token);
    if (!link) return pages.refuse(context, { kind: 'no such link' });
    if (link.closed) return pages.refuse(context, { kind: 'closed', link });
    return pages.wrong(context, link, form.fault, 400);
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

type Given = { token: string; number: string };

/** The states of the page, with what is read for each. */
function answerPages(database: Database, keys: AnswerKeys) {
  const takeAnswer = answersByLink(database, keys);
  const countDeeper = countDeeperSeldom(database);

  /** The page of a link: of a warning, or of a door-to-door task. What the many do not have is not read. */
  async function open(context: Exchange, link: AnswerLink, wrong: Wrong | null): Promise<string> {
    const language = languageOf(context, link);
    if (link.purpose === 'door to door') {
      const from = idOf(wrong?.typed.get('from') ?? context.req.query('from')) ?? 0;
      const doors = await openDoors(database, link.deliveryId, from);
      if (doors)
        return doorsPage(link, language, doors, wrong ? { wrong: wrong.note, typed: wrong.typed } : null);
    }
    const official = { warningId: link.warningId, personId: link.recipientId };
    const below = link.hasBelow ? await listBelow(database, official, countDeeper) : null;
    const others = link.hasOthers ? await listOtherWarnings(database, official) : [];
    return formPage(link, language, { below, others }, wrong);
  }

  async function take(context: Exchange, given: Given, form: AnswerForm): Promise<Response> {
    switch (form.act) {
      case 'answer':
        return takeOwn(context, given, form);
      case 'below':
        return takeBelow(context, given, form);
      case 'doors':
        return takeDoors(context, given, form);
      default:
        return form satisfies never;
    }
  }

  /** One's own answer last: it is thanked for when all is stored, and may be sent again. */
  async function takeOwn(context: Exchange, given: Given, form: OwnForm): Promise<Response> {
    const others = form.others.length > 0 ? await answerOthers(database, keys, { ...given, ...form }) : null;
    if (others && others.kind !== 'admitted') return refuse(context, others);
    const outcome = await takeAnswer({ ...given, ...form });
    if (outcome.kind !== 'recorded') return refuse(context, outcome);
    // What was recorded is thanked for, whether or not the list can be read.
    const asked = form.below
      ? await answerForBelow(database, keys, { ...given, vouched: [], how: 'telephone' }, countDeeper).catch(
          () => null,
        )
      : null;
    const { link, late } = outcome;
    return context.html(
      recordedPage(
        link,
        languageOf(context, link),
        { answer: form.answer, count: form.doneCount, late },
        {
          below: asked?.kind === 'admitted' ? asked.value.below : null,
          others: others?.value ?? [],
        },
      ),
    );
  }

  async function takeBelow(
    context: Exchange,
    given: Given,
    form: Extract<AnswerForm, { act: 'below' }>,
  ): Promise<Response> {
    const outcome = await answerForBelow(database, keys, { ...given, ...form }, countDeeper);
    if (outcome.kind !== 'admitted') return refuse(context, outcome);
    const link = await openAnswerLink(database, keys, given.token);
    if (!link) return refuse(context, { kind: 'no such link' });
    return context.html(belowPage(link, languageOf(context, link), outcome.value));
  }

  async function takeDoors(
    context: Exchange,
    given: Given,
    form: Extract<AnswerForm, { act: 'doors' }>,
  ): Promise<Response> {
    const outcome = await answerDoors(database, keys, { ...given, ...form });
    if (outcome.kind !== 'admitted') return refuse(context, outcome);
    const link = await openAnswerLink(database, keys, given.token);
    if (!link || !outcome.value) return refuse(context, { kind: 'no such link' });
    const { doors, ...recorded } = outcome.value;
    return context.html(doorsPage(link, languageOf(context, link), doors, { recorded }));
  }

  async function refuse(context: Exchange, refused: RefusedLink): Promise<Response> {
    switch (refused.kind) {
      case 'no such link':
        return context.html(deadPage(), 404);
      case 'closed':
        return context.html(closedPage(refused.link, languageOf(context, refused.link)), 403);
      case 'no number':
        return wrong(context, refused.link, 'noNumber', 400);
      case 'wrong number':
        context.get('wrongNumber')();
        return wrong(context, refused.link, 'wrongNumber', 403, refused.triesLeft);
      default:
        return refused satisfies never;
    }
  }

  async function wrong(
    context: Exchange,
    link: AnswerLink,
    word: AnswerWord,
    status: 400 | 403,
    count = 0,
  ): Promise<Response> {
    const note = sayOnPage(languageOf(context, link), word, { count });
    return context.html(await open(context, link, { note, typed: context.get('typed') }), status);
  }

  return { open, take, refuse, wrong };
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
