import { describe, expect, it } from 'vitest';
import {
  channelRefusal,
  guard,
  mayReachThePublic,
  unitAnswered,
  type AnswerFact,
  type Purpose,
} from './guard.ts';

const NOW = 1_000_000;

const facts = (changes: Partial<Parameters<typeof guard>[0]> = {}): Parameters<typeof guard>[0] => ({
  purpose: 'rung',
  warning: { status: 'open', expiresAt: NOW + 1 },
  now: NOW,
  recipientId: 7,
  answers: [],
  ...changes,
});

const answer = (kind: AnswerFact['kind'], at = 1, who: Partial<AnswerFact> = {}): AnswerFact => ({
  unitId: 1,
  personId: 7,
  householdId: null,
  kind,
  at,
  ...who,
});

const OPEN = { status: 'open', expiresAt: NOW + 1 } as const;

describe('lets a message leave', () => {
  it.each<[string, Parameters<typeof guard>[0]]>([
    ['while nobody has answered', facts()],
    [
      'to a household although its officials have answered',
      facts({ purpose: 'household', answers: [answer('received')] }),
    ],
    [
      'as a digest although the superior has answered',
      facts({ purpose: 'digest', answers: [answer('received')] }),
    ],
    [
      'to the deputy after the principal said cannot act',
      facts({ recipientId: 8, answers: [answer('cannot act')] }),
    ],
    [
      'after an answer that was taken back',
      facts({ recipientId: 8, answers: [answer('received', 1), answer('cannot act', 2)] }),
    ],
    [
      'as a change notice although the unit has answered',
      facts({ purpose: 'change notice', answers: [answer('received', 1, { carried: true })] }),
    ],
    [
      'to a household whose answer was to the superseded warning',
      facts({
        purpose: 'household',
        answers: [answer('received', 1, { personId: null, householdId: 7, carried: true })],
      }),
    ],
    [
      'as an all-clear to those whom an update leaves out',
      facts({ purpose: 'cancel notice', warning: { ...OPEN, status: 'superseded' } }),
    ],
    [
      'as an all-clear after a cancel',
      facts({ purpose: 'cancel notice', warning: { ...OPEN, status: 'cancelled' } }),
    ],
  ])('%s', (_when, input) => {
    expect(guard(input)).toBeNull();
  });
});

describe('stops a message', () => {
  it.each<[string, Parameters<typeof guard>[0], ReturnType<typeof guard>]>([
    ['of a cancelled warning', facts({ warning: { ...OPEN, status: 'cancelled' } }), 'cancelled'],
    ['of an expired warning', facts({ warning: { ...OPEN, status: 'expired' } }), 'expired'],
    ['in the very millisecond of the expiry', facts({ now: NOW + 1 }), 'expired'],
    ['of a superseded warning', facts({ warning: { ...OPEN, status: 'superseded' } }), 'superseded'],
    [
      'with an all-clear for whom the new warning has in its area after all',
      facts({ purpose: 'cancel notice', warning: { ...OPEN, status: 'superseded' }, needless: true }),
      'no-longer-needed',
    ],
    [
      'with a change to somebody who was never told',
      facts({ purpose: 'change notice', needless: true }),
      'no-longer-needed',
    ],
    [
      'to a unit of which anybody has answered',
      facts({ answers: [answer('done', 1, { personId: 9 })] }),
      'answered',
    ],
    [
      'to a unit somebody vouched for',
      facts({ answers: [answer('received', 1, { personId: null })] }),
      'answered',
    ],
    ['to the person who said cannot act', facts({ answers: [answer('cannot act')] }), 'cannot-act'],
    [
      'to a household that has answered',
      facts({ purpose: 'household', answers: [answer('received', 1, { personId: null, householdId: 7 })] }),
      'answered',
    ],
    ['with an all-clear nobody needs', facts({ purpose: 'cancel notice' }), 'no-longer-needed'],
  ])('%s', (_when, input, reason) => {
    expect(guard(input)).toBe(reason);
  });

  it('a reminder, once it is done or cannot be done, and not for what was only received', () => {
    const reminder = (...answers: AnswerFact[]) => guard(facts({ purpose: 'done reminder', answers }));
    expect(reminder(answer('received', 1))).toBeNull();
    expect(reminder(answer('received', 1), answer('done', 2))).toBe('answered');
    expect(reminder(answer('done', 1), answer('received', 2))).toBe('answered');
    expect(reminder(answer('received', 1), answer('cannot act', 2))).toBe('answered');
    expect(reminder(answer('cannot act', 1), answer('received', 2))).toBeNull();
  });

  it.each<Purpose>([
    ...(['rung', 'bridge notice', 'digest', 'end report', 'household'] as const),
    ...(['done reminder', 'door to door'] as const),
  ])('after a cancel, whatever it is: %s', (purpose) => {
    expect(guard(facts({ purpose, warning: { ...OPEN, status: 'cancelled' } }))).toBe('cancelled');
  });
});

it('counts the last word; of two in one millisecond cannot act', () => {
  expect(unitAnswered([answer('cannot act', 1), answer('received', 2)])).toBe(true);
  expect(unitAnswered([answer('received', 2), answer('cannot act', 1)])).toBe(true);
  expect(unitAnswered([answer('cannot act', 2), answer('received', 2)])).toBe(false);
  expect(unitAnswered([answer('received', 1, { personId: null, householdId: 3 })])).toBe(false);
});

it('lets only one kind of message reach the public', () => {
  const all = (['exercise', 'actual'] as const).flatMap((kind) =>
    [true, false].map((synthetic) => ({ kind, synthetic })),
  );
  expect(all.filter(mayReachThePublic)).toEqual([{ kind: 'actual', synthetic: false }]);
  for (const message of all) {
    const toThePublic = channelRefusal(message, true) === null;
    expect(toThePublic).toBe(mayReachThePublic(message));
    expect(channelRefusal(message, false) === null).toBe(message.kind === 'exercise');
  }
});

it('in a drill tells those who agreed by the account alone, and everybody else by stand-ins', () => {
  for (const [kind, synthetic, byAccount, byStandIn] of [
    ['exercise', false, null, 'real-recipient-on-a-stand-in'],
    ['exercise', true, 'synthetic-recipient', null],
    ['actual', false, 'actual-on-a-drill-account', 'actual-on-a-stand-in'],
    ['actual', true, 'actual-on-a-drill-account', 'actual-on-a-stand-in'],
  ] as const) {
    expect(channelRefusal({ kind, synthetic }, 'agreed')).toBe(byAccount);
    expect(channelRefusal({ kind, synthetic }, 'simulated')).toBe(byStandIn);
  }
});
