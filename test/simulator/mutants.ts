/** Builds that are broken on purpose, one promise each: the simulator must see it, or it would see nothing. */
import type { ClaimedSlice, PageStore, SettledSlice, StepStore } from '../../domain/store.ts';
import type { DropReason } from '../../domain/guard.ts';
import type { SeedOptions } from './simulation.ts';
import type { SimulatedWorldData } from './world.ts';

export type Mutant = {
  name: string;
  /** Numbers of the invariants of which one must be found broken. */
  breaks: number[];
  options: SeedOptions;
};

export const MUTANTS: Mutant[] = [
  {
    name: 'claim removed: a slice is given out twice',
    breaks: [2, 6],
    options: { wrap: () => ({ pages: givenTwice() }) },
  },
  {
    name: 'GET answers: no number is asked for, so that any scanner of links is heard',
    breaks: [3],
    options: { numbersUnchecked: true, world: withTemper({ scanners: 0.5 }) },
  },
  {
    name: 'dedupe dropped: nobody asks for the key of a person’s message',
    breaks: [6],
    options: { wrap: () => ({ pages: claims((slice) => eachDelivery(slice, { mergedInto: null })) }) },
  },
  {
    name: 'cancel ignored by the guard',
    breaks: [5],
    options: { wrap: () => ({ pages: undropped('cancelled') }), world: { cancelAfterMs: 20_000 } },
  },
  {
    name: 'expiry ignored by the guard',
    breaks: [5],
    options: { wrap: () => ({ pages: undropped('expired') }), world: withTemper({ later: 0.4, silence: 1 }) },
  },
  {
    name: 'answer ignored by the guard',
    breaks: [7],
    options: {
      wrap: () => ({ pages: undropped('answered') }),
      world: withTemper({ later: 0.4, answerLost: 0.3 }),
    },
  },
  {
    name: 'drill flag lost on the way to the channel',
    breaks: [4],
    options: {
      world: { kind: 'exercise', miswired: true },
      wrap: () => ({
        pages: claims((slice) => ({
          ...eachDelivery(slice, { synthetic: false }),
          warning: { ...slice.warning, kind: 'actual' },
        })),
      }),
    },
  },
  {
    name: 'lease ignored: another attempt takes a leased slice',
    breaks: [2, 6],
    options: { sabotage: { leaseIgnored: true }, world: { faultKinds: ['page run twice'], sluggish: 0.8 } },
  },
  { name: 'inbox read by cursor', breaks: [1, 7, 8], options: { sabotage: { inboxByCursor: true } } },
  {
    name: 'retries forgotten',
    breaks: [1],
    options: {
      wrap: () => ({ pages: settles((settled) => eachSettlement(settled, { retryAfterMs: null })) }),
      world: withTemper({ later: 0.4 }),
    },
  },
  {
    name: 'repeats are not flagged',
    breaks: [6],
    options: {
      wrap: () => ({ pages: claims((slice) => eachDelivery(slice, { possibleDuplicate: false })) }),
      world: withTemper({ answerLost: 0.4 }),
    },
  },
  {
    name: 'an attempt of unknown outcome is adopted, whether the provider has it or not',
    breaks: [2],
    options: {
      wrap: () => ({
        pages: claims((slice) => eachDelivery(slice, { heardOf: { providerId: null, sender: 'any' } })),
      }),
      world: withTemper({ requestLost: 0.4 }),
    },
  },
  {
    name: 'settlements do not reach the cell',
    breaks: [1, 7],
    options: {
      wrap: () => ({
        pages: settles(({ letter, ...rest }) => ({ ...rest, letter: { ...letter, handedOff: [] } })),
      }),
    },
  },
  {
    name: 'deadlines count from before the hand-off',
    breaks: [7],
    options: { wrap: () => ({ pages: settles(toldEarlier) }) },
  },
  {
    name: 'an update ignored by the guard',
    breaks: [5],
    options: {
      wrap: () => ({ pages: undropped('superseded') }),
      world: { update: { afterMs: 20_000, areaIds: [1] } },
    },
  },
  {
    name: 'nobody whom an update leaves out hears of it',
    breaks: [5],
    options: {
      wrap: () => ({ steps: withoutNotices }),
      world: { cancelAfterMs: null, update: { afterMs: 60_000, areaIds: [2] } },
    },
  },
  {
    name: 'nobody hears of a cancel',
    breaks: [5],
    options: { wrap: () => ({ steps: withoutNotices }), world: { cancelAfterMs: 60_000 } },
  },
  {
    name: 'two slices of a page are settled at once without the page’s lock',
    breaks: [1],
    options: {
      sabotage: { settlementUnlocked: true },
      world: {
        faultKinds: ['page run twice'],
        faultsUntilMs: 600_000,
        sliceMost: 2,
        workers: 3,
        pauseShare: 1,
        slow: 0.25,
      },
    },
  },
  {
    name: 'a message’s key is freed though an attempt may have arrived',
    breaks: [6],
    options: { sabotage: { keysFreed: true }, world: withTemper({ answerLost: 0.4, hang: 0.2, again: 0.3 }) },
  },
  {
    name: 'a delivery that waits for another to the same person is given up',
    breaks: [1],
    options: { wrap: () => ({ pages: settles(withoutPatience) }) },
  },
  {
    name: 'a step that waited for a cancel takes it for the expiry',
    breaks: [5],
    options: {
      sabotage: { cancelOverlooked: true },
      world: { lastsMs: 60_000, cancelAfterMs: 59_996, workers: 3, pauseShare: 0.5, slow: 0.25 },
    },
  },
  {
    name: 'a person’s repeated word is not heard',
    breaks: [8],
    options: {
      sabotage: { repeatsUnheard: true },
      world: withTemper({ again: 0.8, cannotAct: 0.4, silence: 0.1 }),
    },
  },
];

/** What people and channels do beside, in a world that is calm otherwise. */
function withTemper(changes: Partial<SimulatedWorldData['temper']>): Partial<SimulatedWorldData> {
  const calm = {
    cannotAct: 0.1,
    again: 0.1,
    badContacts: 0.05,
    later: 0,
    answerLost: 0,
    requestLost: 0,
    hang: 0,
  };
  return { temper: { silence: 0.4, scanners: 0, ...calm, ...changes } };
}

// ── broken ports ────────────────────────────────────────────────────────────────────────────────────────────

function claims(change: (slice: ClaimedSlice) => ClaimedSlice): (store: PageStore) => PageStore {
  return (store) => ({
    ...store,
    claim: async (pageId, input) => {
      const claimed = await store.claim(pageId, input);
      return claimed.kind === 'slice' ? { kind: 'slice', slice: change(claimed.slice) } : claimed;
    },
  });
}

function settles(change: (slice: SettledSlice) => SettledSlice): (store: PageStore) => PageStore {
  return (store) => ({ ...store, settle: (slice) => store.settle(change(slice)) });
}

function undropped(reason: DropReason): (store: PageStore) => PageStore {
  return claims((slice) => ({
    ...slice,
    deliveries: slice.deliveries.map((delivery) =>
      delivery.drop === reason ? { ...delivery, drop: null } : delivery,
    ),
  }));
}

function eachDelivery(
  slice: ClaimedSlice,
  change: Partial<ClaimedSlice['deliveries'][number]>,
): ClaimedSlice {
  return { ...slice, deliveries: slice.deliveries.map((delivery) => ({ ...delivery, ...change })) };
}

function eachSettlement(
  settled: SettledSlice,
  change: Partial<SettledSlice['settlements'][number]>,
): SettledSlice {
  return { ...settled, settlements: settled.settlements.map((settlement) => ({ ...settlement, ...change })) };
}

function toldEarlier(settled: SettledSlice): SettledSlice {
  const handedOff = settled.letter.handedOff.map(([unitId, at]): [number, number] => [unitId, at - 3_000]);
  return { ...settled, letter: { ...settled.letter, handedOff } };
}

function withoutPatience(settled: SettledSlice): SettledSlice {
  const settlements = settled.settlements.map((settlement) =>
    settlement.reason === 'merge-pending' && settlement.attempt >= 3
      ? { ...settlement, retryAfterMs: null }
      : settlement,
  );
  return { ...settled, settlements };
}

function givenTwice(): (store: PageStore) => PageStore {
  const given = new Map<number, ClaimedSlice>();
  return (store) => ({
    ...store,
    claim: async (pageId, input) => {
      const again = given.get(pageId);
      given.delete(pageId);
      if (again) return { kind: 'slice', slice: again };
      const claimed = await store.claim(pageId, input);
      if (claimed.kind === 'slice') given.set(pageId, claimed.slice);
      return claimed;
    },
  });
}

function withoutNotices(store: StepStore): StepStore {
  return {
    step: (cellId, work) =>
      store.step(cellId, (cell, tx) => {
        tx.findPossiblyTold = async () => [];
        return work(cell, tx);
      }),
  };
}
