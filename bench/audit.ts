/**
 * How long `audit verify` takes: a record of so many lines and facts, made by hand, sealed, verified. Not one of the questions of `npm run
 * bench`: run it by `npx tsx bench/audit.ts [LINES]`.
 */
import { seal } from '../db/audit-seal.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { verifyAudit } from '../operations/audit-verify.ts';
import { startServices } from '../runtime/services.ts';

const LINES = Number(process.argv[2] ?? 1_000_000);
/** As a city-wide warning has it: one line a step, and three facts for each household and person. */
const CHAINS = 2_000;
const say = (line: string) => process.stderr.write(`${line}\n`);

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  say(`${what}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
  return result;
}

async function fill(database: Database): Promise<void> {
  const half = Math.floor(LINES / 2);
  await database.query(
    `insert into audit (cell_id, body) select 1 + n % $2, json_build_object('letters', json_build_array(json_build_object(
       'unitId', n, 'kind', 'answered', 'answer', 'received', 'at', 1780000000000 + n), json_build_object('unitId', n + 1,
       'kind', 'handed off', 'rung', 0, 'at', 1780000000000 + n))) from generate_series(1, $1) n`,
    [half, CHAINS],
  );
  await database.query(
    `insert into deliveries (id, attempt, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step, channel,
       outcome, at)
     select n, 1, n / 1024, 1 + n % 5, 1, n, n, 'people', 'rung', 0, 'sms', 'handed off', clock_timestamp()
     from generate_series(1, $1) n`,
    [LINES - half],
  );
}

const services = await startServices({ purpose: 'bench-audit', log: say });
const schema = 'bench_audit';
const database = openDatabase({
  url: services.postgres.url,
  schema,
  asOwner: true,
  statementTimeoutMs: 600_000,
});
try {
  await database.query(`drop schema if exists ${schema} cascade`);
  await migrate(database);
  await timed(`${LINES} rows written, half of them lines in ${CHAINS} chains`, () => fill(database));
  await timed('sealed', async () => {
    while ((await seal(database))?.more === true);
  });
  const { whole, lines, facts, faults } = await timed('verified', () => verifyAudit(database));
  say(
    `whole: ${whole}, lines: ${lines}, facts: ${facts}, memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`,
  );
  if (!whole) say(JSON.stringify(faults.slice(0, 3)));
  await database.query(`drop schema ${schema} cascade`);
} finally {
  await database.close();
  await services.stop();
}
