import { describe, expect, test } from 'vitest';
import { badAddress, emailFault, parseFaultPlan, smsFault, twilioFault, type FaultPlan } from './faults.ts';

const references = Array.from({ length: 10_000 }, (_, index) => `${index}.1`);

test('each fault hits its share, and never two at once', () => {
  const plan: FaultPlan = { sms: { answerLostShare: 0.2, throttledShare: 0.1, hangShare: 0.05 } };
  const hits = new Map<string | null, number>();
  for (const reference of references) {
    const fault = smsFault(plan, 'seed', reference);
    hits.set(fault, (hits.get(fault) ?? 0) + 1);
  }
  expect(hits.get('answer lost')).toBeGreaterThan(1_850);
  expect(hits.get('answer lost')).toBeLessThan(2_150);
  expect(hits.get('throttled')).toBeGreaterThan(880);
  expect(hits.get('throttled')).toBeLessThan(1_120);
  expect(hits.get('hang')).toBeGreaterThan(410);
  expect(hits.get(null)).toBeGreaterThan(6_300);
});

test('faults of mail come from one draw', () => {
  const plan: FaultPlan = {
    email: {
      answerLostShare: 0.25,
      tarpit: { share: 0.25, delayMs: 5 },
      replies: [
        { share: 0.25, code: 450, text: 'later' },
        { share: 0.25, code: 554, text: 'no' },
      ],
    },
  };
  const kinds = new Set(references.map((reference) => JSON.stringify(emailFault(plan, 'seed', reference))));
  expect([...kinds].sort()).toEqual([
    '{"kind":"answer lost"}',
    '{"kind":"reply","code":450,"text":"later"}',
    '{"kind":"reply","code":554,"text":"no"}',
    '{"kind":"tarpit","delayMs":5}',
  ]);
});

test('faults of Twilio come from one draw, each code by its share', () => {
  const plan: FaultPlan = {
    twilio: {
      throttledShare: 0.25,
      refused: [
        { share: 0.25, code: 21211 },
        { share: 0.25, code: 21610 },
      ],
      undelivered: [{ share: 0.25, code: 30003 }],
    },
  };
  const kinds = new Set(references.map((reference) => JSON.stringify(twilioFault(plan, 'seed', reference))));
  expect([...kinds].sort()).toEqual([
    '{"kind":"refused","code":21211}',
    '{"kind":"refused","code":21610}',
    '{"kind":"throttled"}',
    '{"kind":"undelivered","code":30003}',
  ]);
});

test('the same seed and attempt meet the same fault; another attempt has its own draw', () => {
  const plan: FaultPlan = { sms: { throttledShare: 0.5 } };
  const faultsOf = (seed: string, attempt: number) =>
    references.slice(0, 100).map((reference) => smsFault(plan, seed, reference.replace('.1', `.${attempt}`)));
  expect(faultsOf('seed', 1)).toEqual(faultsOf('seed', 1));
  expect(faultsOf('seed', 1)).not.toEqual(faultsOf('seed', 2));
  expect(faultsOf('seed', 1)).not.toEqual(faultsOf('other', 1));
});

test('an address is bad for good, in its share', () => {
  const plan: FaultPlan = { sms: { badNumberShare: 0.1 } };
  const bad = references.filter((reference) => badAddress(plan, 'seed', 'sms', reference));
  expect(bad.length).toBeGreaterThan(880);
  expect(bad.length).toBeLessThan(1_120);
  expect(bad.every((reference) => badAddress(plan, 'seed', 'sms', reference))).toBe(true);
  expect(references.some((reference) => badAddress(plan, 'seed', 'email', reference))).toBe(false);
});

test('without a plan nothing goes wrong', () => {
  expect(
    references.some((reference) => emailFault({}, 'seed', reference) ?? smsFault({}, 'seed', reference)),
  ).toBe(false);
});

describe('a plan from outside', () => {
  const GOOD: readonly unknown[] = [
    {},
    { email: {} },
    { email: { answerLostShare: 0.2, badAddressShare: 1, tarpit: { share: 0.1, delayMs: 100 } } },
    {
      email: { replies: [{ share: 0.1, code: 450, text: 'later' }] },
      sms: { hangShare: 0, badNumberShare: 0.5 },
    },
    {
      twilio: {
        refused: [{ share: 0.1, code: 21610 }],
        undelivered: [],
        callbacksMissingShare: 0.5,
        callbacks: { copies: 5, lateMs: 100, shuffled: true },
      },
    },
  ];
  test.each(GOOD.map((plan) => [plan]))('%j is taken', (plan) => {
    expect(parseFaultPlan(plan)).toEqual(plan);
  });

  const BAD: readonly [plan: unknown, sentence: RegExp][] = [
    [null, /object/],
    ['x', /object/],
    [[], /object/],
    [{ fax: {} }, /no channel fax/],
    [{ sms: 1 }, /sms/],
    [{ sms: { answerLost: 1 } }, /no fault sms.answerLost/],
    [{ sms: { answerLostShare: 2 } }, /0 to 1/],
    [{ sms: { answerLostShare: '0.2' } }, /0 to 1/],
    [{ sms: { tarpit: { share: 0.1, delayMs: 1 } } }, /no fault/],
    [{ email: { tarpit: { share: 0.1 } } }, /tarpit/],
    [{ email: { replies: [{ share: 0.1, code: 250, text: 'ok' }] } }, /replies/],
    [{ email: { replies: {} } }, /replies/],
    [{ twilio: { refused: [{ share: 0.1 }] } }, /refused/],
    [{ twilio: { undelivered: 21610 } }, /undelivered/],
    [{ twilio: { callbacks: { copies: 0 } } }, /callbacks/],
    [{ twilio: { callbacks: { late: 5 } } }, /callbacks/],
    [{ twilio: { pace: { perSecond: 1, latencyMs: 1 } } }, /no fault twilio.pace/],
  ];
  test.each(BAD)('%j is refused with a sentence', (plan, sentence) => {
    expect(parseFaultPlan(plan)).toMatch(sentence);
  });
});
