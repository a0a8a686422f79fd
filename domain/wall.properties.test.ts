/**
 * The wall as a property of the pure rules: whatever is to be sent, by whomever, to whomever, no sender takes what is not its own; and
 * whatever an Exercise says, in however many parts it arrives, nobody can take it for an actual warning.
 */
import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { describe, expect, it } from 'vitest';
import { channelRefusal, mayReachThePublic, type Purpose, type Reach } from './guard.ts';
import { KINDS } from './kinds.ts';
import { LEVELS } from './levels.ts';
import { denialIn, EXERCISE_MARK, inParts, render, standardText } from './texts.ts';

const REACHES: readonly Reach[] = [true, false, 'agreed', 'simulated'];
const PURPOSES: readonly Purpose[] = [
  ...(['rung', 'bridge notice', 'digest', 'end report', 'household', 'cancel notice'] as const),
  ...(['done reminder', 'door to door', 'change notice'] as const),
];

const messages = fc.record({
  kind: fc.constantFrom(...KINDS),
  synthetic: fc.boolean(),
  exercise: fc.option(fc.record({ step: fc.string(), speed: fc.integer({ min: 1, max: 3_600 }) })),
});

describe('what a sender takes', () => {
  it('a live one takes no Exercise, and nobody who is made up', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const taken = channelRefusal(message, true) === null;
        expect(taken).toBe(message.kind === 'actual' && !message.synthetic && message.exercise === null);
        expect(taken).toBe(mayReachThePublic(message));
      }),
    );
  });

  it('nothing but a live one takes an actual warning', () => {
    fc.assert(
      fc.property(messages, fc.constantFrom<Reach>(false, 'agreed', 'simulated'), (message, reach) => {
        if (message.kind === 'actual') expect(channelRefusal(message, reach)).not.toBeNull();
      }),
    );
  });

  it('in a drill, stand-ins take nobody real, and the account nobody who is made up', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const exercise = message.kind === 'exercise';
        expect(channelRefusal(message, 'simulated') === null).toBe(exercise && message.synthetic);
        expect(channelRefusal(message, 'agreed') === null).toBe(exercise && !message.synthetic);
      }),
    );
  });

  it('of the ends that one process may have, one at the most takes a message', () => {
    fc.assert(
      fc.property(messages, (message) => {
        const taking = (...reaches: Reach[]) =>
          reaches.filter((reach) => channelRefusal(message, reach) === null).length;
        expect(taking('agreed', 'simulated')).toBeLessThanOrEqual(1);
        expect(taking(true, 'agreed', 'simulated')).toBeLessThanOrEqual(1);
        expect(taking(true, false)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('something may be sent by each: a rule that stops everything proves nothing', () => {
    const taken = (reach: Reach, kind: 'exercise' | 'actual', synthetic: boolean) =>
      channelRefusal({ kind, synthetic, exercise: null }, reach) === null;
    expect(REACHES.filter((reach) => taken(reach, 'actual', false))).toEqual([true]);
    expect(REACHES.filter((reach) => taken(reach, 'exercise', true))).toEqual([false, 'simulated']);
    expect(REACHES.filter((reach) => taken(reach, 'exercise', false))).toEqual([false, 'agreed']);
  });
});

const LINK = 'https://answers.example/a/1024.abcdefghijklmnop';

/** What people write, and what they might write to get around the marks. */
const words = fc
  .array(
    fc.constantFrom(
      ...[
        '这',
        '不是',
        '不属于',
        '非',
        '一次',
        '演练',
        '演 练',
        '演习',
        '测试',
        '【',
        '】',
        '【演练】',
        '除非',
        '。',
      ],
      ...[
        ',',
        ' ',
        '\n',
        '濯水镇',
        '立即转移危险区域群众',
        '3 日 14 时',
        '4821',
        '雨量 120.5 mm',
        '😀',
        '🏔️',
      ],
      ...[
        'This is ',
        'not ',
        'a ',
        'drill',
        'exercise',
        'just ',
        'test',
        "isn't ",
        'no ',
        '[EXERCISE]',
        'move out. ',
      ],
      ...[LINK],
    ),
    { maxLength: 60 },
  )
  .map((said) => said.join(''));
const texts = fc.oneof({ weight: 4, arbitrary: words }, fc.string({ maxLength: 400, unit: 'grapheme' }));
const names = fc.array(fc.oneof(fc.constant('濯水镇'), fc.constant('第十二村民小组'), words), {
  minLength: 1,
  maxLength: 8,
});

const exercises = fc.record({
  language: fc.constantFrom('zh' as const, 'en' as const),
  purpose: fc.constantFrom(...PURPOSES),
  issuer: fc.constantFrom('重庆市气象台', '台', 'County Office of Emergencies'),
  level: fc.constantFrom(...LEVELS.map(({ id }) => id)),
  text: texts,
  units: names,
  count: fc.nat(500),
  link: fc.option(fc.constant(LINK)),
  orLink: fc.option(fc.constant(LINK)),
  superseded: fc.boolean(),
  carried: fc.boolean(),
});
type Exercise = typeof exercises extends fc.Arbitrary<infer T> ? T : never;

function rendered(exercise: Exercise) {
  const { language, purpose, issuer, level, text, units, count, link, orLink, superseded, carried } =
    exercise;
  return render(
    {
      ...{ warningId: 12, kind: 'exercise', hazard: '11B03', level, issuer, superseded },
      ...{ textZh: text, textEn: text, endTextZh: text, endTextEn: text, expiresAt: 7_200_000 },
    },
    {
      ...{ purpose, language, units, number: '4821', link, orLink, carried },
      bridge: { silent: units[0] ?? '', reportsTo: units.at(-1) ?? '' },
      digest: { count, names: units },
      doors: { count, names: units },
      report: { units: count, answered: 0, silent: count },
      toldBefore: { level: 'blue', expiresAt: 0, textZh: '', textEn: '' },
    },
  );
}

/** As a gateway cuts it, with its signature before it. */
function partsOf(issuer: string, text: string): string[] {
  return new SegmentedMessage(`【${issuer}】${text}`).segments.map((part) =>
    (part as unknown as { raw?: string }[]).map(({ raw }) => raw ?? '').join(''),
  );
}

/** True where a good deal of a link is in it. */
function holdsLink(part: string): boolean {
  return [...LINK].some((_, at) => at + 20 <= LINK.length && part.includes(LINK.slice(at, at + 20)));
}

describe('what an Exercise says', () => {
  it('bears the mark at both ends of subject and text, and never denies what it is', () => {
    fc.assert(
      fc.property(exercises, (exercise) => {
        const mark = EXERCISE_MARK[exercise.language];
        const { subject, text } = rendered(exercise);
        const sms = inParts({ kind: 'exercise', issuer: exercise.issuer }, exercise.language, text);
        for (const said of [subject, text, sms]) {
          expect(said.startsWith(mark)).toBe(true);
          expect(said.endsWith(mark)).toBe(true);
          expect(denialIn(said)).toBeNull();
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('bears it in every part of an SMS: whoever gets one part alone sees what it is', () => {
    let long = 0;
    fc.assert(
      fc.property(exercises, (exercise) => {
        const { language, issuer } = exercise;
        const mark = EXERCISE_MARK[language];
        const sms = inParts({ kind: 'exercise', issuer }, language, rendered(exercise).text);
        const parts = partsOf(issuer, sms);
        if (parts.length > 2) long += 1;
        // The end of a last mark may stand alone in a part, and says nothing without the others.
        // Links stay whole, and one alone nearly fills a part.
        const says = parts.filter((part) => !mark.endsWith(part) && !holdsLink(part));
        for (const part of says) expect(part).toContain(mark);
      }),
      { numRuns: 1_000 },
    );
    expect(long).toBeGreaterThan(100);
  });

  it('is whole: without the marks in between, it is what was rendered, and numbers and links stand unbroken', () => {
    fc.assert(
      fc.property(exercises, (exercise) => {
        const { language, issuer } = exercise;
        const { text } = rendered(exercise);
        const sms = inParts({ kind: 'exercise', issuer }, language, text);
        const bare = (said: string) => said.replaceAll(/ ?(【演练】|\[EXERCISE\])/g, '');
        // A negation that would meet a mark in between goes, and nothing else.
        if (denialIn(bare(text)) === null && !/不\W*[是属屬]|非/.test(text))
          expect(bare(sms)).toBe(bare(text));
        for (const token of ['4821', LINK]) expect(sms.split(token).length).toBe(text.split(token).length);
      }),
      { numRuns: 1_000 },
    );
  });

  it('leaves an actual warning as it was written', () => {
    fc.assert(
      fc.property(texts, fc.constantFrom('zh' as const, 'en' as const), (text, language) => {
        expect(inParts({ kind: 'actual', issuer: '重庆市气象台' }, language, text)).toBe(text);
      }),
    );
  });

  it('is as short as before where it has two parts', () => {
    const input = {
      issuer: '重庆市气象台',
      hazard: '11B03',
      level: 'red',
      areas: ['濯水镇'],
      issuedAt: 0,
    } as const;
    const text = `【演练】${standardText('zh', input)}请濯水镇回复 1 4821 确认收到,无法执行回复 3 4821。【演练】`;
    expect(inParts({ kind: 'exercise', issuer: input.issuer }, 'zh', text)).toBe(text);
  });
});
