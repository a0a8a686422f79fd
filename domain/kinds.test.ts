import { describe, expect, it } from 'vitest';
import { GIVEN_UP_DAYS, gapsOf, isGrave, isWanted, stopsPublishing, type KindFacts } from './kinds.ts';

const NOW = Date.UTC(2026, 6, 9);

const WORKER = { senders: ['smtp'], namespace: 'fenghuo-actual', publicUrl: 'https://warn.example' };
const READY: KindFacts = {
  kind: 'actual',
  seenAt: NOW,
  workers: [WORKER],
  web: true,
  twoPersons: true,
  misdirected: 0,
};

describe('actual warnings', () => {
  it('are ready with a worker that has a sender, a web, two persons and an address that leads to them', () => {
    expect(gapsOf(READY)).toEqual([]);
    expect(gapsOf({ ...READY, workers: [{ ...WORKER, senders: [] }, WORKER] })).toEqual([]);
  });

  it.each<[gaps: string[], change: Partial<KindFacts>]>([
    [['no worker'], { workers: [] }],
    [['no sender'], { workers: [{ ...WORKER, senders: [] }] }],
    [['no operators'], { twoPersons: false }],
    [['no web'], { web: false }],
    [['plain address'], { workers: [{ ...WORKER, publicUrl: 'http://warn.example' }] }],
    ...['https://127.0.0.1', 'https://localhost:8443', 'https://[::1]', 'https://127.1.2.3'].map(
      (publicUrl): [string[], Partial<KindFacts>] => [
        ['address of this machine'],
        { workers: [{ ...WORKER, publicUrl }] },
      ],
    ),
    [['two namespaces'], { workers: [WORKER, { ...WORKER, namespace: 'other' }] }],
    [['misdirected'], { misdirected: 1 }],
  ])('are not: %s', (gaps, change) => {
    expect(gapsOf({ ...READY, ...change })).toEqual(gaps);
  });

  it('can go out all the same where only links or replies suffer', () => {
    expect((['no web', 'plain address', 'address of this machine'] as const).filter(isGrave)).toEqual([]);
    expect(
      (['no worker', 'no sender', 'no operators', 'two namespaces', 'misdirected'] as const).every(isGrave),
    ).toBe(true);
  });
});

it('nothing is published where it would go nowhere, whatever else is missing', () => {
  const stopping = gapsOf({ ...READY, workers: [] }).filter(stopsPublishing);
  expect(stopping).toEqual(['no worker']);
  const noSender = { ...READY, workers: [{ ...WORKER, senders: [] }] };
  expect(gapsOf(noSender).filter(stopsPublishing)).toEqual(['no sender']);
  expect(gapsOf({ ...READY, web: false, misdirected: 1 }).filter(stopsPublishing)).toEqual([]);
});

it('a kind is given up a week after its last worker, and not wanted where there never was one', () => {
  const day = 86_400_000;
  const after = (days: number) => isWanted({ ...READY, workers: [], seenAt: NOW }, NOW + days * day);
  expect([after(0), after(GIVEN_UP_DAYS - 0.01), after(GIVEN_UP_DAYS)]).toEqual([true, true, false]);
  expect(isWanted({ ...READY, seenAt: null }, NOW)).toBe(false);
});

it('Exercises need neither two persons nor an address that leads outside', () => {
  const here = { ...WORKER, publicUrl: 'http://127.0.0.1:8080' };
  expect(gapsOf({ ...READY, kind: 'exercise', workers: [here], web: false, twoPersons: false })).toEqual([]);
});
