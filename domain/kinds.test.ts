import { describe, expect, it } from 'vitest';
import { gapsOf, isGrave, type KindFacts } from './kinds.ts';

const WORKER = { senders: ['smtp'], namespace: 'fenghuo-actual', publicUrl: 'https://warn.example' };
const READY: KindFacts = {
  kind: 'actual',
  wasThere: true,
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

it('Exercises need neither two persons nor an address that leads outside', () => {
  const here = { ...WORKER, publicUrl: 'http://127.0.0.1:8080' };
  expect(gapsOf({ ...READY, kind: 'exercise', workers: [here], web: false, twoPersons: false })).toEqual([]);
});
