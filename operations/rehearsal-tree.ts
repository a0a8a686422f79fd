/**
 * The tree of a rehearsal from the file of units: the register, and the people whom `people generate` would make there, by the same
 * draws. Only the units concerned are grown.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import { FenghuoError } from '../domain/errors.ts';
import { keyOfText } from '../domain/rehearsal/chance.ts';
import { Register, type RegisterUnit } from '../domain/rehearsal/register.ts';
import { channelBit, type PersonId, type Tree, type TreeUnit } from '../domain/rehearsal/tree.ts';
import type { Population } from '../domain/scenario.ts';
import { TIERS, type TierId } from '../domain/tiers.ts';
import type { UnitId } from '../domain/unit.ts';
import { draws } from './generate-draws.ts';
import { groupName } from './generate-names.ts';

export const CHONGQING_UNITS = fileURLToPath(new URL('../scenarios/chongqing-units.csv', import.meta.url));

/** As `generate-people.ts` has it: principals who are also the last deputy of the unit above. */
const TWO_POSTS_SHARE = 0.03;

/** Reads a file with the columns code, name, parent_code and tier, superiors before subordinates. */
export async function readRegister(file: string = CHONGQING_UNITS): Promise<Register> {
  const rows = parse<Record<string, string>>(await readFile(file, 'utf8'), { columns: true, bom: true });
  const places = new Map(rows.map(({ code }, place) => [code, place]));
  return new Register(
    rows.map(({ code = '', name = '', parent_code: parent = '', tier = '' }, place): RegisterUnit => {
      const superior = parent === '' ? null : places.get(parent);
      if (superior === undefined || (superior ?? -1) >= place || !TIERS.some(({ id }) => id === tier))
        throw new FenghuoError({
          code: 'register',
          refusal: 'usage',
          sentence: `${file} line ${place + 2}: the unit above ${code} must stand before it, and its tier be known.`,
        });
      return { code: code === '' ? null : code, name, tier, superior };
    }),
  );
}

/** Grows the tree below and above these places of the register; `unitOf` gives the unit of a place. */
export function growTree(
  register: Register,
  areas: readonly number[],
  input: { population: Population; deputiesOf: (tier: TierId) => number },
): { tree: Tree; unitOf: ReadonlyMap<number, UnitId> } {
  const grower = new Grower(register, input);
  return grower.grow([...register.scopeOf(areas)].sort((one, other) => one - other));
}

class Grower {
  private readonly register: Register;
  private readonly population: Population;
  private readonly deputiesOf: (tier: TierId) => number;
  private readonly units: TreeUnit[] = [];
  private readonly subordinates: UnitId[][] = [];
  private readonly posts: PersonId[][] = [];
  private readonly people = new Map<string, PersonId>();
  private readonly keys: number[] = [];
  private readonly channels: number[] = [];
  private readonly severalPosts = new Map<PersonId, UnitId[]>();
  private readonly firstPost: UnitId[] = [];

  constructor(register: Register, input: { population: Population; deputiesOf: (tier: TierId) => number }) {
    this.register = register;
    this.population = input.population;
    this.deputiesOf = input.deputiesOf;
  }

  grow(places: readonly number[]): { tree: Tree; unitOf: ReadonlyMap<number, UnitId> } {
    const { register } = this;
    const [villageTier, groupTier] = TIERS.filter(({ role }) => role === 'official')
      .slice(-2)
      .map(({ id }) => id);
    const unitOf = new Map<number, UnitId>();
    for (const place of places) {
      const unit = register.units[place];
      if (!unit) continue;
      const superiorId = unit.superior === null ? null : (unitOf.get(unit.superior) ?? null);
      unitOf.set(place, this.addUnit({ ...unit, key: this.keyOf(place), superiorId }));
    }
    for (const place of places) {
      const unit = register.units[place];
      const superiorId = unitOf.get(place);
      if (unit?.tier !== villageTier || superiorId === undefined || groupTier === undefined) continue;
      for (const group of this.groupsOf(place)) this.addUnit({ ...group, tier: groupTier, superiorId });
    }
    for (const { unitId, key, tier } of this.units)
      this.appoint(unitId, key, tier, this.secondPost(unitId, places));
    return { tree: this.tree(), unitOf };
  }

  /** Groups that a village would be given; none where the register has its own. */
  private groupsOf(place: number): { key: string; name: string }[] {
    if ((this.register.below[place] ?? []).length > 0) return [];
    const key = this.keyOf(place);
    const coded = this.register.units[place]?.code !== null;
    return Array.from({ length: this.population.groupsPerVillage }, (_, index) => {
      const name = groupName(index + 1);
      return { key: coded ? key + String(index + 1).padStart(2, '0') : `/${name}`, name };
    });
  }

  private addUnit(unit: { key: string; name: string; tier: TierId; superiorId: UnitId | null }): UnitId {
    const unitId = this.units.length;
    this.units.push({ unitId, key: unit.key, name: unit.name, tier: unit.tier, superiorId: unit.superiorId });
    this.subordinates.push([]);
    this.posts.push([]);
    if (unit.superiorId !== null) this.subordinates[unit.superiorId]?.push(unitId);
    return unitId;
  }

  private appoint(unitId: UnitId, key: string, tier: TierId, lastDeputy: string | null): void {
    const deputies = this.deputiesOf(tier);
    for (let rank = 0; rank <= deputies; rank += 1) {
      const reference =
        rank > 0 && rank === deputies && lastDeputy !== null
          ? `synthetic ${lastDeputy} 0`
          : `synthetic ${key} ${rank}`;
      const person = this.people.get(reference) ?? this.addPerson(reference, unitId);
      this.posts[unitId]?.push(person);
      const first = this.firstPost[person] ?? unitId;
      if (first !== unitId)
        this.severalPosts.set(person, [...(this.severalPosts.get(person) ?? [first]), unitId]);
    }
  }

  private addPerson(reference: string, unitId: UnitId): PersonId {
    const person = this.keys.length;
    const { seed, smsPercent, emailPercent, voicePercent } = this.population;
    const draw = draws(seed, `channels ${reference}`);
    const [smsShare, emailShare] = [smsPercent / 100, emailPercent / 100];
    // The draws of `generate-people.ts`: those without a number all have an address.
    const sms = draw() < smsShare;
    const email = !sms || draw() < (emailShare - (1 - smsShare)) / smsShare;
    const voice = sms && draw() < voicePercent / 100;
    this.keys.push(keyOfText(reference));
    this.channels.push(
      (sms ? channelBit('sms') : 0) | (email ? channelBit('email') : 0) | (voice ? channelBit('voice') : 0),
    );
    this.people.set(reference, person);
    this.firstPost[person] = unitId;
    return person;
  }

  /** Of the units below, the first whose principal is also the last deputy here; null where none is. */
  private secondPost(unitId: UnitId, places: readonly number[]): string | null {
    const place = places[unitId];
    const { seed } = this.population;
    const below =
      place === undefined
        ? []
        : (this.register.below[place] ?? []).length > 0
          ? (this.register.below[place] ?? []).map((each) => this.keyOf(each))
          : (this.subordinates[unitId] ?? []).map((each) => this.units[each]?.key ?? '');
    return below.find((each) => draws(seed, `two posts ${each}`)() < TWO_POSTS_SHARE) ?? null;
  }

  private keyOf(place: number): string {
    const unit = this.register.units[place];
    if (unit?.code !== null && unit?.code !== undefined) return unit.code;
    const superior = unit?.superior ?? null;
    return `${superior === null ? '' : (this.register.units[superior]?.code ?? '')}/${unit?.name ?? ''}`;
  }

  private tree(): Tree {
    return {
      units: this.units,
      subordinates: this.subordinates,
      posts: this.posts,
      personKeys: Uint32Array.from(this.keys),
      personChannels: Uint8Array.from(this.channels),
      severalPosts: this.severalPosts,
    };
  }
}
