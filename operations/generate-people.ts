/** Synthetic people for every unit without a current post: a principal, deputies, their telephone and e-mail. */
import type { Bulk, Cell } from '../db/organisation-copy.ts';
import {
  addressesOfPeople,
  reserveIdRange,
  syntheticPeople,
  unitsWithoutPost,
  type Area,
  type VacantUnit,
} from '../db/organisation-population.ts';
import { TIERS, tierDepth } from '../domain/tiers.ts';
import { draws } from './generate-draws.ts';
import { personName, postTitle } from './generate-names.ts';
import { SYNTHETIC_NUMBER_PREFIX, SyntheticNumbers } from './generate-numbers.ts';

export type PeopleInput = { seed: string; deputiesPerUnit: number; area: Area; log: (line: string) => void };

/** Product choices: most officials have a mobile number, not all an e-mail address; everyone has one of the two. */
const SMS_SHARE = 0.95;
const EMAIL_SHARE = 0.8;
/** Principals who are also a deputy of the unit above, as small places have it. */
const TWO_POSTS_SHARE = 0.03;

/** Units filled by one round of three COPYs: bounds the memory, and is large enough that rounds cost nothing. */
const UNITS_PER_ROUND = 8_192;
const ADDRESSES_PER_READ = 100_000;

type Holder = { unit: VacantUnit; rank: number; person: Person };
/** `id` is 0 until it is known. A person who is there already is not written again. */
type Person = { id: number; reference: string; key: string; tier: string; present: boolean };

/** Adds people, channels and posts; gives back how many of each. */
export async function generatePeople(
  bulk: Bulk,
  input: PeopleInput,
): Promise<{ people: number; channels: number; posts: number }> {
  const tiers = TIERS.filter(({ role }) => role === 'official').map(({ id }) => id);
  const units = await unitsWithoutPost(bulk, tiers, input.area);
  const added = { people: 0, channels: 0, posts: 0 };
  if (units.length === 0) return added;
  const holders = await assignPeople(bulk, units, input);
  const numbers = new SyntheticNumbers(input.seed, 'person');
  await takePresentNumbers(bulk, numbers);
  const postsPerRound = UNITS_PER_ROUND * (1 + input.deputiesPerUnit);
  for (let from = 0; from < holders.length; from += postsPerRound) {
    const round = holders.slice(from, from + postsPerRound);
    const fresh = round
      .filter(({ person, unit }) => !person.present && keyOf(unit) === person.key)
      .map(({ person }) => person);
    added.people += await bulk.copy(
      'people',
      ['id', 'reference', 'name', 'synthetic'],
      fresh.map((person) => personRow(person, input.seed)),
    );
    added.channels += await bulk.copy(
      'person_channels',
      ['person_id', 'channel', 'address'],
      fresh.flatMap((person) => channelRows(person, input.seed, numbers)),
    );
    added.posts += await bulk.copy('posts', ['unit_id', 'person_id', 'title', 'rank'], round.map(postRow));
    input.log(`${added.people} people, ${added.posts} posts`);
  }
  return added;
}

/** Who holds which post, units from the bottom up: a person stands before the post they hold in the unit above. */
async function assignPeople(bulk: Bulk, units: readonly VacantUnit[], input: PeopleInput): Promise<Holder[]> {
  const bottomUp = [...units].sort((one, other) => tierDepth(other.tier) - tierDepth(one.tier));
  const doubled =
    input.deputiesPerUnit === 0 ? new Map<number, VacantUnit>() : drawTwoPosts(bottomUp, input.seed);
  const known = new Map((await syntheticPeople(bulk)).map(({ reference, id }) => [reference, id]));
  const principals = new Map<number, Person>();
  const holders: Holder[] = [];
  for (const unit of bottomUp) {
    for (let rank = 0; rank <= input.deputiesPerUnit; rank += 1) {
      const below = rank === input.deputiesPerUnit ? doubled.get(unit.id) : undefined;
      const person = (below && principals.get(below.id)) ?? newPerson(unit, rank, known);
      if (rank === 0) principals.set(unit.id, person);
      holders.push({ unit, rank, person });
    }
  }
  const fresh = new Set(holders.map(({ person }) => person).filter(({ present }) => !present));
  let id = await reserveIdRange(bulk, 'people', fresh.size);
  for (const person of fresh) person.id = id++;
  return holders;
}

/** For a unit, the one below whose principal is its last deputy: the first in the order of codes that draws it. */
function drawTwoPosts(units: readonly VacantUnit[], seed: string): Map<number, VacantUnit> {
  const vacant = new Set(units.map(({ id }) => id));
  const doubled = new Map<number, VacantUnit>();
  for (const unit of units) {
    if (unit.parentId === null || doubled.has(unit.parentId) || !vacant.has(unit.parentId)) continue;
    if (draws(seed, `two posts ${keyOf(unit)}`)() < TWO_POSTS_SHARE) doubled.set(unit.parentId, unit);
  }
  return doubled;
}

function newPerson(unit: VacantUnit, rank: number, known: ReadonlyMap<string, number>): Person {
  const key = keyOf(unit);
  const reference = `synthetic ${key} ${rank}`;
  const id = known.get(reference);
  return { id: id ?? 0, reference, key, tier: unit.tier, present: id !== undefined };
}

/** A unit's code; one without is known by its parent and name. */
function keyOf(unit: VacantUnit): string {
  return unit.code ?? `${unit.parentCode ?? ''}/${unit.name}`;
}

async function takePresentNumbers(bulk: Bulk, numbers: SyntheticNumbers): Promise<void> {
  let afterId = 0;
  for (;;) {
    const rows = await addressesOfPeople(bulk, SYNTHETIC_NUMBER_PREFIX, afterId, ADDRESSES_PER_READ);
    for (const { address } of rows) numbers.take(address);
    if (rows.length < ADDRESSES_PER_READ) return;
    afterId = rows.at(-1)?.id ?? afterId;
  }
}

function personRow(person: Person, seed: string): Cell[] {
  return [person.id, person.reference, personName(draws(seed, `name ${person.reference}`)), true];
}

function channelRows(person: Person, seed: string, numbers: SyntheticNumbers): Cell[][] {
  const draw = draws(seed, `channels ${person.reference}`);
  const sms = draw() < SMS_SHARE;
  // Those without a number all have an address; of the others as many as make up the share.
  const email = !sms || draw() < (EMAIL_SHARE - (1 - SMS_SHARE)) / SMS_SHARE;
  const rows: Cell[][] = [];
  if (sms) rows.push([person.id, 'sms', numbers.next(person.reference)]);
  if (email) rows.push([person.id, 'email', emailOf(person)]);
  return rows;
}

/** RFC 2606 reserves `example`: no mail server answers for it. Signs outside ASCII are written by their number. */
function emailOf(person: Person): string {
  const local = person.reference.slice('synthetic '.length).replace(' ', '.');
  const ascii = local.replace(/[^0-9A-Za-z.-]/gu, (sign) => `_${(sign.codePointAt(0) ?? 0).toString(36)}`);
  return `${ascii.toLowerCase()}@${person.tier}.example`;
}

function postRow({ unit, rank, person }: Holder): Cell[] {
  return [unit.id, person.id, postTitle(unit.tier, rank), rank];
}
