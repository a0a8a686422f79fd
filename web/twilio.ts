/**
 * What Twilio sends to us: states of messages and calls, replies, and calls that want to know what to say. Each request is signed
 * over our public URL and its fields; a missing or wrong signature ends before the database is touched. Signatures carry no time, so
 * whatever is stored is stored once: a state by attempt, a reply by its id, a key by call and step.
 */
import { Hono, type Context } from 'hono';
import twilio from 'twilio';
import type { Database } from '../db/database.ts';
import { senderName, type SenderSide, type WarningKind } from '../domain/kinds.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { parseReference, type Receipt } from '../domain/receipts.ts';
import { answersByReplies } from '../operations/answers.ts';
import type { InboundList } from '../operations/inbound-catch-up.ts';
import { callText } from '../operations/call-text.ts';
import { answerByKey } from '../operations/key-answers.ts';
import { testCall } from '../operations/people-test.ts';
import { takeReceipts } from '../operations/receipts.ts';
import { limitBody } from './body.ts';
import { askingTwiml, closingTwiml, nothingTwiml, sayingTwiml } from './call-words.ts';

const BODY_BYTES_MAX = 65_536;

/** Somebody who has been asked so often has put the phone down somewhere. */
const QUESTIONS_MAX = 6;

/** Twilio repeats a question's answer only where it is asked to; see channels/twilio-account.ts. */
const RETRIES = '#rc=4&rp=ct,rt,5xx';

/** SHA-1 in base64 has one spelling. */
const SIGNATURE = /^[A-Za-z0-9+/]{27}=$/;

/**
 * Fields are signed one behind the other without anything between them, so a signed request can be cut into other fields. What is
 * used of a request therefore has exactly its form, and nothing else counts.
 */
const FORMS = {
  AccountSid: /^AC[0-9a-f]{32}$/,
  MessageSid: /^(SM|MM)[0-9a-f]{32}$/,
  CallSid: /^CA[0-9a-f]{32}$/,
  From: /^\+[1-9][0-9]{5,14}$/,
  ErrorCode: /^[0-9]{1,6}$/,
  Digits: /^[0-9*#]$/,
} as const;

type ReportedState = Pick<Receipt, 'state' | 'code' | 'reason'>;

/** What only Twilio's own files know. */
export type TwilioDoor = {
  accountSid: string;
  authToken: string;
  messageReport(status: string, code: string | null): ReportedState | null;
  callReport(status: string, code: string | null, answeredBy: string | null): ReportedState | null;
  isMachine(answeredBy: string | null): boolean;
  inbound: InboundList;
};

type Fields = Readonly<Record<string, string | readonly string[]>>;

/** A request that Twilio signed. `field` gives a value that stands there once and in its form; null for anything else. */
type Signed = { field(name: keyof typeof FORMS): string | null; text(name: string): string };

export type TwilioInput = {
  database: Database;
  keys: AnswerKeys;
  log: (line: string) => void;
  /** Where Twilio reaches us; what a request says of its host is never asked. */
  publicUrl: string;
  /** Who says so, in a call that is a test. */
  issuer: string;
  /** What this account carries: nothing of the other kind is said or counted here. */
  serves: WarningKind;
  /** Whose account it is. @default serves */
  side?: SenderSide;
  door: TwilioDoor;
};

export function twilioRoutes(input: TwilioInput): Hono {
  const { database, keys, serves, side = serves, door } = input;
  const publicUrl = input.publicUrl.replace(/\/$/, '');
  const routes = new Hono();
  const limit = limitBody(BODY_BYTES_MAX, (context) => context.text('too long', 413));

  function signed(path: string, take: (request: Signed, context: Context) => Promise<Response>): void {
    routes.post(path, limit, async (context) => {
      const request = openSigned({ door, publicUrl, context, body: await context.req.text() });
      return request ? take(request, context) : context.text('not accepted', 403);
    });
  }

  signed('/twilio/status/:reference', async (request, context) => {
    const receipt = receiptOf(door, context.req.param('reference') ?? '', request);
    if (receipt)
      await takeReceipts(database, [{ ...receipt, sender: senderName(side, receipt.sender) }], serves);
    return context.body(null, 204);
  });

  const take = answersByReplies(database, keys, { via: 'twilio', serves });
  signed('/twilio/inbound', async (request, context) => {
    const id = request.field('MessageSid');
    const from = request.field('From');
    const response = new twilio.twiml.MessagingResponse();
    if (id !== null && from !== null) {
      const [outcome] = await take([{ id, from, text: request.text('Body') }]);
      if (outcome && outcome.sayBack !== null && maySay(serves, outcome.kind))
        response.message(outcome.sayBack);
    }
    return twiml(context, response.toString());
  });

  signed('/twilio/voice/:reference', async (request, context) => {
    const name = context.req.param('reference') ?? '';
    const test = await testCall(database, name, input.issuer);
    if (test) return twiml(context, sayingTwiml(test));
    const reference = parseReference(name);
    const call = reference && (await callText(database, reference.deliveryId));
    if (!call || !maySay(serves, call.kind)) return twiml(context, nothingTwiml());
    if (call.state !== 'open') return twiml(context, closingTwiml(call, call.state));
    if (door.isMachine(request.text('AnsweredBy') || null))
      return twiml(context, closingTwiml(call, 'machine', true));
    return twiml(context, askingTwiml(call, keyUrl(context, 1)));
  });

  signed('/twilio/voice/:reference/key', async (request, context) => {
    const reference = parseReference(context.req.param('reference') ?? '');
    const step = Number(/^[1-9]$/.exec(context.req.query('step') ?? '')?.[0]);
    const callId = request.field('CallSid');
    const call = reference && (await callText(database, reference.deliveryId));
    if (!call || !callId || Number.isNaN(step) || !maySay(serves, call.kind))
      return twiml(context, nothingTwiml());
    const { deliveryId } = reference;
    const key = request.field('Digits') ?? '';
    const verdict = await answerByKey(database, { deliveryId, callId, step, key, via: 'twilio', serves });
    switch (verdict) {
      case 'recorded':
      case 'repeated':
        return twiml(context, closingTwiml(call, key === '3' ? 'cannot' : 'received'));
      case 'too late':
        return twiml(context, closingTwiml(call, 'tooLate'));
      case 'no such delivery':
        return twiml(context, nothingTwiml());
      case 'no answer':
        return twiml(
          context,
          step >= QUESTIONS_MAX ? closingTwiml(call, 'noKey') : askingTwiml(call, keyUrl(context, step + 1)),
        );
      default:
        return verdict satisfies never;
    }
  });

  function keyUrl(context: Context, step: number): string {
    return `${publicUrl}/twilio/voice/${context.req.param('reference') ?? ''}/key?step=${step}${RETRIES}`;
  }
  return routes;
}

/** Null where Twilio did not sign this, for this account and under this URL. */
function openSigned(input: {
  door: TwilioDoor;
  publicUrl: string;
  context: Context;
  body: string;
}): Signed | null {
  const { door, context } = input;
  const signature = context.req.header('x-twilio-signature') ?? '';
  if (!SIGNATURE.test(signature)) return null;
  const { pathname, search } = new URL(context.req.url);
  const fields = fieldsOf(input.body);
  if (!twilio.validateRequest(door.authToken, signature, `${input.publicUrl}${pathname}${search}`, fields))
    return null;
  const text = (name: string) => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    return typeof value === 'string' ? value : '';
  };
  const field = (name: keyof typeof FORMS) => (FORMS[name].test(text(name)) ? text(name) : null);
  return field('AccountSid') === door.accountSid ? { field, text } : null;
}

function fieldsOf(body: string): Fields {
  const form = new URLSearchParams(body);
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const values = form.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? '') : values];
    }),
  );
}

function receiptOf(door: TwilioDoor, reference: string, request: Signed): Receipt | null {
  const place = parseReference(reference);
  const callId = request.field('CallSid');
  const providerId = callId ?? request.field('MessageSid');
  const code = request.field('ErrorCode');
  const report =
    callId === null
      ? door.messageReport(request.text('MessageStatus'), code)
      : door.callReport(request.text('CallStatus'), code, request.text('AnsweredBy') || null);
  if (!place || providerId === null || report === null) return null;
  return { ...place, ...report, providerId, sender: callId === null ? 'twilio-sms' : 'twilio-voice' };
}

/** Live Twilio and its stand-in never say each other's words; what concerns no warning may be said by both. */
function maySay(serves: WarningKind, kind: WarningKind | null): boolean {
  return kind === null || kind === serves;
}

function twiml(context: Context, document: string): Response {
  return context.body(document, 200, { 'content-type': 'text/xml; charset=utf-8' });
}
