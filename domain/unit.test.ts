/** The unit machine by example: one test for each sentence of its header, in the order of a unit's life. */
import { describe, expect, test } from 'vitest';
import type { Rules, Rung } from './rules.ts';
import {
  advance,
  messageOrder,
  newUnit,
  nextDeadline,
  type Message,
  type Outgoing,
  type Send,
  type UnitState,
} from './unit.ts';

const MINUTE = 60_000;
const T0 = 1_000_000_000;

/** Tell for 5 minutes, remind for 5, deputies for 5 while the superior hears, then everyone while bridging, for 10. */
const LADDER: Rung[] = [
  rung({ name: 'tell', waitMs: 5 * MINUTE }),
  rung({ name: 'remind', waitMs: 5 * MINUTE }),
  rung({ name: 'deputies', who: 'deputies', waitMs: 5 * MINUTE, tellSuperior: true }),
  rung({ name: 'bridge', who: 'everyone', waitMs: 10 * MINUTE, bridge: true }),
];

const RULES: Rules = {
  pack: { id: 'example', version: 1 },
  level: 'yellow',
  ladder: LADDER,
  descendWaitMs: { township: 5 * MINUTE },
  handOffMaxMs: 2 * MINUTE,
  digest: { windowMs: 2 * MINUTE, urgentWindowMs: MINUTE / 2, regular: 2, by: ['sms'] },
  endReport: { tiers: ['city'], afterMs: 30 * MINUTE, by: ['email'] },
  households: { by: ['sms'] },
  retry: { laterMs: [MINUTE], unknownMs: MINUTE, attemptsMost: 3 },
};

const CITY = 1;
const DISTRICT = 2;
const TOWNSHIP = 3;
const VILLAGES = [4, 5];

function rung(changes: Partial<Rung>): Rung {
  return {
    name: 'a rung',
    who: 'principal',
    by: ['sms'],
    waitMs: MINUTE,
    tellSuperior: false,
    bridge: false,
    ...changes,
  };
}

/** One unit and the minute hand: takes messages and deadlines as they come, and keeps what came out since the last look. */
class Unit {
  state: UnitState;
  private readonly rules: Rules;
  private now = T0;
  private sends: Send[] = [];
  private messages: Outgoing[] = [];

  constructor(place: Partial<UnitState> = {}, rules: Rules = RULES) {
    const { tier = 'township', superiorId = DISTRICT, subordinates = VILLAGES.length } = place;
    this.state = newUnit({ unitId: place.unitId ?? TOWNSHIP, tier, superiorId, subordinates });
    this.rules = rules;
  }

  take(...messages: Message[]): this {
    for (const message of messages) {
      const { unit, sends, messages: outgoing } = advance(this.state, message, this.rules, this.now);
      this.state = unit;
      this.sends.push(...sends);
      this.messages.push(...outgoing);
      // What is planned has one delivery, unless a test says otherwise.
      for (const send of sends) {
        if (send.kind === 'rung') this.take({ kind: 'planned', rung: send.rung, deliveries: 1 });
      }
    }
    return this;
  }

  opened(): this {
    return this.take({ kind: 'opened' });
  }

  handedOff(rung = this.state.rung): this {
    return this.take({ kind: 'handed off', rung, at: this.now });
  }

  answered(at = this.now): this {
    return this.take({ kind: 'answered', at, answer: 'received' });
  }

  cannotAct(at = this.now): this {
    return this.take({ kind: 'cannot act', at });
  }

  /** Lives on to this minute; every deadline on the way fires at its time, and sends are handed off at once. */
  until(minute: number, channel: 'works' | 'is down' = 'works'): this {
    const end = T0 + minute * MINUTE;
    for (let at = nextDeadline(this.state); at !== null && at <= end; at = nextDeadline(this.state)) {
      const before = this.state.rung;
      this.now = at;
      this.take({ kind: 'deadline' });
      if (channel === 'works' && this.state.rung !== before) this.handedOff();
    }
    this.now = end;
    return this;
  }

  /** What was sent since the last look, in words. */
  get sent(): string[] {
    const words = this.sends.map((send) => {
      if (send.kind === 'rung') return `rung ${send.rung} to ${send.who}`;
      return 'number' in send ? `${send.kind} ${send.number}` : send.kind;
    });
    this.sends = [];
    return words;
  }

  /** What others were told since the last look, in words. */
  get told(): string[] {
    const words = this.messages.map((outgoing) => {
      const { message } = outgoing;
      const to = outgoing.to === 'unit' ? `${outgoing.unitId}` : 'subordinates';
      return `${to}: ${message.kind}${message.kind === 'past you' ? ` ${message.bridgedTo.join(' ')}` : ''}`;
    });
    this.messages = [];
    return words;
  }

  /** Minutes from the beginning until the next deadline. */
  get dueIn(): number | null {
    const at = nextDeadline(this.state);
    return at === null ? null : (at - T0) / MINUTE;
  }
}

/** A township that is open and whose first rung was handed off. */
function openTownship(rules = RULES): Unit {
  return new Unit({}, rules).opened().handedOff();
}

describe('opening', () => {
  test('a unit that is opened sends its first rung', () => {
    const unit = new Unit().opened();
    expect(unit.state.status).toBe('open');
    expect(unit.sent).toEqual(['rung 0 to principal']);
  });

  test('it is opened once, however often it is told', () => {
    const unit = new Unit().opened();
    expect(unit.sent).toHaveLength(1);
    unit.opened();
    expect(unit.sent).toEqual([]);
  });

  test('a tier that need not wait opens those below at once', () => {
    expect(new Unit({ tier: 'village' }).opened().told).toEqual(['subordinates: opened']);
  });

  test.each([
    ['when the unit answers', (unit: Unit) => unit.until(1).answered()],
    ['when its wait is over, answered or not', (unit: Unit) => unit.until(5)],
  ])('a tier that waits opens those below %s', (_when, happens) => {
    const unit = openTownship();
    expect(unit.told).toEqual([]);
    happens(unit);
    expect(unit.told).toContain('subordinates: opened');
  });

  test('who says that he cannot act holds nobody below back', () => {
    expect(openTownship().until(1).cannotAct().told).toContain('subordinates: opened');
  });

  test('who was heard before it was opened holds nobody below back, and gets no send if it was an answer', () => {
    const unit = new Unit().answered().opened();
    expect(unit.told).toEqual(['subordinates: opened']);
    expect(unit.sent).toEqual([]);
    expect(unit.dueIn).toBeNull();
  });
});

describe('the ladder', () => {
  test('the deadline counts from the first hand-off, not from the send', () => {
    const unit = new Unit({ tier: 'village' }).opened();
    unit.until(1.5).handedOff();
    expect(unit.dueIn).toBe(6.5);
  });

  test('of several hand-offs the first counts, in whatever order they are heard of', () => {
    const unit = new Unit({ tier: 'village' }).opened();
    unit.take(
      { kind: 'handed off', rung: 0, at: T0 + 2_000 },
      { kind: 'handed off', rung: 0, at: T0 + 1_000 },
    );
    expect(nextDeadline(unit.state)).toBe(T0 + 1_000 + 5 * MINUTE);
    expect(unit.state.toldAt).toBe(T0 + 1_000);
  });

  test('silence climbs it: reminder, deputies with the superior told, everyone with a bridge, and no further', () => {
    const unit = openTownship().until(60);
    expect(unit.sent).toEqual([
      'rung 0 to principal',
      'rung 1 to principal',
      'rung 2 to deputies',
      'rung 3 to everyone',
    ]);
    expect(unit.told).toEqual([
      'subordinates: opened',
      `${DISTRICT}: subordinate silent`,
      `subordinates: past you ${DISTRICT}`,
    ]);
    expect(unit.state).toMatchObject({ status: 'open', rung: LADDER.length });
    expect(unit.dueIn).toBeNull();
  });

  test('what is never handed off counts as exhausted after the time the rules allow', () => {
    const unit = new Unit().opened().until(2, 'is down');
    expect(unit.sent).toEqual(['rung 0 to principal', 'rung 1 to principal']);
    expect(unit.state.silentAt).toBeNull();
  });

  test('the next rung begins when the last delivery of a rung is exhausted', () => {
    const unit = new Unit();
    unit.opened().take({ kind: 'planned', rung: 0, deliveries: 1 });
    expect(unit.take({ kind: 'exhausted', rung: 0 }).state.rung).toBe(0);
    expect(unit.take({ kind: 'exhausted', rung: 0 }).state.rung).toBe(1);
  });

  test('a failure that is heard of before the plan counts too', () => {
    const before = { ...newUnit({ unitId: 1, tier: 'village', superiorId: null, subordinates: 0 }), rung: 0 };
    const open: UnitState = { ...before, status: 'open', openedAt: T0 };
    const heard = advance(open, { kind: 'exhausted', rung: 0 }, RULES, T0).unit;
    expect(heard.rung).toBe(0);
    expect(advance(heard, { kind: 'planned', rung: 0, deliveries: 1 }, RULES, T0).unit.rung).toBe(1);
  });

  test('who can be reached by no rung at all is silent at once, and its superior hears of it', () => {
    let state = newUnit({ unitId: TOWNSHIP, tier: 'township', superiorId: DISTRICT, subordinates: 0 });
    const told: string[] = [];
    const waiting: Message[] = [{ kind: 'opened' }];
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { unit, sends, messages } = advance(state, next, RULES, T0);
      state = unit;
      told.push(...messages.map(({ message }) => message.kind));
      for (const send of sends)
        if (send.kind === 'rung') waiting.push({ kind: 'planned', rung: send.rung, deliveries: 0 });
    }
    expect(state).toMatchObject({ rung: LADDER.length, silentAt: T0, bridgedAt: T0 });
    expect(told).toEqual(['subordinate silent']);
  });

  test('a rung that sends to nobody waits all the same', () => {
    const quiet = {
      ...RULES,
      ladder: [rung({ who: 'nobody', by: [], waitMs: 7 * MINUTE })],
      descendWaitMs: {},
    };
    const unit = new Unit({}, quiet).opened();
    expect(unit.sent).toEqual([]);
    expect(unit.dueIn).toBe(7);
  });

  test('news of an earlier rung changes no deadline', () => {
    const unit = openTownship().until(6);
    expect(unit.state.rung).toBe(1);
    const dueIn = unit.dueIn;
    unit.handedOff(0).take({ kind: 'exhausted', rung: 0 }, { kind: 'planned', rung: 0, deliveries: 0 });
    expect(unit.dueIn).toBe(dueIn);
    expect(unit.state.rung).toBe(1);
  });
});

describe('answers', () => {
  test('an answer ends the ladder', () => {
    const unit = openTownship().until(1).answered();
    expect(unit.sent).toEqual(['rung 0 to principal']);
    expect(unit.until(120).sent).toEqual([]);
  });

  test('an answer in the millisecond of the deadline comes first', () => {
    const kinds: Message['kind'][] = ['deadline', 'cannot act', 'answered', 'cancelled'];
    kinds.sort((one, other) => messageOrder(one) - messageOrder(other));
    expect(kinds).toEqual(['cancelled', 'answered', 'cannot act', 'deadline']);
  });

  test('the first answer keeps its time, though an earlier one may arrive later', () => {
    const unit = openTownship()
      .until(3)
      .answered()
      .answered(T0 + MINUTE)
      .answered();
    expect(unit.state.answeredAt).toBe(T0 + MINUTE);
  });

  test('a silence that was answered later stays on record', () => {
    const unit = openTownship().until(6).answered();
    expect(unit.state).toMatchObject({ status: 'answered', silentAt: T0 + 5 * MINUTE });
  });

  test('who cannot act makes the superior hear at once, and the next rung begin', () => {
    const unit = openTownship().until(1).cannotAct();
    expect(unit.told).toContain(`${DISTRICT}: subordinate cannot act`);
    expect(unit.sent).toEqual(['rung 0 to principal', 'rung 1 to principal']);
  });

  test('who has answered may still say that it cannot be done', () => {
    const unit = openTownship().answered().until(10).cannotAct();
    expect(unit.state.status).toBe('open');
    expect(unit.sent.at(-1)).toBe('rung 1 to principal');
  });

  test('who answered before it was opened and then cannot act begins with the first rung', () => {
    const unit = new Unit().answered().opened().until(3).cannotAct();
    expect(unit.sent).toEqual(['rung 0 to principal']);
  });

  test('said twice it does not skip the rung that was begun by the first', () => {
    const unit = openTownship().until(1).cannotAct();
    unit.until(1.1).cannotAct();
    expect(unit.state.rung).toBe(1);
    unit.handedOff().until(1.2).cannotAct();
    expect(unit.state.rung).toBe(2);
  });

  test.each([
    ['received, then cannot act', [T0 + 1, T0 + 2], 'open'],
    ['cannot act, then received', [T0 + 2, T0 + 1], 'answered'],
    ['both in one millisecond', [T0 + 1, T0 + 1], 'open'],
  ] as const)(
    'the last word spoken counts, in whatever order words arrive: %s',
    (_words, [received, cannot], status) => {
      expect(openTownship().until(1).answered(received).cannotAct(cannot).state.status).toBe(status);
      expect(openTownship().until(1).cannotAct(cannot).answered(received).state.status).toBe(status);
    },
  );
});

describe('bridging', () => {
  test('those below are opened and report past the silent unit', () => {
    const village = new Unit({ unitId: 4, tier: 'village', superiorId: TOWNSHIP, subordinates: 0 });
    village.take({ kind: 'past you', bridgedTo: [DISTRICT] });
    expect(village.state).toMatchObject({ status: 'open', reportsTo: DISTRICT });
    expect(village.sent).toEqual(['rung 0 to principal']);
  });

  test('who is open already gets a notice with the new address', () => {
    const unit = openTownship().until(1);
    expect(unit.take({ kind: 'past you', bridgedTo: [CITY] }).sent).toEqual([
      'rung 0 to principal',
      'bridge notice 0',
    ]);
  });

  test('each further bridge above gives a notice of its own number', () => {
    const unit = openTownship().until(1);
    unit.take({ kind: 'past you', bridgedTo: [20] }, { kind: 'past you', bridgedTo: [20, 10] });
    unit.take(
      { kind: 'past you', bridgedTo: [20, 10, CITY] },
      { kind: 'past you', bridgedTo: [20, 10, CITY] },
    );
    expect(unit.sent.slice(1)).toEqual(['bridge notice 0', 'bridge notice 1', 'bridge notice 2']);
  });

  test('a nearer address that arrives late changes nothing', () => {
    const unit = openTownship().take(
      { kind: 'past you', bridgedTo: [20, CITY] },
      { kind: 'past you', bridgedTo: [20] },
    );
    expect(unit.state.reportsTo).toBe(CITY);
  });

  test('what the silent superior was told is told to the one behind it', () => {
    const unit = openTownship().until(10);
    expect(unit.told).toContain(`${DISTRICT}: subordinate silent`);
    unit.take({ kind: 'past you', bridgedTo: [CITY] });
    expect(unit.told).toEqual([`${CITY}: subordinate silent`]);
  });

  test('a bridged unit hands a new address on to those below it', () => {
    const unit = openTownship().until(15);
    expect(unit.told.at(-1)).toBe(`subordinates: past you ${DISTRICT}`);
    unit.take({ kind: 'past you', bridgedTo: [CITY] });
    expect(unit.told).toContain(`subordinates: past you ${DISTRICT} ${CITY}`);
  });

  test('past a silent root there is nobody: those below are opened and go on reporting to it', () => {
    const root = new Unit({ unitId: CITY, tier: 'city', superiorId: null }).opened().handedOff().until(15);
    expect(root.told.at(-1)).toBe('subordinates: past you ');
    const below = new Unit({ superiorId: CITY }).take({ kind: 'past you', bridgedTo: [] });
    expect(below.state).toMatchObject({ status: 'open', reportsTo: null, superiorId: CITY });
  });
});

describe('what is heard from below', () => {
  const silent = (unitId: number): Message => ({ kind: 'subordinate silent', unitId });

  test('all trouble of one window stands in one digest', () => {
    const unit = new Unit().opened().answered();
    unit.take(silent(4)).until(1).take(silent(5)).until(10);
    expect(unit.sent).toEqual(['rung 0 to principal', 'digest 0']);
  });

  test('cannot act is urgent: it shortens the window', () => {
    const unit = new Unit().opened().answered().take(silent(4));
    unit.take({ kind: 'subordinate cannot act', unitId: 5 });
    expect(unit.dueIn).toBe(0.5);
  });

  test('past the regular digests each window is twice the one before, and nothing is lost', () => {
    const unit = new Unit().opened().answered();
    for (const minute of [10, 20]) unit.take(silent(minute)).until(minute);
    unit.take(silent(30));
    expect(unit.dueIn).toBe(24);
    unit.until(24).take(silent(31));
    expect(unit.dueIn).toBe(32);
  });

  test('past a bridged unit no digest goes: those below report to another', () => {
    const unit = openTownship().until(14).take(silent(4)).until(30).take(silent(5)).until(60);
    expect(unit.sent.filter((send) => send.startsWith('digest'))).toEqual([]);
  });

  test('a unit concludes when it has answered and all below it have concluded', () => {
    const concluded: Message = { kind: 'subordinate concluded', unitId: 4 };
    const unit = new Unit().opened().take(concluded).answered();
    expect(unit.state.concluded).toBe(false);
    unit.take(concluded);
    expect(unit.told.at(-1)).toBe(`${DISTRICT}: subordinate concluded`);
  });

  test('the end report goes when all is concluded, else when its time is up; once', () => {
    const city = () =>
      new Unit({ unitId: CITY, tier: 'city', superiorId: null, subordinates: 1 }).opened().answered();
    const early = city().take({ kind: 'subordinate concluded', unitId: DISTRICT });
    expect(early.until(120).sent).toEqual(['rung 0 to principal', 'end report']);
    const late = city().until(29);
    expect(late.sent).toEqual(['rung 0 to principal']);
    expect(late.until(120).sent).toEqual(['end report']);
  });
});

describe('the end', () => {
  test.each(['cancelled', 'expired'] as const)('%s ends a unit: no timer, no send, whatever comes', (how) => {
    const unit = openTownship().until(3).take({ kind: how });
    expect(unit.sent).toHaveLength(1);
    unit.take({ kind: 'past you', bridgedTo: [CITY] }, { kind: 'subordinate silent', unitId: 4 }).cannotAct();
    expect(unit.until(120).sent).toEqual([]);
    expect(unit.state).toMatchObject({ ended: how, timers: newUnit({ ...unit.state }).timers });
  });

  test('the first end stays', () => {
    expect(openTownship().take({ kind: 'cancelled' }, { kind: 'expired' }).state.ended).toBe('cancelled');
  });

  test('an answer after the end is recorded', () => {
    const unit = openTownship().take({ kind: 'expired' }).until(200).answered();
    expect(unit.state).toMatchObject({ status: 'answered', answeredAt: T0 + 200 * MINUTE, ended: 'expired' });
  });

  test('a unit that never was opened is not opened after the end', () => {
    expect(new Unit().take({ kind: 'cancelled' }).opened().state).toMatchObject({
      status: 'waiting',
      openedAt: null,
    });
  });
});
