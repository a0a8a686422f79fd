/**
 * What importing a file of units would do: faults by line, or the difference to the tree that is there. Pure.
 *
 * A unit is known by its code; one without a code by its parent and name. Units that the file does not name stay as
 * they are: a district may send its own part.
 */
import { tierDepth, type Tier } from '../domain/tiers.ts';
import type { UnitRow } from '../db/organisation-units.ts';
import type { LineError } from './organisation-csv.ts';

/** One line of the file, its cells already parsed. */
export type UnitLine = {
  line: number;
  code: string | null;
  name: string;
  parentCode: string | null;
  tier: string;
};

/** Where a unit hangs: at the top, under a unit of the database, or under another line of the file. */
export type Parent = { kind: 'none' } | { kind: 'unit'; unit: UnitRow } | { kind: 'line'; line: UnitLine };

export type PlannedUnit = { line: UnitLine; parent: Parent; existing: UnitRow | null };

export type UnitsPlan = {
  errors: LineError[];
  /** Every line with the unit it means. */
  planned: PlannedUnit[];
  added: PlannedUnit[];
  /** Existing units that differ; `moves` where the parent or the tier changes, so that paths and cells follow. */
  changed: { planned: PlannedUnit & { existing: UnitRow }; moves: boolean }[];
  unchanged: number;
};

/** The units of the database a plan looks at: those the file names with all above them, and those directly below. */
export type KnownUnits = {
  units: readonly UnitRow[];
  below: readonly UnitRow[];
  /** Codes of lines with faults of their own: what stands below them is not called an orphan as well. */
  faultyCodes: ReadonlySet<string>;
};

/** The headers of the file, for errors. */
export type UnitHeaders = { code: string; name: string; parentCode: string; tier: string };

/** Compares the lines with what is known. With errors the plan must not be carried out. */
export function planUnits(
  lines: readonly UnitLine[],
  known: KnownUnits,
  headers: UnitHeaders,
  tiers: readonly Tier[],
): UnitsPlan {
  const plan = new UnitsPlanner(lines, known, headers, tiers);
  return plan.run();
}

class UnitsPlanner {
  private readonly errors: LineError[] = [];
  private readonly lineByCode = new Map<string, UnitLine>();
  private readonly unitByCode = new Map<string, UnitRow>();
  private readonly unitById = new Map<number, UnitRow>();
  private readonly belowByName = new Map<string, UnitRow[]>();
  private readonly parents = new Map<UnitLine, Parent>();
  private readonly lines: readonly UnitLine[];
  private readonly known: KnownUnits;
  private readonly headers: UnitHeaders;
  private readonly tiers: readonly Tier[];

  constructor(lines: readonly UnitLine[], known: KnownUnits, headers: UnitHeaders, tiers: readonly Tier[]) {
    this.lines = lines;
    this.known = known;
    this.headers = headers;
    this.tiers = tiers;
    for (const unit of [...known.units, ...known.below]) {
      this.unitById.set(unit.id, unit);
      if (unit.code !== null) this.unitByCode.set(unit.code, unit);
    }
    for (const unit of known.below) {
      const key = siblingKey(
        { kind: 'unit', unit: this.unitById.get(unit.parentId ?? 0) ?? unit },
        unit.name,
      );
      this.belowByName.set(key, [...(this.belowByName.get(key) ?? []), unit]);
    }
  }

  run(): UnitsPlan {
    this.indexCodes();
    for (const line of this.lines) this.parents.set(line, this.findParent(line));
    const circular = this.findCycles();
    for (const line of this.lines) if (!circular.has(line)) this.checkTier(line);
    const planned = this.lines.map((line) => this.match(line));
    this.checkDoubles(planned);
    this.checkTiersBelow(planned);
    const changed = planned.flatMap((one) => {
      const { existing } = one;
      if (existing === null || !this.differs(one, existing)) return [];
      return [{ planned: { ...one, existing }, moves: this.moves(one, existing) }];
    });
    const added = planned.filter(({ existing }) => existing === null);
    return {
      errors: this.errors,
      planned,
      added,
      changed,
      unchanged: planned.length - added.length - changed.length,
    };
  }

  private indexCodes(): void {
    for (const line of this.lines) {
      if (line.code === null) continue;
      const first = this.lineByCode.get(line.code);
      if (first) this.fault(line, 'code', `the code ${line.code} stands already in line ${first.line}`);
      else this.lineByCode.set(line.code, line);
    }
  }

  private findParent(line: UnitLine): Parent {
    if (line.parentCode === null) return { kind: 'none' };
    const inFile = this.lineByCode.get(line.parentCode);
    if (inFile) return { kind: 'line', line: inFile };
    const unit = this.unitByCode.get(line.parentCode);
    if (unit) return { kind: 'unit', unit };
    if (this.known.faultyCodes.has(line.parentCode)) return { kind: 'none' };
    this.fault(
      line,
      'parentCode',
      `no unit has the code ${line.parentCode}, neither in the file nor in the organisation`,
    );
    return { kind: 'none' };
  }

  /** The unit above, as it will be: a unit of the database that the file names hangs where the file says. */
  private above(parent: Parent): Parent {
    if (parent.kind === 'line') return this.parents.get(parent.line) ?? { kind: 'none' };
    if (parent.kind === 'none') return parent;
    const superior = this.unitById.get(parent.unit.parentId ?? 0);
    if (!superior) return { kind: 'none' };
    const inFile = superior.code === null ? undefined : this.lineByCode.get(superior.code);
    return inFile ? { kind: 'line', line: inFile } : { kind: 'unit', unit: superior };
  }

  private findCycles(): Set<UnitLine> {
    const circular = new Set<UnitLine>();
    const settled = new Set<UnitLine>();
    for (const start of this.lines) {
      const seen = new Set<UnitLine>();
      let at: Parent = { kind: 'line', line: start };
      while (at.kind !== 'none') {
        if (at.kind === 'line') {
          if (settled.has(at.line)) break;
          if (seen.has(at.line)) {
            const ring = [...seen].slice([...seen].indexOf(at.line));
            for (const line of ring) {
              circular.add(line);
              this.fault(line, 'parentCode', `the unit would stand above itself: ${ringOf(ring, line)}`);
            }
            break;
          }
          seen.add(at.line);
        }
        at = this.above(at);
      }
      for (const line of seen) settled.add(line);
    }
    return circular;
  }

  private checkTier(line: UnitLine): void {
    const parent = this.parents.get(line) ?? { kind: 'none' };
    const depth = tierDepth(line.tier, this.tiers);
    const top = this.tiers[0]?.id ?? '';
    if (parent.kind === 'none') {
      if (line.parentCode === null && depth > 0) {
        this.fault(
          line,
          'parentCode',
          `only a ${top} stands at the top; a ${line.tier} needs the code of the unit above it`,
        );
      }
      return;
    }
    const parentTier = parent.kind === 'line' ? parent.line.tier : parent.unit.tier;
    if (depth === 0) {
      this.fault(line, 'parentCode', `a ${line.tier} stands at the top and has no unit above it`);
    } else if (tierDepth(parentTier, this.tiers) !== depth - 1) {
      const expected = this.tiers[depth - 1]?.id ?? '';
      this.fault(
        line,
        'tier',
        `a ${line.tier} must stand directly below a ${expected}, and ${line.parentCode ?? ''} is a ${parentTier}`,
      );
    }
  }

  private match(line: UnitLine): PlannedUnit {
    const parent = this.parents.get(line) ?? { kind: 'none' };
    const byCode = line.code === null ? undefined : this.unitByCode.get(line.code);
    if (byCode) return { line, parent, existing: byCode };
    const settledParent = this.asUnit(parent);
    const sameName = settledParent ? (this.belowByName.get(siblingKey(settledParent, line.name)) ?? []) : [];
    // A line with a new code takes over a unit that had none; a line without a code means whichever has that name.
    const candidates = line.code === null ? sameName : sameName.filter((unit) => unit.code === null);
    if (candidates.length > 1) {
      this.fault(
        line,
        'code',
        `${candidates.length} units of this name stand there; give the code of the one that is meant`,
      );
    }
    return { line, parent, existing: candidates[0] ?? null };
  }

  private asUnit(parent: Parent): Parent | null {
    if (parent.kind !== 'line') return parent.kind === 'unit' ? parent : null;
    const unit = parent.line.code === null ? undefined : this.unitByCode.get(parent.line.code);
    return unit ? { kind: 'unit', unit } : null;
  }

  /** Without a code the name must single a unit out among its siblings, in the file as well. */
  private checkDoubles(planned: readonly PlannedUnit[]): void {
    const first = new Map<string, PlannedUnit>();
    for (const one of planned) {
      const key = `${one.line.parentCode ?? ''}/${one.line.name}`;
      const other = first.get(key);
      if (!other) first.set(key, one);
      else if (one.line.code === null || other.line.code === null) {
        this.fault(
          one.line,
          'name',
          `the same unit stands already in line ${other.line.line}; two of one name need codes`,
        );
      }
    }
  }

  /** Units below that the file does not name must still fit their parent's new tier. */
  private checkTiersBelow(planned: readonly PlannedUnit[]): void {
    const named = new Set(planned.map(({ existing }) => existing?.id));
    const newTier = new Map(
      planned.flatMap(({ line, existing }) =>
        existing && existing.tier !== line.tier ? [[existing.id, line] as const] : [],
      ),
    );
    const told = new Set<UnitLine>();
    for (const unit of this.known.below) {
      const line = newTier.get(unit.parentId ?? 0);
      if (!line || named.has(unit.id) || told.has(line)) continue;
      told.add(line);
      this.fault(
        line,
        'tier',
        `the unit cannot become a ${line.tier} while ${unit.name}, a ${unit.tier}, stands below it`,
      );
    }
  }

  private differs(planned: PlannedUnit, existing: UnitRow): boolean {
    const { line } = planned;
    const newCode = line.code !== null && line.code !== existing.code;
    return newCode || line.name !== existing.name || existing.synthetic || this.moves(planned, existing);
  }

  private moves(planned: PlannedUnit, existing: UnitRow): boolean {
    const parent = this.asUnit(planned.parent);
    const parentId = parent?.kind === 'unit' ? parent.unit.id : null;
    // A parent that is itself new cannot be the present one.
    return parentId !== existing.parentId || planned.line.tier !== existing.tier;
  }

  private fault(line: UnitLine, column: keyof UnitHeaders, sentence: string): void {
    this.errors.push({ line: line.line, column: this.headers[column], sentence });
  }
}

function siblingKey(parent: Parent, name: string): string {
  return `${parent.kind === 'unit' ? parent.unit.id : ''}/${name}`;
}

function ringOf(ring: readonly UnitLine[], from: UnitLine): string {
  const place = ring.indexOf(from);
  const turned = [...ring.slice(place), ...ring.slice(0, place), from];
  return turned.map((line) => line.name).join(' → ');
}
