import { describe, expect, test } from 'vitest';
import { RECEIPT_STATES } from '../domain/receipts.ts';
import { resultOf, type ResultClass } from '../domain/results.ts';
import { callReport, isMachine, messageReport, refusalResult, TWILIO_CODES } from './twilio-results.ts';

/** Every code of ours, and the class it must fall in. */
const CODES: readonly [code: number, reason: ResultClass][] = [
  [20429, 'throttled'],
  [30022, 'throttled'],
  [63018, 'throttled'],
  [10004, 'throttled'],
  [20003, 'config'],
  [30002, 'config'],
  [21606, 'config'],
  [21212, 'config'],
  [63038, 'provider-out'],
  [21211, 'bad-contact'],
  [21217, 'bad-contact'],
  [13224, 'bad-contact'],
  [30005, 'bad-contact'],
  [21610, 'opted-out'],
  [21614, 'landline'],
  [30006, 'landline'],
  [21408, 'other-sender'],
  [21215, 'other-sender'],
  [21612, 'other-sender'],
  [30003, 'handset-off'],
  [30004, 'filtered'],
  [30007, 'filtered'],
  [30008, 'carrier-unknown'],
  [30036, 'validity-passed'],
];

/** Of each class: final, once more, or not at all before something changes. */
const OUTCOMES: Readonly<Record<string, 'failed' | 'later'>> = {
  throttled: 'later',
  config: 'later',
  'provider-out': 'later',
  'bad-contact': 'failed',
  'opted-out': 'failed',
  landline: 'failed',
  'other-sender': 'failed',
  'handset-off': 'later',
  filtered: 'failed',
  'carrier-unknown': 'later',
  'validity-passed': 'later',
};

test('the table has these codes and no others', () => {
  expect([...TWILIO_CODES].sort()).toEqual(CODES.map(([code]) => String(code)).sort());
});

describe.each(CODES)('%s is %s', (code, reason) => {
  test('when it is refused at once', () => {
    expect(refusalResult({ status: 400, code })).toEqual({ outcome: OUTCOMES[reason], reason });
  });

  test('when a callback brings it', () => {
    const failure = (state: string) => ({ state, code: String(code), reason });
    expect(messageReport('undelivered', String(code))).toEqual(failure('undelivered'));
    expect(messageReport('failed', String(code))).toEqual(failure('failed'));
    expect(callReport('failed', String(code), null)).toEqual(failure('failed'));
  });

  test('not where Twilio itself failed: then it may have the message', () => {
    expect(refusalResult({ status: 503, code })).toEqual({ outcome: 'unknown', reason: 'server-error' });
  });
});

describe('by status, where the code says nothing', () => {
  const STATUSES: readonly [status: number, reason: ResultClass][] = [
    [429, 'throttled'],
    [401, 'config'],
    [403, 'config'],
    [400, 'rejected'],
    [404, 'rejected'],
    [500, 'server-error'],
    [502, 'server-error'],
    [503, 'server-error'],
    [302, 'answer-unreadable'],
  ];
  test.each(STATUSES)('%s is %s', (status, reason) => {
    expect(refusalResult({ status, code: null })).toEqual(resultOf(reason));
    expect(refusalResult({ status, code: 99_999 })).toEqual(resultOf(reason));
  });
});

describe('what callbacks report', () => {
  test.each([
    ['accepted', 'accepted'],
    ['scheduled', 'accepted'],
    ['queued', 'queued'],
    ['sending', 'sending'],
    ['sent', 'sent'],
    ['delivered', 'delivered'],
    ['read', 'read'],
  ])('a message is %s', (status, state) => {
    expect(messageReport(status, null)).toEqual({ state, code: null, reason: null });
  });

  test.each(['receiving', 'received', '', 'constructor', 'DELIVERED'])(
    '%j is no state of a message',
    (status) => {
      expect(messageReport(status, null)).toBeNull();
      expect(callReport(status, null, null)).toBeNull();
    },
  );

  test('a failure without a code, or with one that nobody knows, may pass', () => {
    const reason = 'carrier-unknown';
    expect(messageReport('undelivered', null)).toEqual({ state: 'undelivered', code: null, reason });
    expect(messageReport('failed', '12345')).toEqual({ state: 'failed', code: '12345', reason });
    expect(messageReport('canceled', null)).toEqual({
      state: 'failed',
      code: 'recalled',
      reason: 'recalled',
    });
    expect(callReport('canceled', null, null)).toMatchObject({ state: 'failed', reason: 'recalled' });
  });

  test.each([
    ['queued', 'queued'],
    ['initiated', 'queued'],
    ['ringing', 'sending'],
    ['in-progress', 'sent'],
    ['completed', 'delivered'],
  ])('a call is %s', (status, state) => {
    expect(callReport(status, null, null)).toEqual({ state, code: null, reason: null });
    expect(callReport(status, null, 'human')).toEqual({ state, code: null, reason: null });
  });

  test.each(['busy', 'no-answer'])('a call that was %s reached nobody', (status) => {
    expect(callReport(status, null, null)).toEqual({
      state: 'undelivered',
      code: status,
      reason: 'not-answered',
    });
  });

  test('a call that failed without a code reached nobody either', () => {
    expect(callReport('failed', null, null)).toEqual({
      state: 'failed',
      code: 'failed',
      reason: 'not-answered',
    });
  });

  test.each(['machine_start', 'machine_end_beep', 'machine_end_silence', 'machine_end_other', 'fax'])(
    'a call that a %s took reached nobody',
    (answeredBy) => {
      expect(isMachine(answeredBy)).toBe(true);
      expect(callReport('completed', null, answeredBy)).toEqual({
        state: 'undelivered',
        code: answeredBy,
        reason: 'not-answered',
      });
    },
  );

  test('who is not known to be a machine is a person', () => {
    expect([null, 'human', 'unknown'].map(isMachine)).toEqual([false, false, false]);
  });

  test('every state has its place among the receipts', () => {
    const statuses = ['accepted', 'queued', 'sending', 'sent', 'delivered', 'undelivered', 'failed', 'read'];
    expect(statuses.map((status) => messageReport(status, null)?.state)).toEqual([...RECEIPT_STATES]);
  });
});
