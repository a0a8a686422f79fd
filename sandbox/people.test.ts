import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render, type MessageContent, type WarningText } from '../domain/texts.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { answerMeans, decide, USUAL_PEOPLE, type PeopleModel, type Stimulus } from './people.ts';

const crowd = Array.from({ length: 10_000 }, (_, index) => `person${index}@village.example`);

const told = (address: string, change: Partial<Stimulus> = {}) =>
  decide('seed', { address, channel: 'sms', step: 'rung 0', speed: 1, ...change }, USUAL_PEOPLE);

const share = (holds: (address: string) => boolean) => crowd.filter(holds).length / crowd.length;

describe('people', () => {
  test('decide alike whenever and in whatever order they are asked', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(crowd.slice(0, 200), { minLength: 200 }), (order) => {
        const decisions = new Map(order.map((address) => [address, told(address)]));
        for (const address of crowd.slice(0, 200)) expect(decisions.get(address)).toEqual(told(address));
      }),
      { numRuns: 5 },
    );
  });

  test('are others with another seed', () => {
    const stimulus: Stimulus = { address: 'a@b.example', channel: 'sms', step: 'rung 0', speed: 1 };
    const delays = ['one', 'two', 'three'].map((seed) => decide(seed, stimulus, USUAL_PEOPLE).delayMs);
    expect(new Set(delays).size).toBe(3);
  });

  test('never answer in their share, by any channel and on any rung', () => {
    const never = (address: string) => told(address).neverAnswers;
    expect(share(never)).toBeCloseTo(USUAL_PEOPLE.neverAnswersShare, 2);
    for (const address of crowd.filter(never)) {
      expect(told(address, { channel: 'email' }).answers).toBe(false);
      expect(told(address, { step: 'rung 2' }).answers).toBe(false);
    }
  });

  test('are woken by each channel in its share', () => {
    expect(share((address) => told(address).channelWakes)).toBeCloseTo(USUAL_PEOPLE.wokenShare.sms ?? NaN, 1);
    const byMail = (address: string) => told(address, { channel: 'email' }).channelWakes;
    expect(share(byMail)).toBeCloseTo(USUAL_PEOPLE.wokenShare.email ?? NaN, 1);
  });

  test('have a chance of their own with each message', () => {
    const asleep = crowd.filter((address) => !told(address).channelWakes);
    const wokenLater = asleep.filter((address) => told(address, { step: 'rung 1' }).channelWakes);
    expect(wokenLater.length / asleep.length).toBeCloseTo(USUAL_PEOPLE.wokenShare.sms ?? NaN, 1);
  });

  test('cannot act in a small share, and then always', () => {
    const cannot = crowd.filter((address) => told(address).kind === 'cannot act');
    expect(cannot.length / crowd.length).toBeCloseTo(USUAL_PEOPLE.cannotActShare, 2);
    expect(cannot.length).toBeGreaterThan(0);
    for (const address of cannot) expect(told(address, { step: 'rung 1' }).kind).toBe('cannot act');
  });

  test('take half of the time less than the median, and never more than the most', () => {
    const { medianDelayMinutes, delayMinutesMost } = USUAL_PEOPLE;
    const quick = share((address) => told(address).delayMs < medianDelayMinutes * MINUTE_MS);
    expect(quick).toBeCloseTo(0.5, 1);
    expect(share((address) => told(address).delayMs > delayMinutesMost * MINUTE_MS)).toBe(0);
    expect(share((address) => told(address).delayMs >= 0)).toBe(1);
  });

  test('are as much quicker as the Exercise is', () => {
    const address = 'a@b.example';
    expect(told(address, { speed: 60 }).delayMs).toBeCloseTo(told(address).delayMs / 60);
  });

  test('of households mostly only read, and never say that they cannot act', () => {
    const household = (address: string) => told(address, { step: 'household 0' });
    expect(share((address) => household(address).answers)).toBeCloseTo(USUAL_PEOPLE.householdAnswersShare, 1);
    expect(share((address) => household(address).kind === 'cannot act')).toBe(0);
  });

  test('do as another model says', () => {
    const model: PeopleModel = {
      ...USUAL_PEOPLE,
      wokenShare: { sms: 1, email: 0 },
      neverAnswersShare: 0,
      cannotActShare: 1,
    };
    const stimulus: Stimulus = { address: 'a', channel: 'sms', step: 's', speed: 1 };
    expect(decide('seed', stimulus, model)).toMatchObject({ answers: true, kind: 'cannot act' });
    expect(decide('seed', { ...stimulus, channel: 'email' }, model).answers).toBe(false);
  });
});

describe.each(['zh', 'en'] as const)(
  'in our own texts in %s a reader finds the means to answer',
  (language) => {
    const warning: WarningText = {
      warningId: 7,
      kind: 'exercise',
      hazard: 'rainstorm',
      level: 'red',
      issuer: '重庆市气象台',
      textZh: '重庆市气象台2026年7月9日02时42分发布暴雨红色预警信号。',
      textEn: 'A warning was issued at 2026-07-09T02:42.',
    };
    const content: Omit<MessageContent, 'purpose' | 'link'> = {
      language,
      units: ['濯水镇'],
      number: '4821',
      bridge: null,
      digest: null,
      report: null,
    };
    const link = 'http://127.0.0.1:8080/a/1z.Ab-_efghijklmnop';

    test.each(['rung', 'household'] as const)('by SMS on a %s page', (purpose) => {
      const { text } = render(warning, { ...content, purpose, link: null });
      expect(answerMeans('sms', text)).toEqual({ via: 'sms', number: '4821' });
    });

    test('by e-mail', () => {
      const { text } = render(warning, { ...content, purpose: 'rung', link });
      expect(answerMeans('email', text)).toEqual({ via: 'email', link, number: '4821' });
    });

    test('but none in the notice of a cancel', () => {
      const { text } = render(warning, { ...content, purpose: 'cancel notice', link: null });
      expect(answerMeans('sms', text)).toBeNull();
    });
  },
);

describe('in a message a reader finds', () => {
  const SMS: readonly [text: string, number: string | null][] = [
    ['请濯水镇回复 1 4821 确认收到,无法执行回复 3 4821。', '4821'],
    ['【演练】收到请回复1 0007。【演练】', '0007'],
    ['濯水镇: reply 1 4821 to confirm, reply 3 4821 if you cannot act.', '4821'],
    ['Reply 1 4821 when received.', '4821'],
    ['暴雨红色预警信号', null],
    ['回复 1 48215', null],
    ['编号 4821', null],
  ];
  test.each(SMS)('%s', (text, number) => {
    expect(answerMeans('sms', text)).toEqual(number === null ? null : { via: 'sms', number });
  });

  const link = 'http://127.0.0.1:8080/a/1z.Ab-_efghijklmnop';
  const MAIL: readonly [text: string, number: string | null][] = [
    [`请濯水镇打开下面的链接,填入编号确认:\n${link}\n编号 4821`, '4821'],
    [`Open this link and enter the number to confirm:\n${link}\nnumber 4821[EXERCISE]`, '4821'],
    [`${link}\r\n编号:4821【演练】`, '4821'],
    [`${link}`, null],
    ['编号 4821', null],
  ];
  test.each(MAIL)('%s', (text, number) => {
    expect(answerMeans('email', text)).toEqual(number === null ? null : { via: 'email', link, number });
  });
});
