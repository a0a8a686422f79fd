/**
 * The same simulation over PostgreSQL: its stores, its SQL, its clock turned by hand. Each transaction runs as one event, while
 * virtual time stands still, so that both stores see the same calls in the same order.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { storeVouchedAnswer, type AnswerAct } from '../../db/answers.ts';
import { putEnded, putLetters } from '../../db/cells.ts';
import { openDatabase, type Database, type Sql } from '../../db/database.ts';
import { createPageStore } from '../../db/page-store.ts';
import { takeReplies } from '../../db/replies.ts';
import { ringableCells } from '../../db/ringing.ts';
import { createStepStore } from '../../db/step-store.ts';
import { endWarning, insertWarning, lockOpen, readCellRoots, supersedeWarning } from '../../db/warnings.ts';
import type { PageStore, StepStore } from '../../domain/store.ts';
import { newUnit, type UnitState } from '../../domain/unit.ts';
import type { Act, Backend, CellView } from './backend.ts';
import type { Link, Process, Use } from './connection.ts';
import { WARNING_ID } from './far-side.ts';
import type { SimulatedWorld } from './world.ts';

const GRACE_MS = 24 * 3_600_000;
const CELLS_MOST = 64;

/**
 * A fresh schema in which `clock_timestamp()` is ours: with `pg_catalog` named last, an unqualified call finds ours first, in
 * statements and, as long as they are created under the same path, in the defaults of columns.
 */
export async function openVirtualDatabase(url: string, schema: string): Promise<Database> {
  const plain = openDatabase({ url, schema, connectionsMost: 1, asOwner: true });
  await plain.query(`drop schema if exists ${schema} cascade`);
  await plain.query(`create schema ${schema}`);
  await plain.close();
  const database = openDatabase({ url, schema: `${schema},pg_catalog`, connectionsMost: 1, asOwner: true });
  await database.query('create sequence virtual_ms minvalue 0');
  await database.query(
    `create function clock_timestamp() returns timestamptz language sql volatile
     as 'select pg_catalog.to_timestamp(last_value::float8 / 1000) from ${schema}.virtual_ms'`,
  );
  const folder = new URL('../../db/migrations/', import.meta.url);
  for (const file of readdirSync(folder).sort())
    await database.query(readFileSync(new URL(file, folder), 'utf8'));
  // Nobody has authority in this world: what an actual warning needs of people is for test/two-persons.test.ts.
  for (const trigger of ['guard_actual_warning', 'guard_actual_end', 'guard_actual_superseded'])
    await database.query(`alter table warnings disable trigger ${trigger}`);
  return database;
}

/** Empties the schema and plants the world: the same ids as in memory. */
export async function plantWorld(database: Database, world: SimulatedWorld): Promise<void> {
  const { units, people, posts, households } = world.data;
  const tables = await database.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = current_schema() and tablename <> 'installation'`,
  );
  // The audit refuses it as long as its triggers fire.
  await database.query(`set session_replication_role = replica`);
  await database.query(`truncate ${tables.map((table) => table.name).join(', ')} restart identity cascade`);
  await database.query(`reset session_replication_role`);
  await database.query(
    `insert into units (id, name, tier, parent_id, path, cell_unit_id, synthetic) overriding system value
     select id, name, tier, parent_id, string_to_array(path, ',')::int[], cell_unit_id, true
     from json_to_recordset($1) as t (id int, name text, tier text, parent_id int, path text, cell_unit_id int)`,
    [
      JSON.stringify(
        units.map((unit) => ({
          id: unit.unitId,
          name: unit.name,
          tier: unit.tier,
          parent_id: unit.parentId,
          path: unit.path.join(','),
          cell_unit_id: unit.cellUnitId,
        })),
      ),
    ],
  );
  await database.query(
    `insert into people (id, reference, name, language, synthetic) overriding system value
     select "personId", "personId"::text, "personId"::text, language, synthetic
     from json_to_recordset($1) as t ("personId" bigint, language text, synthetic boolean)`,
    [JSON.stringify(people)],
  );
  await database.query(
    `insert into person_channels (person_id, channel, address)
     select "personId", a.key, a.value from json_to_recordset($1) as t ("personId" bigint, addresses json), json_each_text(addresses) a`,
    [JSON.stringify(people)],
  );
  await database.query(
    `insert into posts (unit_id, person_id, title, rank, held_from)
     select "unitId", "personId", '负责人', rank, '2020-01-01'
     from json_to_recordset($1) as t ("unitId" int, "personId" bigint, rank smallint)`,
    [JSON.stringify(posts)],
  );
  await database.query(
    `insert into households (id, unit_id, name, channel, address, language, synthetic) overriding system value
     select "householdId", "unitId", '户', channel, address, language, synthetic
     from json_to_recordset($1) as t ("householdId" bigint, "unitId" int, channel text, address text, language text, synthetic boolean)`,
    [JSON.stringify(households)],
  );
}

/** What is left of a run, to be compared with that of another store. */
export type Remains = {
  units: unknown[];
  deliveries: unknown[];
  answers: unknown[];
  cells: CellView[];
  dead: number;
};

export async function remainsInPostgres(database: Database, cells: CellView[]): Promise<Remains> {
  const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)::float8`;
  const units = await database.query<{ state: UnitState; faulty: boolean }>(
    'select state, faulty from unit_states order by unit_id',
  );
  const deliveries = await database.query(
    `select id as "deliveryId", attempt, page_id as "pageId", cell_id as "cellId", unit_id as "unitId",
       recipient_id as "recipientId", audience, purpose, step, channel, outcome, reason,
       possible_duplicate as "possibleDuplicate", ${ms('at')} as at
     from deliveries order by id, attempt`,
  );
  const answers = await database.query(
    `select unit_id as "unitId", person_id as "personId", household_id as "householdId", kind, ${ms('at')} as at
     from answers order by at, unit_id, id`,
  );
  const [dead] = await database.query<{ count: number }>('select count(*)::int as count from dead_letters');
  return {
    units: units.map(({ state, faulty }) => ({ state: whole(state), faulty })),
    deliveries,
    answers,
    cells,
    dead: dead?.count ?? 0,
  };
}

/** A state as it is in memory: what is as in a new unit is not kept. */
function whole(stored: UnitState): UnitState {
  const fresh = newUnit(stored);
  return { ...fresh, ...stored, timers: { ...fresh.timers, ...stored.timers } };
}

export class PostgresBackend implements Backend {
  private readonly database: Database;
  private readonly world: SimulatedWorld;
  private readonly link: Link;
  private views: CellView[] = [];
  private versionNow = 0;

  constructor(database: Database, world: SimulatedWorld, link: Link) {
    this.database = database;
    this.world = world;
    this.link = link;
  }

  steps(process: Process): StepStore {
    const store = createStepStore(this.database);
    return { step: (cellId, work) => this.call(process, 'step', () => store.step(cellId, work)) };
  }

  pages(process: Process): PageStore {
    const store = createPageStore(this.database);
    return {
      claim: (pageId, input) => this.call(process, 'claim', () => store.claim(pageId, input)),
      abandoned: (pageId, serves) => this.call(process, 'abandoned', () => store.abandoned(pageId, serves)),
      settle: (slice) => this.call(process, 'settle', () => store.settle(slice)),
    };
  }

  issue(process: Process): Promise<void> {
    return this.transaction(process, 'office', async (sql) => {
      const known = await sql.query('select id from warnings');
      if (known.length > 0) return;
      const { kind, level, rules, lastsMs, areaIds } = this.world.data;
      const texts = { issuer: '城气象台', textZh: '暴雨红色预警。', textEn: 'Rainstorm, red.' };
      const id = await insertWarning(sql, {
        ...texts,
        kind: 'exercise',
        hazard: '11B03',
        level,
        lastsMs,
        speed: 1,
        rules,
        areaIds,
      });
      await sql.query('update warnings set kind = $1', [kind]);
      const waits = (tier: string) => rules.descendWaitMs[tier] !== undefined;
      const roots = (await readCellRoots(sql, id)).filter((root) => !root.tiersAbove.some(waits));
      await putLetters(
        sql,
        id,
        roots.map((root) => ({ unitId: root.unitId, message: { kind: 'opened' } })),
      );
    });
  }

  cancel(process: Process): Promise<boolean> {
    return this.transaction(process, 'office', async (sql) => {
      if (!(await endWarning(sql, WARNING_ID, { reason: null }))) return false;
      await putEnded(sql, WARNING_ID);
      return true;
    });
  }

  /** The warning in its place has no cells here: nobody steps it. */
  supersede(process: Process): Promise<boolean> {
    return this.transaction(process, 'office', async (sql) => {
      if (!(await lockOpen(sql, WARNING_ID))) return false;
      const areaIds = this.world.data.update?.areaIds ?? [];
      await sql.query(
        `with successor as (
           insert into warnings (kind, hazard, level, issuer, text_zh, text_en, expires_at, rules, supersedes_id, chain_id, asks_again, revision)
           select 'exercise', hazard, level, issuer, text_zh, text_en, expires_at, rules, id, id, true, 2 from warnings where id = $1
           returning id)
         insert into warning_areas (warning_id, unit_id) select id, unnest($2::int[]) from successor`,
        [WARNING_ID, areaIds],
      );
      await supersedeWarning(sql, WARNING_ID);
      await putEnded(sql, WARNING_ID);
      return true;
    });
  }

  answer(process: Process, { actId, by, kind }: Act): Promise<void> {
    return this.transaction(process, 'answer', async (sql) => {
      const act = { warningId: WARNING_ID, kind, doneCount: null, deliveryId: null } as const;
      if ((await sql.query('select id from warnings')).length === 0)
        throw new RangeError('no such warning yet');
      if (by.audience === 'vouched') {
        const vouched = { ...by, vouchedBy: '值班员', how: '电话' };
        await storeVouchedAnswer(sql, { ...act, via: 'command', by: vouched });
        return;
      }
      const replied: AnswerAct = { ...act, via: 'gateway', by: { ...by } };
      await takeReplies(sql, [{ id: String(actId), verdict: 'recorded', act: replied }], GRACE_MS);
    });
  }

  poison(process: Process, unitId: number): Promise<void> {
    return this.transaction(process, 'office', async (sql) => {
      const rows = await sql.query(
        `insert into inbox (cell_id, unit_id, priority, body)
         select c.id, u.id, 5, '{"kind":"no such message"}' from units u join cells c on c.unit_id = u.cell_unit_id
         where u.id = $1 returning id`,
        [unitId],
      );
      if (rows.length === 0) throw new RangeError('no such cell yet');
    });
  }

  ring(process: Process): Promise<number[]> {
    return this.call(process, 'ring', async () => {
      const { kind } = this.world.data;
      const cells = await ringableCells(this.database, { kind, most: CELLS_MOST });
      return cells.map((cell) => cell.cellId).sort((one, other) => one - other);
    });
  }

  cells(): CellView[] {
    return this.views;
  }

  version(): number {
    return this.versionNow;
  }

  processKilled(): void {
    // No transaction is open between two events.
  }

  serverDown(): { aborted: number; committed: number } {
    return { aborted: 0, committed: 0 };
  }

  private transaction<T>(process: Process, use: Use, work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.call(process, use, () => this.database.transaction(work));
  }

  /** There and back take time as in memory; between them everything happens at one instant. */
  private async call<T>(process: Process, use: Use, work: () => Promise<T>): Promise<T> {
    const session = this.link.open(process, use);
    try {
      await this.link.trip(session);
      const result = await this.link.scheduler.outside(async () => {
        await this.database.query(`select setval('virtual_ms', $1)`, [this.link.scheduler.now]);
        const value = await work();
        // As in memory: a look of the ringer that found nothing wrote nothing.
        if (!(Array.isArray(value) && value.length === 0 && use === 'ring')) await this.look();
        return value;
      });
      await this.link.trip(session);
      return result;
    } finally {
      this.link.close(session);
    }
  }

  private async look(): Promise<void> {
    const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)::float8`;
    const rows = await this.database.query<Omit<CellView, 'locked'>>(
      `select id as "cellId", status = 'closed' as closed, exists (select from inbox i where i.cell_id = c.id) as mail,
         ${ms('next_deadline')} as "nextDeadline", ${ms('stepped_at')} as "steppedAt", ${ms('rung_at')} as "rungAt",
         ${ms('ring_after')} as "ringAfter", exists (select from inbox i where i.cell_id = c.id and i.priority = 0) as urgent
       from cells c order by id`,
    );
    this.views = rows.map((row) => ({ ...row, locked: false }));
    this.versionNow += 1;
  }
}
