/** The register of units as a rehearsal reads it, from a file or from the database, and how a planner's word finds a unit. Pure. */
import type { TierId } from '../tiers.ts';

/** `superior` is a place in the register; a superior stands before its subordinates. */
export type RegisterUnit = {
  code: string | null;
  name: string;
  tier: TierId;
  superior: number | null;
};

const SUGGESTED_MOST = 3;

export class Register {
  readonly units: readonly RegisterUnit[];
  readonly below: readonly (readonly number[])[];
  private readonly byCode = new Map<string, number>();
  private readonly byName = new Map<string, number[]>();

  constructor(units: readonly RegisterUnit[]) {
    this.units = units;
    const below: number[][] = units.map(() => []);
    for (const [place, { code, name, superior }] of units.entries()) {
      if (code !== null) this.byCode.set(code, place);
      const namesakes = this.byName.get(name);
      if (namesakes) namesakes.push(place);
      else this.byName.set(name, [place]);
      if (superior !== null) below[superior]?.push(place);
    }
    this.below = below;
  }

  /** The one unit that a code or a path such as 黔江区/濯水镇 names, or the sentence that says why there is none. */
  find(path: string): { place: number } | { sentence: string } {
    const code = this.byCode.get(path.trim());
    if (code !== undefined) return { place: code };
    const names = path
      .split(/[/／]/)
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const found = (this.byName.get(names.at(-1) ?? '') ?? []).filter((place) =>
      this.standsUnder(place, names),
    );
    const [place] = found;
    if (place !== undefined && found.length === 1) return { place };
    if (place !== undefined) {
      const some = found.slice(0, SUGGESTED_MOST).map((each) => this.path(each));
      return {
        sentence: `${found.length} units are called ${path}; name the one above as well: ${some.join(', ')}`,
      };
    }
    const near = (this.byName.get(names.at(-1) ?? '') ?? [])
      .slice(0, SUGGESTED_MOST)
      .map((each) => this.path(each));
    return {
      sentence: `there is no unit ${path}${near.length > 0 ? `; perhaps ${near.join(', ')}` : ''}`,
    };
  }

  /** Names from below the top down to the unit, with slashes between. */
  path(place: number): string {
    const unit = this.units[place];
    if (!unit) return '';
    const above = unit.superior === null ? '' : this.path(unit.superior);
    return above === '' ? unit.name : `${above}/${unit.name}`;
  }

  /** Places of these units, of all below them and of those on the way down to them, in order. */
  scopeOf(areas: readonly number[]): Set<number> {
    const scope = new Set<number>();
    const descend = (place: number) => {
      scope.add(place);
      for (const below of this.below[place] ?? []) descend(below);
    };
    for (const area of areas) {
      descend(area);
      for (let above = this.superiorOf(area); above !== null; above = this.superiorOf(above))
        scope.add(above);
    }
    return scope;
  }

  private superiorOf(place: number): number | null {
    return this.units[place]?.superior ?? null;
  }

  /** True where the names stand above the unit in this order, gaps allowed. */
  private standsUnder(place: number, names: readonly string[]): boolean {
    let wanted = names.length - 2;
    for (let above = this.superiorOf(place); above !== null && wanted >= 0; above = this.superiorOf(above)) {
      if (this.units[above]?.name === names[wanted]) wanted -= 1;
    }
    return wanted < 0;
  }
}
