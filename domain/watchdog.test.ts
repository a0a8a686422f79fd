/** What counts as a trouble, and when it is shouted. */
import { describe, expect, test } from 'vitest';
import {
  AT_ONCE,
  findTroubles,
  LOOK_EVERY_MS,
  nextShouts,
  PAGES_PATIENCE,
  WATCH_WINDOW_S,
  type Shouted,
  type Trouble,
  type Watch,
  type WatchFacts,
} from './watchdog.ts';

const S = 1_000;
const NOW = 1_000_000_000;
const ago = (seconds: number) => NOW - seconds * S;

/** All is well, with one Exercise open. */
const WELL: WatchFacts = {
  now: NOW,
  workerAt: { exercise: ago(2), actual: null },
  temporalAt: ago(2),
  intakeAt: { exercise: ago(1), actual: null },
  openWarnings: { exercise: 1, actual: 0 },
  drillServerAt: null,
  scheduledSince: null,
  feeds: [],
  standing: [],
};

const STANDING = { warningId: 3, kind: 'exercise', cells: 1, pages: 0, since: ago(30) } as const;

function kinds(changes: Partial<WatchFacts>, watch: Watch | null = AT_ONCE): string[] {
  const { troubles } = findTroubles({ ...WELL, ...changes }, { windowMs: 20 * S, watch });
  return troubles.map(({ kind, subject }) => `${kind} ${subject}`.trim());
}

test('the longest way from a fault to its shout is below a minute', () => {
  // A sign of life is due every 4 s, a page waits for the window and half of it, then comes the next look.
  expect(WATCH_WINDOW_S.most * S * PAGES_PATIENCE + LOOK_EVERY_MS).toBeLessThan(60 * S);
});

describe('troubles', () => {
  test.each<[string, Partial<WatchFacts>, string[]]>([
    ['none where everybody shows life', {}, []],
    ['a worker silent for less than the window', { workerAt: { exercise: ago(19), actual: null } }, []],
    [
      'a worker silent for longer',
      { workerAt: { exercise: ago(21), actual: null } },
      ['workers gone exercise'],
    ],
    [
      'a warning without any worker yet',
      { workerAt: { exercise: null, actual: null } },
      ['workers gone exercise'],
    ],
    [
      'workers of the wrong kind alone',
      { openWarnings: { exercise: 0, actual: 1 } },
      ['workers gone actual'],
    ],
    [
      'no worker, and nothing open',
      { workerAt: { exercise: ago(60), actual: null }, openWarnings: { exercise: 0, actual: 0 } },
      ['workers gone'],
    ],
    [
      'an installation that never had a worker nor a warning',
      {
        workerAt: { exercise: null, actual: null },
        temporalAt: null,
        intakeAt: { exercise: null, actual: null },
        openWarnings: { exercise: 0, actual: 0 },
      },
      [],
    ],
    ['workers live and none reaches Temporal', { temporalAt: ago(21) }, ['temporal gone']],
    [
      'nothing is said of Temporal where no worker could know',
      { temporalAt: ago(21), workerAt: { exercise: ago(21), actual: null } },
      ['workers gone exercise'],
    ],
    ['workers of the release before never said that they reach Temporal', { temporalAt: null }, []],
    ['no web process lives', { intakeAt: { exercise: ago(21), actual: null } }, ['intake gone exercise']],
    [
      'that of actual warnings alone is gone',
      { intakeAt: { exercise: ago(1), actual: ago(21) } },
      ['intake gone actual'],
    ],
    [
      'that of actual warnings was given up a week ago',
      { intakeAt: { exercise: ago(1), actual: ago(7 * 86_400) } },
      [],
    ],
    [
      'a week ago, and an actual warning is open',
      {
        intakeAt: { exercise: ago(1), actual: ago(7 * 86_400) },
        workerAt: { exercise: ago(1), actual: ago(1) },
        openWarnings: { exercise: 0, actual: 1 },
      },
      ['intake gone actual'],
    ],
    ['drills are scheduled and conducted', { scheduledSince: ago(600), drillServerAt: ago(5) }, []],
    [
      'drills are scheduled and their server is gone',
      { scheduledSince: ago(600), drillServerAt: ago(21) },
      ['drills unserved'],
    ],
    ['drills are scheduled and nobody was ever there', { scheduledSince: ago(21) }, ['drills unserved']],
    ['the first schedule is young', { scheduledSince: ago(19), drillServerAt: ago(86_400) }, []],
    ['the server is gone and nothing is scheduled', { drillServerAt: ago(86_400) }, []],
    [
      'drills are unserved whatever else is gone',
      { scheduledSince: ago(600), workerAt: { exercise: ago(21), actual: null } },
      ['workers gone exercise', 'drills unserved'],
    ],
    ['a feed is to be read again soon', { feeds: [{ url: 'https://a.example', dueAt: ago(-30) }] }, []],
    ['a feed is a little late', { feeds: [{ url: 'https://a.example', dueAt: ago(19) }] }, []],
    [
      'one feed of two has not been read again',
      {
        feeds: [
          { url: 'https://a.example', dueAt: ago(21) },
          { url: 'https://b.example', dueAt: ago(-30) },
        ],
      },
      ['feed unread https://a.example'],
    ],
    ['no web process ever lived', { intakeAt: { exercise: null, actual: null } }, []],
    ['a cascade stands still', { standing: [STANDING] }, ['no progress W3']],
    [
      'a cascade stands still for a known reason',
      { standing: [STANDING], temporalAt: ago(40) },
      ['temporal gone'],
    ],
    [
      'a cascade stands still, and the reason is about to be known',
      { standing: [STANDING], workerAt: { exercise: ago(16), actual: null } },
      [],
    ],
  ])('%s', (_name, changes, expected) => {
    expect(kinds(changes)).toEqual(expected);
  });

  test('a watchdog that begins, or was blind, gives everybody the whole window', () => {
    const silent = { workerAt: { exercise: ago(600), actual: null } };
    expect(kinds(silent, null)).toEqual([]);
    expect(kinds(silent, { since: ago(19), hinderedAt: -Infinity })).toEqual([]);
    expect(kinds(silent, { since: ago(21), hinderedAt: -Infinity })).toEqual(['workers gone exercise']);
  });

  test('after Temporal came back a cascade has the window to move again', () => {
    const standing = [{ ...STANDING, since: ago(300) }];
    const { watch } = findTroubles({ ...WELL, temporalAt: ago(300) }, { windowMs: 20 * S, watch: AT_ONCE });
    expect(watch.hinderedAt).toBe(NOW);
    expect(kinds({ standing }, { since: -Infinity, hinderedAt: ago(19) })).toEqual([]);
    expect(kinds({ standing }, { since: -Infinity, hinderedAt: ago(21) })).toEqual(['no progress W3']);
  });
});

describe('shouts', () => {
  const trouble = (kind: Trouble['kind'], subject = ''): Trouble => ({
    kind,
    subject,
    forMs: 1,
    openWarnings: 1,
  });

  /** Looks once a minute and writes down what is shouted, in words. */
  function shoutsOf(looks: Trouble[][]): string[][] {
    let shouted: Shouted[] = [];
    return looks.map((troubles, minute) => {
      const next = nextShouts(shouted, troubles, { at: minute * 60 * S, againMs: 3 * 60 * S });
      shouted = next.shouted;
      return next.shouts.map(({ when, trouble: { kind, subject } }) => `${when} ${kind} ${subject}`.trim());
    });
  }

  test('one when it begins, one every so often, one when it is over', () => {
    const gone = [trouble('workers gone')];
    expect(shoutsOf([[], gone, gone, gone, gone, gone, [], []])).toEqual([
      [],
      ['begun workers gone'],
      [],
      [],
      ['again workers gone'],
      [],
      ['over workers gone'],
      [],
    ]);
  });

  test('each trouble for itself', () => {
    const [w1, w2] = [trouble('no progress', 'W1'), trouble('no progress', 'W2')];
    expect(shoutsOf([[w1], [w1, w2], [w2], []])).toEqual([
      ['begun no progress W1'],
      ['begun no progress W2'],
      ['over no progress W1'],
      ['over no progress W2'],
    ]);
  });

  test('what comes back is shouted anew', () => {
    const gone = [trouble('temporal gone')];
    expect(shoutsOf([gone, [], gone])).toEqual([
      ['begun temporal gone'],
      ['over temporal gone'],
      ['begun temporal gone'],
    ]);
  });
});
