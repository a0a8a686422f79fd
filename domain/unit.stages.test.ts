/** The unit machine's second stage, the doors of households, and quiet hours. */
import { describe, expect, test } from 'vitest';
import { quietUntil } from './quiet-hours.ts';
import type { Rules, Rung } from './rules.ts';
import { advance, newUnit, nextDeadline, type Message, type UnitState } from './unit.ts';

const MINUTE = 60_000;
/** 2026-07-20 21:00 in China. */
const T0 = Date.parse('2026-07-20T21:00:00+08:00');

const RUNG: Rung = {
  name: 'a rung',
  who: 'principal',
  by: ['sms'],
  waitMs: 5 * MINUTE,
  tellSuperior: false,
  bridge: false,
};

const RULES: Rules = {
  pack: { id: 'example', version: 1 },
  level: 'red',
  ladder: [RUNG, { ...RUNG, by: ['voice'] }, { ...RUNG, who: 'deputies' }],
  descendWaitMs: {},
  handOffMaxMs: 2 * MINUTE,
  digest: { windowMs: MINUTE, urgentWindowMs: MINUTE, regular: 2, by: ['sms'] },
  endReport: { tiers: [], afterMs: 30 * MINUTE, by: ['email'] },
  households: { by: ['sms'] },
  done: { tiers: ['village'], withinMs: 60 * MINUTE, againMs: 30 * MINUTE, remindersMost: 2, by: ['sms'] },
  doors: { afterMs: 20 * MINUTE, by: ['sms'] },
  retry: { laterMs: [MINUTE], unknownMs: MINUTE, attemptsMost: 3 },
};

/** Plays messages at their minutes, deadlines at their times, to `until`; gives what came out, with its minute. */
function play(rules: Rules, script: [minute: number, message: Message][], until: number): string[] {
  let unit: UnitState = newUnit({ unitId: 3, tier: 'village', superiorId: 2, subordinates: 0 });
  const out: string[] = [];
  const take = (message: Message, now: number) => {
    const result = advance(unit, message, rules, now);
    unit = result.unit;
    const minute = (now - T0) / MINUTE;
    for (const send of result.sends) {
      out.push(`${minute} ${send.kind}${send.kind === 'rung' ? ` ${send.rung}` : ''}`);
      if (send.kind !== 'rung') continue;
      take({ kind: 'planned', rung: send.rung, deliveries: 1 }, now);
      take({ kind: 'handed off', rung: send.rung, at: now }, now);
    }
    for (const { message: told } of result.messages) {
      if (told.kind.startsWith('subordinate')) out.push(`${minute} tells ${told.kind}`);
    }
  };
  const end = T0 + until * MINUTE;
  const queue = [...script];
  for (;;) {
    const [next] = queue;
    const due = nextDeadline(unit) ?? Infinity;
    const at = Math.min(due, next ? T0 + next[0] * MINUTE : Infinity);
    if (at > end) return out;
    if (next && T0 + next[0] * MINUTE === at) {
      queue.shift();
      take(next[1], at);
    } else take({ kind: 'deadline' }, at);
  }
}

const said = (minute: number, answer: 'received' | 'done'): [number, Message] => [
  minute,
  { kind: 'answered', at: T0 + minute * MINUTE, answer },
];
const OPENED: [number, Message] = [0, { kind: 'opened' }];

describe('received, then done', () => {
  test('who has received is reminded, and then the superior hears', () => {
    expect(play(RULES, [OPENED, said(3, 'received')], 600)).toEqual([
      '0 rung 0',
      '3 tells subordinate concluded',
      '63 done reminder',
      '93 done reminder',
      '123 tells subordinate overdue',
    ]);
  });

  test.each([
    ['done at once', [said(3, 'done')]],
    ['done in time', [said(3, 'received'), said(62, 'done')]],
    ['done before the letter that it was received', [said(3, 'done'), said(4, 'received')]],
  ])('%s: nobody is reminded', (_, script) => {
    expect(play(RULES, [OPENED, ...script], 600)).toEqual(['0 rung 0', '3 tells subordinate concluded']);
  });

  test('done after the first reminder ends them', () => {
    expect(play(RULES, [OPENED, said(3, 'received'), said(70, 'done')], 600)).toEqual([
      '0 rung 0',
      '3 tells subordinate concluded',
      '63 done reminder',
    ]);
  });

  test('who then cannot act is a matter of the ladder, not of reminders', () => {
    const script: [number, Message][] = [
      OPENED,
      said(3, 'received'),
      [10, { kind: 'cannot act', at: T0 + 10 * MINUTE }],
    ];
    expect(play(RULES, script, 12)).toEqual([
      '0 rung 0',
      '3 tells subordinate concluded',
      '10 rung 1',
      '10 tells subordinate cannot act',
    ]);
  });

  test('tiers that the rules do not name have one stage', () => {
    const rules = { ...RULES, done: { ...RULES.done, tiers: ['township'] } } as Rules;
    expect(play(rules, [OPENED, said(3, 'received')], 600)).toEqual([
      '0 rung 0',
      '3 tells subordinate concluded',
    ]);
  });
});

test('some time after the households were told, their leader is sent to the doors, once', () => {
  const told: [number, Message] = [1, { kind: 'households told', at: T0 + MINUTE }];
  const out = play(RULES, [OPENED, told, said(2, 'done'), told], 600);
  expect(out.filter((line) => line.includes('door'))).toEqual(['21 door to door']);
});

describe('quiet hours', () => {
  const night = { fromMinute: 22 * 60, toMinute: 7 * 60 };
  const rules: Rules = { ...RULES, quietHours: night };

  test('a rung that falls into them waits for the morning', () => {
    // Opened at 21:56: the first deadline is 22:01.
    const opened: [number, Message] = [56, { kind: 'opened' }];
    expect(play(rules, [opened], 56 + 700)).toEqual([
      '56 rung 0',
      // 07:00 is ten hours after 21:00.
      '600 rung 1',
      '605 rung 2',
    ]);
  });

  test('who cannot act at night is helped at night', () => {
    const script: [number, Message][] = [
      [56, { kind: 'opened' }],
      [90, { kind: 'cannot act', at: T0 + 90 * MINUTE }],
    ];
    expect(play(rules, script, 94)).toContain('90 rung 1');
  });

  test.each([
    ['21:59', null],
    ['22:00', '2026-07-21T07:00:00+08:00'],
    ['23:59', '2026-07-21T07:00:00+08:00'],
    ['00:00', '2026-07-20T07:00:00+08:00'],
    ['06:59', '2026-07-20T07:00:00+08:00'],
    ['07:00', null],
  ])('at %s they last until %s', (time, until) => {
    const now = Date.parse(`2026-07-20T${time}:00+08:00`);
    expect(quietUntil(night, now)).toBe(until === null ? null : Date.parse(until));
  });

  test('they may lie within one day', () => {
    const noon = { fromMinute: 12 * 60, toMinute: 14 * 60 };
    const at = (time: string) => Date.parse(`2026-07-20T${time}:00+08:00`);
    expect(quietUntil(noon, at('13:00'))).toBe(at('14:00'));
    expect(quietUntil(noon, at('11:59'))).toBeNull();
    expect(quietUntil(noon, at('14:00'))).toBeNull();
  });
});
