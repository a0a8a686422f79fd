/** Webhooks as Twilio sends them, and all the ways to send them that Twilio would not. */
import twilio from 'twilio';
import type { Database } from '../../db/database.ts';
import { DELIVERY_ID_STRIDE } from '../../db/pages.ts';
import { openToken } from '../../domain/links.ts';
import { TWILIO, type AnswerSite } from '../../web/testing.ts';
import { TEST_KEYS } from './local-cascade.ts';

export type Fields = Readonly<Record<string, string>>;
export type Hook = { path: string; fields: Fields };

/** A hook with its signature, as it travels. */
export type SignedHook = { path: string; body: string; signature: string | null };

const COMMON = { AccountSid: TWILIO.accountSid, ApiVersion: '2010-04-01' };
export const FROM = '+15005550006';

export const sid = (prefix: 'SM' | 'CA', number: number) => `${prefix}${String(number).padStart(32, '0')}`;

export function statusHook(reference: string, status: string, change: Fields = {}): Hook {
  const fields = {
    ...COMMON,
    MessageSid: sid('SM', 1),
    MessageStatus: status,
    To: '+12025550101',
    From: FROM,
  };
  return { path: `/twilio/status/${reference}`, fields: { ...fields, ...change } };
}

export function replyHook(number: number, from: string, body: string): Hook {
  const fields = {
    ...COMMON,
    MessageSid: sid('SM', number),
    From: from,
    To: FROM,
    Body: body,
    NumMedia: '0',
  };
  return { path: '/twilio/inbound', fields };
}

export function callHook(reference: string, number: number, change: Fields = {}): Hook {
  const fields = {
    ...COMMON,
    CallSid: sid('CA', number),
    CallStatus: 'in-progress',
    Direction: 'outbound-api',
  };
  return {
    path: `/twilio/voice/${reference}`,
    fields: { ...fields, To: '+12025550101', From: FROM, ...change },
  };
}

export function keyHook(reference: string, number: number, key: string, step = 1): Hook {
  const { path, fields } = callHook(reference, number);
  return { path: `${path}/key?step=${step}`, fields: { ...fields, Digits: key } };
}

/** Signed for the URL that Twilio knows, by default with the account's token. */
export function sign(
  publicUrl: string,
  { path, fields }: Hook,
  authToken: string = TWILIO.authToken,
): SignedHook {
  const signature = twilio.getExpectedTwilioSignature(authToken, `${publicUrl}${path}`, fields);
  return { path, body: new URLSearchParams(fields).toString(), signature };
}

export async function post(url: string, { path, body, signature }: SignedHook): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(signature === null ? {} : { 'x-twilio-signature': signature }),
    },
  });
}

/** The first delivery to a unit's principal, as our reference. */
export async function referenceOf(site: AnswerSite, warningId: number, unit: string): Promise<string> {
  const { token } = await site.means(warningId, site.tree.person(unit));
  return `${openToken(TEST_KEYS, token)}.1`;
}

/** Deliveries to one person that nobody has sent yet; gives their ids. */
export async function planDeliveries(site: AnswerSite, warningId: number, size: number): Promise<number[]> {
  const [page] = await site.database.query<{ id: number }>(
    `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
     select c.id, $1, 1, 'rung', 0, 'sms', 'people', $2::int, array_fill($3::bigint, array[$2::int]), array_fill($4::int, array[$2::int])
     from cells c join units u on u.cell_unit_id = c.unit_id where c.warning_id = $1 and u.id = $4 returning id`,
    [warningId, size, site.tree.person('村一'), site.tree.unit('村一')],
  );
  return Array.from({ length: size }, (_, place) => (page?.id ?? 0) * DELIVERY_ID_STRIDE + place);
}

/** What webhooks have stored so far. */
export async function stored(
  database: Database,
): Promise<{ receipts: number; answers: number; replies: number }> {
  const [row] = await database.query<{ receipts: number; answers: number; replies: number }>(
    `select (select count(*) from receipts)::int as receipts, (select count(*) from answers)::int as answers,
       (select count(*) from replies)::int as replies`,
  );
  return row ?? { receipts: 0, answers: 0, replies: 0 };
}

/** `count` different hooks of all three kinds; each of them stores exactly one thing. */
export async function validHooks(site: AnswerSite, warningId: number, count: number): Promise<Hook[]> {
  const deliveries = await planDeliveries(site, warningId, 1_000);
  const reference = await referenceOf(site, warningId, '村一');
  const { number } = await site.means(warningId, site.tree.person('村一'));
  const [phone] = await site.database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [site.tree.person('村一')],
  );
  const states = ['queued', 'sent', 'delivered'];
  return Array.from({ length: count }, (_, index): Hook => {
    const turn = Math.floor(index / 3);
    if (index % 3 === 0) return replyHook(index, phone?.address ?? '', `1 ${number}`);
    if (index % 3 === 1) return keyHook(reference, index, turn % 2 === 0 ? '1' : '3');
    const attempt = 1 + Math.floor(turn / (states.length * deliveries.length));
    const delivery = deliveries[Math.floor(turn / states.length) % deliveries.length];
    return statusHook(`${delivery}.${attempt}`, states[turn % states.length] ?? '');
  });
}

/** Forged without the token, or altered under a signature of Twilio's: each must be refused. */
export function forgeries(publicUrl: string, hook: Hook): SignedHook[] {
  const good = sign(publicUrl, hook);
  const { path, fields } = hook;
  const altered = (change: Fields, from: Fields = fields) => ({
    ...good,
    body: new URLSearchParams({ ...from, ...change }).toString(),
  });
  return [
    { ...good, signature: null },
    { ...good, signature: '' },
    { ...good, signature: good.signature?.slice(0, -2) ?? '' },
    { ...good, signature: `${good.signature}=` },
    sign(publicUrl, hook, 'another token'),
    sign(publicUrl, hook, ''),
    // For another host, port or scheme: ours is the configured one, whatever the request says.
    sign('http://localhost:1', hook),
    sign(publicUrl.replace('http:', 'https:'), hook),
    {
      ...good,
      path: path.replace(/\d+\.\d+|inbound/, (place) => (place === 'inbound' ? 'status/1024.1' : '1024.1')),
    },
    { ...good, path: `${path}${path.includes('?') ? '&' : '?'}more=1` },
    altered({ From: '+12025550199' }),
    altered({ MessageStatus: 'undelivered', ErrorCode: '30005' }),
    altered({ Digits: '3', Body: '3' }, { ...fields, More: '1' }),
    altered({ CallSid: sid('CA', 999_999_999), MessageSid: sid('SM', 999_999_999) }),
    // Of another account of the same provider, whose token is not ours.
    sign(publicUrl, { path, fields: { ...fields, AccountSid: `AC${'1'.repeat(32)}` } }, 'their token'),
  ].filter(
    ({ path: target, body, signature }) =>
      JSON.stringify({ path: target, body, signature }) !== JSON.stringify(good),
  );
}

/**
 * The same signed bytes cut into other fields, or a field twice: Twilio's signature holds for these. They may be answered, but must
 * store nothing that was stored already.
 */
export function recuts(publicUrl: string, hook: Hook): SignedHook[] {
  const good = sign(publicUrl, hook);
  const names = Object.keys(hook.fields).sort();
  const moved = names.flatMap((name, place) => {
    const next = names[place + 1];
    if (next === undefined) return [];
    const { [name]: value = '', [next]: nextValue = '', ...others } = hook.fields;
    // This field swallows the next one; its first character becomes part of its name.
    return [
      { ...others, [name]: `${value}${next}${nextValue}` },
      { ...others, [next]: nextValue, [`${name}${value.slice(0, 1)}`]: value.slice(1) },
    ];
  });
  const again = names.map((name) => {
    const body = new URLSearchParams(hook.fields);
    body.append(name, hook.fields[name] ?? '');
    return { ...good, body: body.toString() };
  });
  return [...moved.map((fields) => ({ ...good, body: new URLSearchParams(fields).toString() })), ...again];
}

/** Does something with each, some at once; the results in no order. */
export async function forEach<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.values();
  const lane = async () => {
    for (const item of queue) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return results;
}

/** Sends everything false, then each hook once, then everything again; tells what was stored when, and what was answered. */
export async function bombard(site: AnswerSite, hooks: readonly Hook[]) {
  const { url, database } = site;
  const send = async (hook: SignedHook) => (await post(url, hook)).status;
  const before = await stored(database);
  const since = async () => {
    const now = await stored(database);
    const { receipts, answers, replies } = before;
    return {
      receipts: now.receipts - receipts,
      answers: now.answers - answers,
      replies: now.replies - replies,
    };
  };
  const some = (hook: Hook, place: number, of: SignedHook[]) =>
    of[place % of.length] ?? sign(url, hook, 'another token');
  const forgedStatuses = await forEach(
    hooks.map((hook, place) => some(hook, place, forgeries(url, hook))),
    send,
  );
  const afterForged = await since();
  const validStatuses = await forEach(
    hooks.map((hook) => sign(url, hook)),
    send,
  );
  const afterValid = await since();
  const replayed = hooks.flatMap((hook, place) => [
    sign(url, hook),
    some(hook, Math.floor(place / 3), recuts(url, hook)),
    some(hook, place + 1, forgeries(url, hook)),
  ]);
  await forEach(replayed, send);
  return {
    forgedStatuses,
    afterForged,
    validStatuses,
    afterValid,
    afterReplayed: await since(),
    sent: hooks.length * 5,
  };
}
