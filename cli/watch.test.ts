import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { importOrganisation } from '../operations/organisation-import.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from '../test/database.ts';
import { createContext, type OutputMode } from './context.ts';
import { keepingWriter } from './testing.ts';
import { watchWarning, type WatchInput } from './watch.ts';

const TREE = 'code,name,parent_code,tier\n1,甲市,,city\n2,乙区,1,district\n3,丙镇,2,township\n';

let database: Database;
let warningId: number;

beforeAll(async () => {
  database = await testDatabase('cli_watch');
  await importOrganisation({ database, file: TREE });
});

beforeEach(async () => {
  const request = { hazard: '暴雨', level: 'red', areas: ['丙镇'], expires: '+6h', issuer: '台' };
  ({ warningId } = await issueWarning(database, request));
});

afterAll(() => database.close());

function watch(input: Partial<WatchInput> & { form?: OutputMode; columns?: number }) {
  const stdout = keepingWriter(
    input.columns === undefined ? undefined : { columns: input.columns, rows: 24 },
  );
  const stderr = keepingWriter();
  const context = createContext({ stdout, stderr, env: {} }, { output: input.form ?? 'text', lang: 'en' });
  const watched = watchWarning({ database, warningId, context, until: 'closed', ...input });
  return { watched, stdout, stderr };
}

/** Steps that take the place of waiting: the n-th wait runs the n-th of them, and there must be no more. */
function steps(...acts: (() => Promise<unknown>)[]): (ms: number) => Promise<void> {
  return async () => {
    const act = acts.shift();
    if (!act) throw new Error('waited once more than expected');
    await act();
  };
}

const nothing = async () => undefined;
const closeCells = async () => {
  await database.query('delete from inbox');
  await database.query(`update cells set status = 'closed'`);
};
const end = async () => {
  await cancelWarning(database, warningId, null);
  await closeCells();
};
const settle = () => database.query('delete from inbox');

describe('watching', () => {
  test('goes on after a cancel until the cells are closed', async () => {
    let waits = 0;
    const counted = async () => void (waits += 1);
    const cancel = () => cancelWarning(database, warningId, null);
    const { watched } = watch({ wait: steps(cancel, counted, counted, closeCells) });
    expect((await watched).progress.cellsOpen).toBe(0);
    expect(waits).toBe(2);
  });

  test('writes a line only when something has changed', async () => {
    const { watched, stdout } = watch({ wait: steps(nothing, nothing, end) });
    expect((await watched).warning.status).toBe('cancelled');
    const lines = stdout.text().trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('open');
    expect(lines[1]).toContain('cancelled');
  });

  test('until settled, an open warning with nothing due is enough', async () => {
    const { watched } = watch({ until: 'settled', wait: steps(settle) });
    expect((await watched).warning.status).toBe('open');
  });

  test('says on standard error, once, that no worker is alive', async () => {
    const { watched, stderr } = watch({ wait: steps(nothing, nothing, end) });
    await watched;
    expect(stderr.text().match(/No worker is alive/g)).toHaveLength(1);
  });

  test('an unreachable database is waited for; the first look must succeed', async () => {
    const gone = new FenghuoError({
      code: 'database-unreachable',
      refusal: 'unreachable',
      sentence: 'Away.',
    });
    let away = false;
    const flaky: Database = {
      ...database,
      query: (text, values, name) => (away ? Promise.reject(gone) : database.query(text, values, name)),
    };
    const leave = async () => void (away = true);
    const comeBack = async () => {
      away = false;
      await end();
    };
    const { watched, stderr } = watch({ database: flaky, wait: steps(leave, nothing, comeBack) });
    expect((await watched).warning.status).toBe('cancelled');
    expect(stderr.text().match(/does not answer; trying again/g)).toHaveLength(1);
    away = true;
    await expect(watch({ database: flaky }).watched).rejects.toThrow('Away.');
  });

  test('when its time is over it says so, and it waits no longer than that', async () => {
    let at = 0;
    const wait = async (ms: number) => void (at += ms);
    const { watched } = watch({ timeoutMs: 10_000, wait, now: () => at });
    await expect(watched).rejects.toMatchObject({ refusal: 'deadlinePassed' });
    expect(at).toBe(10_000);
  });

  test('an interrupted watch gives the last view', async () => {
    const controller = new AbortController();
    const { watched } = watch({ signal: controller.signal, wait: steps(async () => controller.abort()) });
    expect((await watched).warning.status).toBe('open');
  });

  test('as JSON lines', async () => {
    const { watched, stdout } = watch({ form: 'jsonl', wait: steps(nothing, end) });
    await watched;
    const lines = stdout.text().trim().split('\n');
    const parsed = lines.map((line) => JSON.parse(line) as { warning: { status: string }; tiers: unknown[] });
    expect(parsed.map(({ warning }) => warning.status)).toEqual(['open', 'cancelled']);
    expect(parsed[0]?.tiers).toHaveLength(6);
  });

  test('on a terminal it draws over itself; quiet, it draws nothing', async () => {
    const drawn = watch({ columns: 80, wait: steps(nothing, end) });
    await drawn.watched;
    expect(drawn.stdout.text()).toContain('\u001b[');
    expect(drawn.stdout.text()).toContain('township');
    const request = { hazard: '暴雨', level: 'red', areas: ['丙镇'], expires: '+6h', issuer: '台' };
    ({ warningId } = await issueWarning(database, request));
    const quiet = watch({ columns: 80, quiet: true, wait: steps(end) });
    await quiet.watched;
    expect(quiet.stdout.text()).toBe('');
  });
});
