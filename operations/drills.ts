/**
 * Drills on the real stack: written down, made ready, played event by event, stopped, removed. A drill is an installation of its own:
 * schema, role, namespace and processes (docs/adr/0029). What conducts it stands in cli/drill-conductor.ts.
 */
import { appendRecord } from '../db/audit.ts';
import { openDatabase, type Database, type Sql } from '../db/database.ts';
import { admitParticipants } from '../db/drill-participants.ts';
import {
  copySnapshot,
  countPosts,
  dropDrillSchema,
  grantLikeApplication,
  isTaken,
  readyRole,
  SNAPSHOT_MS_MOST,
  type Snapshot,
} from '../db/drill-schema.ts';
import {
  askToStop,
  insertDrill,
  nameSchema,
  readDrill,
  readDrills,
  type DrillRow,
  type DrillStatus,
  type NewDrill,
} from '../db/drills.ts';
import { migrate } from '../db/migrate.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { Channel } from '../domain/rules.ts';
import type { ScenarioProblem } from '../domain/scenario-check.ts';
import { storyOf } from '../domain/scenario-story.ts';
import type { Scenario } from '../domain/scenario.ts';
import { findUnits } from './organisation-find.ts';
import { readDatabaseTree } from './rehearsal-database.ts';
import { readRulePack } from './rule-packs.ts';
import { parseScenario, readStory } from './scenario-files.ts';
import { refuse } from './warning-request.ts';

/** A drill as everybody sees it. */
export type Drill = DrillRow & { name: string };

/** PostgreSQL cuts names off after 63 bytes; so much is left for `_drill_`, the number and more. */
const SCHEMA_CHARACTERS_MOST = 40;
const NAMES_TRIED_MOST = 50;

export function drillName(drillId: number): string {
  return `DR${drillId}`;
}

/** The number behind `DR12` or `12`. */
export function parseDrillId(word: string): number {
  const match = /^(?:DR)?(\d{1,9})$/i.exec(word.trim());
  if (match?.[1]) return Number(match[1]);
  throw refuse('drill-id', `"${word}" is not a drill; it looks like DR12. \`fenghuo drill runs\` shows all.`);
}

export async function requireDrill(live: Sql, drillId: number): Promise<Drill> {
  const row = await readDrill(live, drillId);
  if (row) return named(row);
  throw refuse(
    'no-such-drill',
    `There is no drill ${drillName(drillId)}. \`fenghuo drill runs\` shows all.`,
    [],
    'notFound',
  );
}

/** The newest first. */
export async function listDrills(live: Sql, most = 50): Promise<Drill[]> {
  return (await readDrills(live, most)).map(named);
}

function named(row: DrillRow): Drill {
  return { ...row, name: drillName(row.drillId) };
}

export function isOver(status: DrillStatus): boolean {
  return status === 'ended' || status === 'stopped';
}

export type DrillRequest = {
  /** The name of a shipped scenario, or a file. */
  scenario: string;
  seed: number;
  speed: number;
  rulePackFile?: string;
};

/** Writes a drill down. Nothing is made yet; a scenario with faults is refused with all of them. */
export async function createDrill(live: Database, request: DrillRequest): Promise<Drill> {
  const drill = await checkDrill(live, request, await readStory(request.scenario));
  return requireDrill(live, await live.transaction((sql) => writeDrill(sql, drill)));
}

/** What would be written down, of a scenario's text that lies here; throws where it cannot be played. */
export async function checkDrill(live: Sql, request: DrillRequest, story: string): Promise<NewDrill> {
  const { seed, speed } = request;
  const { register } = await readDatabaseTree(live);
  const scenario = parseScenario(story, register, request.scenario, unplayable);
  const pack = await readRulePack(request.rulePackFile);
  const areaIds = await areasOf(live, scenario);
  if ((await countPosts(live, areaIds)) === 0) {
    throw refuse(
      'drill-without-people',
      'Nobody holds a post in the places of this scenario, so nobody could be told. Import people with `fenghuo people import`, ' +
        'or make some up with `fenghuo people generate`.',
    );
  }
  return { scenario, story, seed, speed, pack, areaIds };
}

/** Gives back its number. */
export async function writeDrill(sql: Sql, drill: NewDrill): Promise<number> {
  const { scenario, seed, speed } = drill;
  const id = await insertDrill(sql, drill);
  const body = { drill: drillName(id), scenario: scenario.name, seed, speed };
  await appendRecord(sql, { kind: 'drill', warningId: null, actor: null, body });
  return id;
}

/** What a rehearsal can play and the engine would refuse: an update is of the same hazard, and changes something. */
function unplayable({ timeline }: Scenario): ScenarioProblem[] {
  const { warnings } = storyOf({ timeline });
  return timeline.flatMap(({ update }, event) => {
    if (!update) return [];
    const path = ['timeline', event, 'update'];
    const after = warnings.find((warning) => warning.event === event);
    const before = after?.supersedes == null ? undefined : warnings[after.supersedes];
    if (before && after?.hazard !== before.hazard)
      return [
        { path: [...path, 'hazard'], sentence: 'is another hazard than before: that is a new warning' },
      ];
    const changes = [update.level, update.where, update.expires, update.textZh, update.textEn];
    if (changes.every((change) => change === undefined))
      return [{ path, sentence: 'changes nothing: give level, where, expires or a text' }];
    return [];
  });
}

async function areasOf(live: Sql, { timeline }: Scenario): Promise<number[]> {
  const places = timeline.flatMap(({ warning, update }) => (warning ?? update)?.where ?? []);
  const ids = new Set<number>();
  for (const place of new Set(places)) ids.add((await findUnits(live, place)).id);
  return [...ids];
}

/** How to reach PostgreSQL as the owner of the live schema, and as a drill. */
export type DrillAccess = { live: Database; ownerUrl: string };

/** Makes schema, role and copy; what an earlier attempt left of them is made anew. Gives back what was copied. */
export async function prepareSchema(
  { live, ownerUrl }: DrillAccess,
  drill: Drill,
  password: string,
  /** By which people who agreed can be told; see `admitParticipants`. */
  agreedBy: readonly Channel[] = [],
): Promise<{ schema: string; snapshot: Snapshot }> {
  return asOwner(ownerUrl, live.schema, async (owner) => {
    const schema = drill.schema ?? (await freeName(owner, live.schema, drill.drillId));
    if (drill.schema === null) await nameSchema(live, drill.drillId, schema);
    else await dropDrillSchema(owner, schema);
    await readyRole(owner, schema, password);
    const snapshot = await asOwner(ownerUrl, schema, async (own) => {
      await migrate(own);
      const copied = await copySnapshot(own, live.schema, drill);
      if (drill.withPeople) await admitParticipants(own, live.schema, drill.drillId, agreedBy);
      await grantLikeApplication(own, schema);
      return copied;
    });
    return { schema, snapshot };
  });
}

/** Another password for a drill's role: whoever conducts it next starts its processes anew. */
export async function renewPassword(
  { live, ownerUrl }: DrillAccess,
  schema: string,
  password: string,
): Promise<void> {
  await asOwner(ownerUrl, live.schema, (owner) => readyRole(owner, schema, password));
}

/** Removes what a drill that is over has in PostgreSQL; that it was, and its report, stay. */
export async function removeDrill({ live, ownerUrl }: DrillAccess, drillId: number): Promise<Drill> {
  const { schema, status, name } = await requireDrill(live, drillId);
  if (!isOver(status)) {
    throw refuse(
      'drill-not-over',
      `${name} is not over. End it first: \`fenghuo drill stop ${name}\`.`,
      [],
      'conflict',
    );
  }
  if (schema !== null) {
    await asOwner(ownerUrl, live.schema, (owner) => dropDrillSchema(owner, schema));
    await nameSchema(live, drillId, null);
  }
  return requireDrill(live, drillId);
}

async function freeName(owner: Sql, live: string, drillId: number): Promise<string> {
  const base = `${live.slice(0, SCHEMA_CHARACTERS_MOST)}_drill_${drillId}`;
  const names = Array.from({ length: NAMES_TRIED_MOST }, (_, tried) =>
    tried === 0 ? base : `${base}_${tried + 1}`,
  );
  for (const name of names) if (!(await isTaken(owner, name))) return name;
  throw new RangeError(`${NAMES_TRIED_MOST} schemas or roles are called like ${base}`);
}

const INSUFFICIENT_PRIVILEGE = '42501';

async function asOwner<T>(url: string, schema: string, work: (owner: Database) => Promise<T>): Promise<T> {
  const owner = openDatabase({
    ...{ url, schema, asOwner: true, connectionsMost: 2 },
    statementTimeoutMs: SNAPSHOT_MS_MOST,
  });
  try {
    return await work(owner);
  } catch (error) {
    if ((error as { code?: unknown }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new FenghuoError({
      code: 'drill-rights',
      refusal: 'notPermitted',
      sentence:
        'A drill has a schema and a role of its own, and the login of DATABASE_URL may not make them. Run it with a DATABASE_URL ' +
        'that names the owner of the tables, who needs createrole and create on the database.',
      details: [error instanceof Error ? error.message : String(error)],
      cause: error,
    });
  } finally {
    await owner.close();
  }
}

/** Asks for the end of a drill. Whoever conducts it sees to it; gives back whether it still had to be asked. */
export async function wishStop(live: Database, drillId: number, reason: string | null): Promise<boolean> {
  const { name } = await requireDrill(live, drillId);
  return live.transaction(async (sql) => {
    if (!(await askToStop(sql, drillId, reason))) return false;
    await appendRecord(sql, {
      kind: 'drill stop',
      warningId: null,
      actor: null,
      body: { drill: name, reason },
    });
    return true;
  });
}
