/** The people of a drill answer when a rehearsal of the same scenario and seed says so, also after the sandbox was killed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEmailChannel } from '../channels/email.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import { createVoiceGateway } from '../channels/voice-gateway.ts';
import type { ChannelPort, OutgoingMessage } from '../domain/ports.ts';
import { castLines, readCastLines, type Cast } from '../domain/rehearsal/cast.ts';
import { mannersOf } from '../domain/rehearsal/behaviour.ts';
import { chanceOf } from '../domain/rehearsal/chance.ts';
import { responseTo } from '../domain/rehearsal/response.ts';
import type { Behaviour } from '../domain/scenario.ts';
import type { Doing } from './answering.ts';
import type { Arrival } from './crowd.ts';
import { beginLife, together } from './lives.ts';
import { createPlayers, type Players } from './players.ts';
import { startSandbox } from './sandbox.ts';
import { mailText, outgoing, smsParameters, startWebStandIn } from './testing.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const STORY = Date.parse('2026-07-09T02:42:00+08:00');
const SPEED = 60;
const PEOPLE = 200;
const MINUTE = 60_000;
const UNIT = 7;

const READY = {
  neverAnswers: 0,
  cannotAct: 0,
  wrongNumbers: 0,
  notices: { sms: 100, voice: 100, email: 100 },
};

function castWith(change: Partial<Cast> = {}, behaviour: Partial<Behaviour> = READY): Cast {
  const units = [{ unitId: 0, key: 'u', name: 'u', tier: 'village', superiorId: null }];
  const manner = mannersOf({ units } as never, [{ units: null, ...behaviour }])(0);
  const lines = castLines({
    ...{ seed: 3, speed: SPEED, startAt: START, storyStartAt: STORY, gaps: [] },
    warnings: [
      {
        warningId: null,
        at: STORY,
        endsAt: STORY + 300 * MINUTE,
        successor: null,
        carries: null,
        doneTiers: [],
      },
    ],
    ...{ manners: [manner], darkness: [], outages: [], households: [] },
    people: Array.from({ length: PEOPLE }, (_, key) => ({
      ...{ key, unitId: UNIT, manner: 0, tiers: ['village'] },
      addresses: { sms: `+86100${key}`, voice: `+86100${key}`, email: `p${key}@village.example` },
    })),
    ...change,
  });
  // As the stand-ins get it: by way of the file.
  return readCastLines([...lines]);
}

type Due = { at: number; begin: () => Doing | null };

/** Players whose clock the test turns. */
class Stage {
  readonly ordinary: Arrival[] = [];
  readonly done: { at: number; who: Doing['who']; via: string; doing: Doing }[] = [];
  readonly players: Players;
  private agenda: Due[] = [];

  constructor(cast: Cast, gaps = cast.gaps) {
    this.players = createPlayers({
      ...{ cast, gaps },
      crowd: { notice: (arrival) => this.ordinary.push(arrival) },
      answering: { after: (ms, begin) => this.agenda.push({ at: Date.now() + ms, begin }) },
    });
  }

  hear(key: number, change: Partial<Arrival> = {}): void {
    const { channel = 'sms' } = change;
    this.players.notice({
      ...{ channel, warningId: '1', deliveryId: `d${key}${channel}`, step: 'rung 0', speed: SPEED },
      address: channel === 'email' ? `p${key}@village.example` : `+86100${key}`,
      text: () => '请回复 1 4821 确认收到',
      ...change,
    });
  }

  run(until: number): void {
    for (;;) {
      this.agenda.sort((one, other) => one.at - other.at);
      const [next] = this.agenda;
      if (!next || next.at > until) break;
      this.agenda.shift();
      vi.setSystemTime(next.at);
      const doing = next.begin();
      if (doing) this.done.push({ at: next.at, who: doing.who, via: doing.means.via, doing });
    }
    vi.setSystemTime(until);
  }
}

const FAR = START + 24 * 60 * MINUTE;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

test('answer exactly when the rehearsal has them answer, at the speed of the drill', () => {
  const cast = castWith({}, { ...READY, neverAnswers: 20, notices: { ...READY.notices, sms: 60 } });
  const stage = new Stage(cast);
  for (let key = 0; key < PEOPLE; key += 1) stage.hear(key);
  stage.run(FAR);
  const chance = chanceOf(cast.seed);
  const expected = cast.people.flatMap(({ key, unitId }) => {
    const [manner] = cast.manners;
    if (!manner) throw new Error('no manner');
    const message = { warning: 0, purpose: 'rung' as const, step: 0, channel: 'sms' as const };
    const response = responseTo(chance, { key, unitId, manner }, message, { at: STORY, darkness: new Map() });
    return response.kind === 'answers' ? [[`+86100${key}`, (response.at - STORY) / SPEED] as const] : [];
  });
  expect(expected.length).toBeGreaterThan(60);
  const answered = new Map(stage.done.map(({ at, who }) => [who.address, at - START]));
  expect(answered.size).toBe(expected.length);
  for (const [address, after] of expected) expect(answered.get(address)).toBeCloseTo(after, 3);
});

test('say once what they have received, by whichever message, and later that it is done', () => {
  const cast = castWith({}, { ...READY, done: { percent: 100, delay: 'usual' } });
  cast.warnings = cast.warnings.map((warning) => ({ ...warning, doneTiers: ['village'] }));
  const stage = new Stage(cast);
  for (let key = 0; key < PEOPLE; key += 1)
    for (const channel of ['sms', 'voice'] as const) {
      const ways = channel === 'voice' ? { ways: { voice: () => Promise.resolve(200) } } : {};
      stage.hear(key, { channel, ...ways });
    }
  stage.run(FAR);
  const said = (kind: string) => stage.done.filter(({ who }) => who.kind === kind);
  expect(said('received')).toHaveLength(PEOPLE);
  expect(said('done')).toHaveLength(PEOPLE);
  // A telephone has no key for it: they write.
  expect(new Set(said('done').map(({ via }) => via))).toEqual(new Set(['sms']));
});

test('who cannot act says so each time', () => {
  const stage = new Stage(castWith({}, { ...READY, cannotAct: 100 }));
  stage.hear(1);
  stage.hear(1, { step: 'rung 2', deliveryId: 'again' });
  stage.run(FAR);
  expect(stage.done.map(({ who }) => who.kind)).toEqual(['cannot act', 'cannot act']);
});

test('an answer that stands for the warning in its place is not given again; one that does not, is', () => {
  for (const carries of [0, null]) {
    vi.setSystemTime(START);
    const cast = castWith();
    const [first] = cast.warnings;
    if (!first) throw new Error('no warning');
    const second = { ...first, at: STORY + 200 * MINUTE, carries };
    cast.warnings = [{ ...first, endsAt: second.at, successor: 1 }, second];
    const stage = new Stage(cast);
    for (let key = 0; key < PEOPLE; key += 1) stage.hear(key);
    stage.run(START + (250 * MINUTE) / SPEED);
    expect(stage.done).toHaveLength(PEOPLE);
    for (let key = 0; key < PEOPLE; key += 1)
      stage.hear(key, { warningId: '2', deliveryId: `second ${key}` });
    stage.run(FAR);
    expect(stage.done).toHaveLength(carries === null ? 2 * PEOPLE : PEOPLE);
  }
});

test('in the dark a text waits for the light, and a call rings out after thirty seconds of the story', () => {
  const darkness = [{ unitId: UNIT, from: STORY, to: STORY + 90 * MINUTE }];
  const stage = new Stage(castWith({ darkness }));
  let rangOutAt = 0;
  stage.hear(1);
  const unanswered = () => {
    rangOutAt = Date.now();
  };
  stage.hear(2, { channel: 'voice', ways: { voice: () => Promise.resolve(200), unanswered } });
  stage.run(FAR);
  expect(rangOutAt - START).toBe(30_000 / SPEED);
  expect(stage.done.map(({ who }) => who.address)).toEqual(['+861001']);
  expect(stage.done[0]?.at).toBeGreaterThan(START + (90 * MINUTE) / SPEED);
});

test('a provider that is out takes nothing there and then, and a wrong number is wrong for good', () => {
  const outages = [{ channel: 'sms' as const, from: STORY, to: STORY + 10 * MINUTE, units: [UNIT] }];
  const households = [{ channel: 'sms' as const, address: '+86100999', unitId: UNIT }];
  const { players } = new Stage(castWith({ outages, households }));
  expect(players.refusal('sms', '+861001')).toBe('provider out');
  expect(players.refusal('sms', '+86100999')).toBe('provider out');
  expect(players.refusal('sms', '+86100elsewhere')).toBeNull();
  expect(players.refusal('email', 'p1@village.example')).toBeNull();
  vi.setSystemTime(START + (10 * MINUTE) / SPEED);
  expect(players.refusal('sms', '+861001')).toBeNull();
  const wrong = new Stage(castWith({}, { ...READY, wrongNumbers: 100 })).players;
  expect(wrong.refusal('sms', '+861001')).toBe('wrong address');
  expect(wrong.refusal('sms', '+86100elsewhere')).toBeNull();
});

test('who is not in the cast belongs to the ordinary crowd, a household in the dark when it is light', () => {
  const households = [{ channel: 'sms' as const, address: '+86100999', unitId: UNIT }];
  const stage = new Stage(
    castWith({ households, darkness: [{ unitId: UNIT, from: STORY, to: STORY + MINUTE }] }),
  );
  stage.hear(0, { address: '+86100888' });
  stage.hear(0, { address: '+86100999' });
  expect(stage.ordinary.map(({ address }) => address)).toEqual(['+86100888']);
  stage.run(START + MINUTE / SPEED);
  expect(stage.ordinary.map(({ address }) => address)).toEqual(['+86100888', '+86100999']);
});

test('a sandbox that was killed goes on where it was: each answer once, later by the time it was dead', () => {
  const cast = castWith({}, { ...READY, cannotAct: 20, done: { percent: 100, delay: 'usual' } });
  cast.warnings = cast.warnings.map((warning) => ({ ...warning, doneTiers: ['village'] }));
  const whole = new Stage(cast);
  const messages = cast.people.map(({ key }) => ({
    ...{
      channel: 'sms' as const,
      reference: `d${key}sms.1`,
      deliveryId: `d${key}sms`,
      attempt: 1,
      warningId: '1',
    },
    ...{ address: `+86100${key}`, messageId: `m${key}`, at: new Date(START).toISOString(), bytes: 1 },
    ...{ step: 'rung 0', speed: SPEED, fault: null, means: { via: 'sms' as const, number: '4821' } },
  }));
  for (const { key } of cast.people) whole.hear(key);
  whole.run(FAR);
  vi.setSystemTime(START);
  const before = new Stage(cast);
  for (const { key } of cast.people) before.hear(key);
  const died = START + (2 * MINUTE) / SPEED;
  before.run(died);
  expect(before.done.length).toBeGreaterThan(10);
  expect(before.done.length).toBeLessThan(PEOPLE);
  expect(before.done.map(({ who }) => who.kind)).toContain('cannot act');
  const dead = 7_000;
  vi.setSystemTime(died + dead);
  const after = new Stage(cast, [{ from: died, until: died + dead }]);
  // The last word left the sandbox, and nobody knows whether it arrived.
  const acts = before.done.map(({ at, who }, place) => ({
    ...{
      type: 'act' as const,
      actId: `act${place}`,
      via: 'sms' as const,
      ...who,
      at: new Date(at).toISOString(),
    },
    status: place === before.done.length - 1 ? null : 200,
  }));
  after.players.resume({ messages, acts, diedAt: died, waysOf: () => ({}) });
  after.run(FAR);
  const again = after.done.filter(({ doing }) => doing.actId !== undefined);
  expect(again.map(({ doing, who }) => [doing.actId, who.address])).toEqual([
    [`act${acts.length - 1}`, acts.at(-1)?.address],
  ]);
  const name = ({ who }: { who: Doing['who'] }) => `${who.address} ${who.kind}`;
  const rest = after.done.filter(({ doing }) => doing.actId === undefined);
  expect([...before.done, ...rest].map(name).sort()).toEqual(whole.done.map(name).sort());
  const wholeAt = new Map(whole.done.map((one) => [name(one), one.at]));
  for (const one of rest) expect(Math.abs(one.at - (wholeAt.get(name(one)) ?? 0) - dead)).toBeLessThan(2);
});

test('what was not said any more in an earlier life is not said to a warning that has come since', () => {
  const cast = castWith();
  const [first] = cast.warnings;
  if (!first) throw new Error('no warning');
  const second = { ...first, at: STORY + 200 * MINUTE };
  cast.warnings = [{ ...first, endsAt: second.at, successor: 1 }, second];
  const message = (warningId: string, channel: 'sms' | 'email', at: number) => ({
    ...{ channel, warningId, reference: `${warningId}${channel}`, deliveryId: `${warningId}${channel}` },
    ...{ address: channel === 'sms' ? '+861001' : 'p1@village.example', messageId: 'm', bytes: 1 },
    ...{ step: 'rung 0', speed: SPEED, fault: null, attempt: 1, at: new Date(at).toISOString() },
    means: { via: 'sms' as const, number: '4821' },
  });
  const changed = START + (200 * MINUTE) / SPEED;
  // Two messages of the first, of which one was answered; one of the second, which the sandbox died over.
  const messages = [message('1', 'sms', START), message('1', 'email', START), message('2', 'sms', changed)];
  const act = {
    ...{ type: 'act' as const, actId: 'a', via: 'sms' as const, kind: 'received' as const, status: 200 },
    ...{ warningId: '1', deliveryId: '1sms', address: '+861001' },
    at: new Date(START + (30 * MINUTE) / SPEED).toISOString(),
  };
  vi.setSystemTime(changed);
  const stage = new Stage(cast);
  stage.players.resume({ messages, acts: [act], diedAt: changed, waysOf: () => ({}) });
  stage.run(FAR);
  expect(stage.done.map(({ who }) => who.deliveryId)).toEqual(['2sms']);
});

test('a ledger knows between which times nobody lived, and those of the drill and its own are one', () => {
  vi.useRealTimers();
  const directory = mkdtempSync(path.join(tmpdir(), 'fenghuo-lives-'));
  try {
    const first = beginLife(directory, 0);
    first.stop();
    expect(first.gaps).toEqual([]);
    const from = Date.now();
    vi.useFakeTimers({ now: from + 60_000 });
    const second = beginLife(directory, 0);
    second.stop();
    expect(second.gaps).toHaveLength(1);
    expect(Math.abs((second.gaps[0]?.from ?? 0) - from)).toBeLessThan(1_000);
    expect(second.gaps[0]?.until).toBe(from + 60_000);
    expect(beginLife(directory, from + 90_000).gaps).toEqual(second.gaps);
  } finally {
    rmSync(directory, { recursive: true });
  }
  const gap = (start: number, until: number) => ({ from: start, until });
  expect(together([gap(1, 5), gap(20, 30)], [gap(4, 8), gap(9, 10)])).toEqual([
    gap(1, 8),
    gap(9, 10),
    gap(20, 30),
  ]);
});

test('a sandbox that starts again on its ledger has every person answer once, by text, by mail and by key', async () => {
  vi.useRealTimers();
  const directory = mkdtempSync(path.join(tmpdir(), 'fenghuo-players-'));
  const web = await startWebStandIn();
  const slow = { ...READY, delay: { median: 2, p90: 4 }, delayBy: { voice: { median: 2, p90: 4 } } };
  const cast = path.join(directory, 'cast.jsonl');
  writeFileSync(cast, [...castLines({ ...castWith({}, slow), startAt: Date.now() })].join('\n'));
  const secret = 'a secret of the gateway';
  const start = () =>
    startSandbox({
      ...{
        directory,
        cast,
        secret,
        seed: 'of faults',
        repliesUrl: `${web.url}/replies`,
        log: () => undefined,
      },
      http: { port: 0, secrets: { voice: secret, loudspeaker: '', robot: '', ntfyToken: '' } },
    });
  const keys = () =>
    web.others.filter(({ path: at }) => at === '/keys').flatMap(({ body }) => JSON.parse(body) as object[]);
  const posts = () => web.visits.filter(({ method }) => method === 'POST');
  const heard = () => web.taken().size + keys().length + posts().length;
  const first = await start();
  try {
    const sms = createSmsGatewayChannel({ url: first.gatewayUrl, secret, live: false });
    const email = createEmailChannel({ url: first.smtpUrl, from: 'w@fenghuo.example', live: false });
    const voice = createVoiceGateway({ url: first.httpUrl ?? '', secret, live: false });
    const to = (channel: { send: ChannelPort['send'] }, key: number, change: Partial<OutgoingMessage>) =>
      channel.send(outgoing({ deliveryId: `d${key}`, warningId: '1', address: `+86100${key}`, ...change }));
    const sent = await Promise.all(
      Array.from({ length: PEOPLE }, (_, key) => {
        if (key % 4 === 0) return to(voice, key, {});
        if (key % 4 === 1)
          return to(email, key, { address: `p${key}@village.example`, text: mailText(web.url, `d${key}`) });
        return to(sms, key, { parameters: smsParameters() });
      }),
    );
    expect(new Set(sent.map(({ outcome }) => outcome))).toEqual(new Set(['handed off']));
    await Promise.all([sms.close(), email.close(), voice.close()]);
    await vi.waitFor(() => expect(heard()).toBeGreaterThan(5), { timeout: 30_000 });
  } finally {
    await first.stop();
  }
  expect(heard()).toBeLessThan(PEOPLE);
  const second = await start();
  try {
    await vi.waitFor(() => expect(second.stats().people).toEqual({ toCome: 0, onTheirWay: 0 }), {
      timeout: 60_000,
      interval: 50,
    });
  } finally {
    await second.stop();
    await web.stop();
    rmSync(directory, { recursive: true });
  }
  expect(web.taken().size).toBe(PEOPLE / 2);
  expect(new Set([...web.taken().values()].map(({ from }) => from)).size).toBe(PEOPLE / 2);
  expect(new Set(keys().map((key) => (key as { reference: string }).reference)).size).toBe(PEOPLE / 4);
  expect(new Set(posts().map(({ path: at }) => at)).size).toBe(PEOPLE / 4);
});
