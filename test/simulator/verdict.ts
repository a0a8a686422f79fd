/** The invariants at the end, when everything is at rest: from the tree, the rules, the tables and the far side's ledger. */
import type { Rung } from '../../domain/rules.ts';
import type { UnitState } from '../../domain/unit.ts';
import type { Deed, Taken } from './far-side.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { addressKey, deliveryKey, type DeliveryRow } from './memory-tables.ts';
import { stands, type Watch } from './watch.ts';

/** What opening may take while all is well: descent by letters, from tier to tier. */
const OPENING_MS = 60_000;

export type Facts = {
  db: MemoryDatabase;
  watch: Watch;
  ledger: readonly Taken[];
  deeds: ReadonlyMap<number, Deed>;
  /** When the last fault was over. */
  calmAt: number;
  poisoned: { surely: number; atMost: number };
};

export function judgeEnd(facts: Facts): void {
  checkRest(facts);
  checkRecorded(facts);
  checkLost(facts);
  checkOpened(facts);
  checkAnswers(facts);
  checkTold(facts);
  checkDuplicates(facts);
  checkNotices(facts);
}

/** Every unit, page and cell has ended, and nothing waits. */
function checkRest({ db, watch, poisoned }: Facts): void {
  for (const { state } of db.units.values())
    if (state.ended === null) watch.broken(7, `unit ${state.unitId} never ended`);
  for (const page of db.pages.values())
    if (page.endedAt === null) watch.broken(1, `page ${page.pageId} never ended`);
  for (const cell of db.cells.values())
    if (cell.status !== 'closed') watch.broken(7, `cell ${cell.cellId} never closed`);
  if (db.inbox.size > 0) watch.broken(7, `${db.inbox.size} letters were never taken`);
  if (db.retries.size > 0) watch.broken(1, `${db.retries.size} retries were never made`);
  const claims = [...db.claims.values()].flat().filter((claim) => claim.settledAt === null);
  if (claims.length > 0) watch.broken(1, `${claims.length} slices were never settled`);
  const dead = db.deadLetters.length;
  if (dead < poisoned.surely || dead > poisoned.atMost)
    watch.broken(1, `${dead} letters were put aside, first: ${db.deadLetters[0]?.reason ?? 'none'}`);
}

/** 2. What a provider has stands with us, as sent or as unknown. */
function checkRecorded({ db, watch, ledger }: Facts): void {
  for (const { deliveryId, attempt } of ledger) {
    const row = db.deliveries.get(deliveryKey(deliveryId, attempt));
    if (row?.outcome !== 'handed off' && row?.outcome !== 'unknown')
      watch.broken(
        2,
        `delivery ${deliveryId} attempt ${attempt} was taken and is ${row?.outcome ?? 'not recorded'}`,
      );
  }
  const taken = new Set(ledger.map((entry) => deliveryKey(entry.deliveryId, entry.attempt)));
  const has = new Set(ledger.map(({ deliveryId }) => deliveryId));
  for (const [key, row] of db.deliveries) {
    // Adopted: not sent again, because the provider had it from an earlier attempt.
    if (adopted(row) ? !has.has(row.deliveryId) : row.outcome === 'handed off' && !taken.has(key))
      watch.broken(2, `delivery ${row.deliveryId} attempt ${row.attempt} is recorded as sent and was not`);
  }
}

function adopted({ outcome, reason }: DeliveryRow): boolean {
  return outcome === 'handed off' && (reason?.startsWith('adopted-') ?? false);
}

/** 1. What tree and rules ask for has an outcome, and its last one is final. */
function checkLost({ db, watch }: Facts): void {
  const { world } = db;
  const { rules } = world.data;
  const last = new Map<string, DeliveryRow>();
  for (const row of db.deliveries.values()) {
    const key = [row.purpose, row.step, row.unitId, row.audience, row.recipientId, row.channel].join(' ');
    if ((last.get(key)?.attempt ?? 0) < row.attempt) last.set(key, row);
  }
  const expect = (key: string, address: string) => {
    const row = last.get(key);
    // Nothing has to go to an address that is known not to work.
    if (!row) return db.faulty.has(address) ? undefined : watch.broken(1, `lost: ${key}`);
    const open = row.outcome === 'later' || row.outcome === 'unknown';
    if (row.reason === 'merge-pending') watch.broken(1, `given up while another was under way: ${key}`);
    if (open && row.attempt < rules.retry.attemptsMost) watch.broken(1, `left ${row.outcome}: ${key}`);
  };
  for (const { state } of db.units.values()) {
    if (state.openedAt === null) continue;
    for (const [step, rung] of rules.ladder.entries()) {
      if (step > state.rung || rung.who === 'nobody') continue;
      for (const person of world.holders(state.unitId, ...ranks(rung.who))) {
        for (const channel of rung.by)
          if (person.addresses[channel] !== undefined)
            expect(
              ['rung', step, state.unitId, 'people', person.personId, channel].join(' '),
              addressKey('people', person.personId, channel),
            );
      }
    }
    for (const { householdId, unitId, channel } of world.households) {
      if (unitId === state.unitId && rules.households.by.includes(channel))
        expect(
          ['household', 0, unitId, 'households', householdId, channel].join(' '),
          addressKey('households', householdId, channel),
        );
    }
  }
}

function ranks(who: Rung['who']): [from: number, to: number] {
  return who === 'principal' ? [0, 0] : who === 'deputies' ? [1, Infinity] : [0, Infinity];
}

/** 1. Who stands below an opened unit is opened too, where there was time for it. */
function checkOpened({ db, watch, calmAt }: Facts): void {
  const { world, warning } = db;
  const endAt = warning?.endedAt ?? Infinity;
  const issuedAt = warning?.issuedAt ?? 0;
  for (const unit of world.data.units) {
    if (!world.inScope(unit.unitId)) continue;
    const state = db.units.get(unit.unitId)?.state;
    if (state?.openedAt != null) continue;
    const above = unit.parentId === null ? null : db.units.get(unit.parentId);
    if (above?.faulty) continue;
    const openedAbove = above === null ? issuedAt : above?.state.openedAt;
    if (openedAbove == null) continue;
    const waitMs = above ? (world.data.rules.descendWaitMs[above.state.tier] ?? 0) : 0;
    if (Math.max(openedAbove + waitMs, calmAt) + OPENING_MS < endAt)
      watch.broken(1, `unit ${unit.unitId} was never opened`);
  }
}

/** 3 and 8. Every answer is somebody's own act, and every unit has taken the words that were said. */
function checkAnswers({ db, watch, deeds }: Facts): void {
  for (const row of db.answers) {
    const deed = deeds.get(row.actId);
    const own =
      deed?.by.audience === 'vouched'
        ? row.personId === null && row.householdId === null && deed.by.unitId === row.unitId
        : deed?.by.recipientId === (deed?.by.audience === 'people' ? row.personId : row.householdId);
    if (!deed?.authentic || deed.kind !== row.kind || !own)
      watch.broken(3, `answer ${row.id} for unit ${row.unitId} is nobody's`);
  }
  for (const unit of db.world.data.units) {
    const words = db.answers.filter((row) => row.unitId === unit.unitId && row.householdId === null);
    const state = db.units.get(unit.unitId)?.state;
    const said = words.filter((row) => row.kind !== 'cannot act');
    if (said.length > 0 && state?.answeredAt !== Math.min(...said.map((row) => row.at)))
      watch.broken(8, `unit ${unit.unitId} has not its first answer: ${state?.answeredAt ?? 'none'}`);
    if (state) checkStanding(watch, state, stands(words));
  }
}

/** After its end a unit takes answers as late, and no *cannot act*. */
function checkStanding(watch: Watch, state: UnitState, word: ReturnType<typeof stands>): void {
  if (word === 'answered' && state.status !== 'answered')
    watch.broken(8, `unit ${state.unitId} was answered last and is ${state.status}`);
  if (word === 'silent' && state.status === 'answered')
    watch.broken(3, `unit ${state.unitId} counts as answered and nobody said a word`);
}

/** 7. Deadlines count from the first hand-off, and every unit has heard of it. */
function checkTold({ db, watch }: Facts): void {
  const first = new Map<number, number>();
  for (const row of db.deliveries.values()) {
    if (row.purpose !== 'rung' || (row.outcome !== 'handed off' && row.outcome !== 'merged')) continue;
    first.set(row.unitId, Math.min(first.get(row.unitId) ?? Infinity, row.at));
    const takenAt = watch.takenAt.get(deliveryKey(row.deliveryId, row.attempt));
    if (takenAt !== undefined && row.at < takenAt)
      watch.broken(7, `delivery ${row.deliveryId} counts as told ${takenAt - row.at} ms before it was`);
  }
  for (const { state } of db.units.values()) {
    if (state.toldAt !== (first.get(state.unitId) ?? null))
      watch.broken(
        1,
        `unit ${state.unitId} was told at ${first.get(state.unitId)} and knows ${state.toldAt}`,
      );
  }
}

/** 6. A second message for a delivery only after an unknown outcome, and flagged; a flag only after one. */
function checkDuplicates({ db, watch, ledger }: Facts): void {
  const unknownBefore = (row: DeliveryRow) =>
    Array.from({ length: row.attempt - 1 }, (_, index) => deliveryKey(row.deliveryId, index + 1)).some(
      (key) => db.deliveries.get(key)?.outcome === 'unknown',
    );
  for (const row of db.deliveries.values()) {
    if (row.possibleDuplicate !== (unknownBefore(row) && !adopted(row)))
      watch.broken(
        6,
        `delivery ${row.deliveryId} attempt ${row.attempt} is flagged ${row.possibleDuplicate}`,
      );
  }
  const seen = new Set<number>();
  for (const { deliveryId, attempt } of ledger) {
    const row = db.deliveries.get(deliveryKey(deliveryId, attempt));
    if (seen.has(deliveryId) && !row?.possibleDuplicate)
      watch.broken(6, `delivery ${deliveryId} was repeated by attempt ${attempt} without a flag`);
    seen.add(deliveryId);
  }
}

/** A cancel reaches exactly those not provably unsent; an update those of them whom it leaves out. */
function checkNotices({ db, watch }: Facts): void {
  const status = db.warning?.status;
  const told = new Set<string>();
  const noticed = new Set<string>();
  for (const row of db.deliveries.values()) {
    const who = `${row.audience} ${row.recipientId} by ${row.channel}`;
    const kept = status === 'superseded' && db.world.keptByUpdate(row.unitId);
    if (row.purpose === 'cancel notice') noticed.add(who);
    else if (!kept && ['handed off', 'unknown', 'merged'].includes(row.outcome)) told.add(who);
  }
  if (status !== 'cancelled' && status !== 'superseded') {
    if (noticed.size > 0) watch.broken(5, 'a warning that was not cancelled was lifted');
    return;
  }
  for (const who of told) if (!noticed.has(who)) watch.broken(5, `${who} never hears of the end`);
  for (const who of noticed) if (!told.has(who)) watch.broken(5, `${who} hears of an end of nothing`);
}
