/**
 * Tampering with the record, as somebody does who owns the database: triggers off, chains hashed anew, seals too. Each is one of six
 * kinds, drawn by a seed, and is undone by its caller.
 */
import { appendRecord } from '../../db/audit.ts';
import { FACT_TABLES, type FactTable } from '../../db/audit-facts.ts';
import { newestSeal, seal, type Seal } from '../../db/audit-seal.ts';
import type { Database, Sql } from '../../db/database.ts';
import type { Anchor } from '../../domain/anchors.ts';
import { NO_LINE, sha256 } from '../../domain/audit.ts';
import { verifyMoment } from '../../operations/audit-verify.ts';
import { streamOf } from './random.ts';

export const TAMPERINGS = [
  'change',
  'deletion',
  'insertion',
  'reordering',
  'truncation',
  'rewriting',
] as const;
export type Tampering = (typeof TAMPERINGS)[number];

type Random = () => number;

const WARNINGS = 3;
const ROUNDS = 4;

/** Fills the record of three warnings, seals it a few times, and gives back its anchors. */
export async function fillRecord(database: Database): Promise<Anchor[]> {
  await database.query(`insert into units (name, tier, path, cell_unit_id) values ('城', 'city', '{1}', 1)`);
  await database.query(
    `insert into warnings (kind, hazard, level, issuer, text_zh, text_en, expires_at, rules)
     select 'exercise', '11B03', 'red', '城气象台', '暴雨', 'Rain', clock_timestamp() + interval '6 hours', '{}'
     from generate_series(1, $1)`,
    [WARNINGS],
  );
  await database.query('insert into cells (warning_id, unit_id) select id, 1 from warnings order by id');
  const anchors: Anchor[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    await fillOnce(database, round);
    while ((await seal(database))?.more === true);
    const head = await newestSeal(database);
    if (head) anchors.push({ ...head, at: new Date().toISOString() });
  }
  return anchors;
}

async function fillOnce(database: Database, round: number): Promise<void> {
  for (let warningId = 1; warningId <= WARNINGS; warningId += 1) {
    await appendRecord(database, { kind: 'draft', warningId, actor: '甲', body: { round } });
    await database.query(
      `insert into audit (cell_id, body) select c.id, json_build_object('letters', json_build_array(n, $2::int))
       from cells c, generate_series(1, 4) n where c.warning_id = $1`,
      [warningId, round],
    );
    await database.query(
      `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
       select id, warning_id, 1, 'rung', 0, 'sms', 'people', 8, '{1}', '{1}' from cells where warning_id = $1`,
      [warningId],
    );
    await database.query(
      `insert into deliveries (id, attempt, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step,
         channel, outcome, at)
       select p.id * 1024 + n, 1, p.id, p.warning_id, p.cell_id, 1, n, 'people', 'rung', 0, 'sms', 'handed off', clock_timestamp()
       from (select * from pages where warning_id = $1 order by id desc limit 1) p, generate_series(1, 8) n`,
      [warningId],
    );
    await database.query(
      `insert into receipts (delivery_id, attempt, state, sender)
       select id, 1, 'delivered', 'sms-gateway' from deliveries d where warning_id = $1
         and not exists (select from receipts r where r.delivery_id = d.id)`,
      [warningId],
    );
    await database.query(
      `insert into answers (warning_id, unit_id, kind, via, vouched_by)
       select $1, 1, 'received', 'command', '值班 ' || n from generate_series(1, 6) n`,
      [warningId],
    );
  }
  await appendRecord(database, { kind: 'pause', warningId: null, actor: '乙', body: { round } });
  // Numbers that were given and never written: room for what somebody puts in.
  for (const [table, key] of Object.entries({ ...KEYS, audit: 'id' }))
    await database.query(`select nextval(pg_get_serial_sequence($1, $2)) from generate_series(1, 3)`, [
      table,
      key,
    ]);
}

const KEYS: Readonly<Record<FactTable, string>> = { answers: 'id', deliveries: 'seq', receipts: 'seq' };

/** Tampers once for each seed, and undoes it; gives back what the verification did not find. */
export async function unfound(
  database: Database,
  input: { kind: Tampering; anchors: readonly Anchor[]; seeds: number },
): Promise<string[]> {
  const { kind, anchors, seeds } = input;
  const missed: string[] = [];
  await database.transaction(async (sql) => {
    for (let seed = 1; seed <= seeds; seed += 1) {
      await sql.query('savepoint untouched');
      const said = await tamper(sql, kind, seed);
      const { whole, faultCount } = await verifyMoment(sql, { anchors });
      if (whole || faultCount === 0) missed.push(`seed ${seed}: ${said}`);
      await sql.query('rollback to savepoint untouched');
    }
  });
  return missed;
}

/** Tampers once. Gives back what was done, for the message of a test that did not find it. */
export async function tamper(sql: Sql, kind: Tampering, seed: number): Promise<string> {
  const random = streamOf(seed);
  await sql.query('set local session_replication_role = replica');
  const target = pick(random, ['line', 'line', 'line', 'fact', 'fact'] as const);
  if (kind === 'rewriting' || target === 'line') return tamperWithLines(sql, kind, random);
  return tamperWithFacts(sql, kind, random);
}

// ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────

async function tamperWithLines(sql: Sql, kind: Tampering, random: Random): Promise<string> {
  const chains = await sql.query<{ chain: string; last: number }>(
    'select chain, max(position) as last from audit group by chain order by chain',
  );
  const { chain, last } = pick(random, chains);
  const position = 1 + Math.floor(random() * last);
  const at = [chain, position];
  // Who changes a chain may hash it anew, and the seals as well: `depth` says how far they go.
  const depth = kind === 'rewriting' ? 1 + Math.floor(random() * 2) : Math.floor(random() * 3);
  const said = `${kind} of ${chain} ${position}/${last}, hidden to depth ${depth}`;
  switch (kind) {
    case 'change':
    case 'rewriting':
      await sql.query(
        `update audit set ${pick(random, [
          `body = '{"changed":true}'`,
          `actor = coalesce(actor, '') || '丙'`,
          `at = at + interval '1 microsecond'`,
          `kind = kind || 'x'`,
        ])} where chain = $1 and position = $2`,
        at,
      );
      break;
    case 'deletion':
      await sql.query('delete from audit where chain = $1 and position = $2', at);
      if (depth > 0 || random() < 0.5) await closeGap(sql, chain, position);
      break;
    case 'insertion':
      await shift(sql, chain, position, 1);
      await sql.query(
        `insert into audit (chain, position, kind, actor, body, hash) values ($1, $2, 'draft', '丙', '{}', sha256('x'))`,
        at,
      );
      break;
    case 'reordering': {
      const other = 1 + (position % last);
      if (other === position) {
        await sql.query(`update audit set position = position + 1 where chain = $1`, [chain]);
        break;
      }
      await swapLines(sql, chain, position, other);
      break;
    }
    case 'truncation':
      await sql.query('delete from audit where chain = $1 and position >= $2', at);
      await sql.query(
        `update audit_heads h set position = $2::bigint - 1, hash = coalesce(
           (select hash from audit where chain = $1 and position = $2::bigint - 1), sha256('')) where chain = $1`,
        at,
      );
      break;
    default:
      kind satisfies never;
  }
  await hide(sql, chain, depth);
  return said;
}

async function closeGap(sql: Sql, chain: string, position: number): Promise<void> {
  await shift(sql, chain, position + 1, -1);
}

/** Moves lines up or down by one, by a detour: places are unique. */
async function shift(sql: Sql, chain: string, from: number, by: number): Promise<void> {
  await sql.query('update audit set position = -position where chain = $1 and position >= $2', [chain, from]);
  await sql.query('update audit set position = -position + $2 where chain = $1 and position < 0', [
    chain,
    by,
  ]);
}

async function swapLines(sql: Sql, chain: string, one: number, other: number): Promise<void> {
  await sql.query('update audit set position = -$2::bigint where chain = $1 and position = $2::bigint', [
    chain,
    one,
  ]);
  await sql.query('update audit set position = $2 where chain = $1 and position = $3', [chain, one, other]);
  await sql.query('update audit set position = $2::bigint where chain = $1 and position = -$3::bigint', [
    chain,
    other,
    one,
  ]);
}

/** Covers tracks: 1 hashes the chain anew, 2 writes every seal as if it had always been so. */
async function hide(sql: Sql, chain: string, depth: number): Promise<void> {
  if (depth >= 1) await hashAnew(sql, chain);
  if (depth < 2 || chain === 'seals') return;
  const lines = await sql.query<{ position: number; hash: string }>(
    `select position, encode(hash, 'hex') as hash from audit where chain = $1`,
    [chain],
  );
  const hashes = new Map(lines.map(({ position, hash }) => [position, hash]));
  const seals = await sql.query<{ id: number; body: Seal }>(
    `select id, body from audit where chain = 'seals'`,
  );
  for (const { id, body } of seals) {
    const heads = body.heads.flatMap((head): Seal['heads'] => {
      if (head[0] !== chain) return [head];
      const hash = hashes.get(head[1]);
      return hash === undefined ? [] : [[chain, head[1], hash]];
    });
    await sql.query('update audit set body = $2 where id = $1', [id, JSON.stringify({ ...body, heads })]);
  }
  await hashAnew(sql, 'seals');
}

async function hashAnew(sql: Sql, chain: string): Promise<void> {
  const lines = await sql.query<{ id: number; text: string }>(
    `select id, substr(audit_text('', audit), 2) as text from audit where chain = $1 order by position`,
    [chain],
  );
  let hash = NO_LINE;
  const hashes = lines.map(({ text }) => (hash = sha256(`${hash} ${text}`)));
  await sql.query(
    `update audit a set hash = decode(t.hash, 'hex') from unnest($1::bigint[], $2::text[]) as t (id, hash) where a.id = t.id`,
    [lines.map(({ id }) => id), hashes],
  );
  await sql.query(`update audit_heads set position = $2, hash = decode($3, 'hex') where chain = $1`, [
    chain,
    lines.length,
    hash,
  ]);
}

// ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────

const CHANGES: Readonly<Record<FactTable, readonly string[]>> = {
  answers: [
    `kind = 'cannot act'`,
    `vouched_by = '丙'`,
    `at = at - interval '1 hour'`,
    'done_count = 7',
    'warning_id = 1 + warning_id % 3',
  ],
  deliveries: [
    `outcome = 'failed'`,
    `at = at - interval '1 hour'`,
    'recipient_id = recipient_id + 1',
    `reason = 'x'`,
  ],
  receipts: [`state = 'read'`, `at = at - interval '1 hour'`, `code = '30003'`, `sender = 'x'`],
};

async function tamperWithFacts(sql: Sql, kind: Tampering, random: Random): Promise<string> {
  const table = pick(random, FACT_TABLES);
  const key = KEYS[table];
  const rows = await sql.query<{ key: number }>(`select ${key} as key from ${table} order by ${key}`);
  const { key: one } = pick(random, rows);
  const said = `${kind} of ${table} ${one}`;
  switch (kind) {
    case 'change':
      await sql.query(`update ${table} set ${pick(random, CHANGES[table])} where ${key} = $1`, [one]);
      return said;
    case 'deletion':
      await sql.query(`delete from ${table} where ${key} = $1`, [one]);
      return said;
    case 'insertion':
      return insertFact(sql, table, random);
    case 'reordering': {
      const others = rows.filter((row) => row.key !== one);
      const { key: other } = pick(random, others);
      await swapFacts(sql, table, one, other);
      return `${said} and ${other}`;
    }
    case 'truncation':
      await sql.query(`delete from ${table} where ${key} >= $1`, [one]);
      return said;
    default:
      throw new RangeError(kind);
  }
}

async function swapFacts(sql: Sql, table: FactTable, one: number, other: number): Promise<void> {
  const key = KEYS[table];
  const gone = await sql.query<Record<string, unknown>>(
    `delete from ${table} where ${key} = any($1) returning row_to_json(${table}) as row`,
    [[one, other]],
  );
  const rows = gone.map(({ row }) => {
    const values = row as Record<string, unknown>;
    return { ...values, [key]: values[key] === one ? other : one };
  });
  await sql.query(
    `insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(rows)],
  );
}

/** Into a number that was given and never written, among those that are sealed. */
async function insertFact(sql: Sql, table: FactTable, random: Random): Promise<string> {
  const key = KEYS[table];
  const free = await sql.query<{ key: number }>(
    `select n as key from generate_series(1, (select max(${key}) from ${table})) n
     where not exists (select from ${table} where ${key} = n)`,
  );
  const { key: number } = pick(random, free);
  const columns = await sql.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [table],
  );
  const values = columns.map(({ name }) => {
    if (name === key) return '$1::bigint';
    if (table === 'deliveries' && name === 'attempt') return '9::smallint';
    if (table === 'receipts' && name === 'attempt') return '9::smallint';
    return name;
  });
  await sql.query(
    `insert into ${table} (${columns.map(({ name }) => name).join(', ')}) overriding system value
     select ${values.join(', ')} from ${table} order by random() limit 1`,
    [number],
  );
  return `insertion into ${table} at ${number}`;
}

function pick<T>(random: Random, among: readonly T[]): T {
  const found = among[Math.floor(random() * among.length)];
  if (found === undefined) throw new RangeError('nothing to choose from');
  return found;
}
