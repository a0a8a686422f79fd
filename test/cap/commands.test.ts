/** The commands of CAP as people type them. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../cli/testing.ts';
import type { Database } from '../../db/database.ts';
import { parseCap, parseCapText } from '../../domain/cap/parse.ts';
import { checkProfile } from '../../domain/cap/profiles.ts';
import { verifySignature } from '../../domain/cap/signature.ts';
import { testDatabase } from '../database.ts';
import { openOffice } from '../harness/office.ts';
import { plantSmallTree } from '../harness/small-tree.ts';
import { message } from './messages.ts';

const WILD = join(import.meta.dirname, 'wild');
const TOWNSHIP = '<geocode><valueName>division</valueName><value>900101</value></geocode>';

let database: Database;
let directory: string;
let env: Record<string, string>;
const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

beforeAll(async () => {
  database = await testDatabase('cap_commands');
  await plantSmallTree(database);
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-cap-commands-'));
  env = {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: process.env['FENGHUO_SECRET'] ?? '',
    FENGHUO_STATE: directory,
  };
});

afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

it('cap validate says what is wrong and where, and ends with 2', async () => {
  const good = join(WILD, 'cma-rainstorm-red.xml');
  const bad = join(WILD, 'wrong-order.xml');
  expect((await run(['cap', 'validate', good])).code).toBe(0);
  const both = await run(['cap', 'validate', good, bad]);
  expect(both.code).toBe(2);
  expect(both.stdout).toContain('valid CAP 1.2, Alert Exercise');
  expect(both.stdout).toContain(
    'CAP-205 error 8:5 /alert/info/eventCode: eventCode must stand before instruction',
  );
  const chinese = await run(['cap', 'validate', bad, '--lang', 'zh']);
  expect(chinese.stdout).toContain('CAP-205 错误 8:5 /alert/info/eventCode: eventCode 应在 instruction 之前');
  const json = JSON.parse((await run(['cap', 'validate', bad, '--json'])).stdout) as unknown;
  expect(json).toMatchObject([
    {
      valid: false,
      findings: [{ code: 'CAP-205', kind: 'error', line: 8, column: 5 }, {}, { kind: 'recommendation' }],
    },
  ]);
});

it('warning issue --cap issues an Exercise once; export gives it back, signed', async () => {
  const path = file('one.xml', message({ area: TOWNSHIP, identifier: 'CLI-1' }));
  const issued = await run(['warning', 'issue', '--cap', path, '--json'], env);
  expect(issued).toMatchObject({ code: 0 });
  const { warning } = JSON.parse(issued.stdout) as { warning: string };
  expect((await run(['warning', 'issue', '--cap', path], env)).stdout).toContain('came before');

  const ours = { ...env, FENGHUO_CAP_AGENCY: '50011441600000', FENGHUO_CAP_KEY: keys.privateKey };
  const exported = await run(['warning', 'export', warning, '--format', 'cap'], ours);
  expect(exported).toMatchObject({ code: 0, stderr: '' });
  const { alert, findings, text, root } = parseCap(Buffer.from(exported.stdout));
  expect(findings).toEqual([]);
  if (!alert || text === null || !root) throw new Error('refused');
  expect(alert).toMatchObject({ status: 'Exercise', msgType: 'Alert', sender: 'fenghuo@fenghuo.example' });
  expect(alert.infos.map(({ language, event, severity }) => [language, event, severity])).toEqual([
    ['zh-CN', '暴雨', 'Extreme'],
    ['en-US', 'rainstorm', 'Extreme'],
  ]);
  expect(checkProfile('china', alert)).toEqual([]);
  const verified = verifySignature(text, root, keys.publicKey, alert.sender);
  if ('fault' in verified) throw new Error(verified.fault.code);
  expect(parseCapText(verified.signed).alert).toEqual(alert);

  expect((await run(['warning', 'cancel', warning, '--reason', '雨停'], env)).code).toBe(0);
  const lifted = parseCapText(
    (await run(['warning', 'export', warning, '--format', 'cap'], ours)).stdout,
  ).alert;
  expect(lifted).toMatchObject({
    msgType: 'Cancel',
    note: '雨停',
    references: [{ identifier: alert.identifier, sender: alert.sender, sent: alert.sent }],
  });
});

it('a refused message ends with 2 and every finding, an Actual without authority with 4', async () => {
  const refused = await run(
    ['warning', 'issue', '--cap', file('bad.xml', message({ msgType: 'AllClear' }))],
    env,
  );
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('CAP-313 error 4:');
  const actual = file('actual.xml', message({ area: TOWNSHIP, identifier: 'CLI-2', status: 'Actual' }));
  const held = await run(['warning', 'issue', '--cap', actual], env);
  expect(held.code).toBe(4);
  const listed = await run(['cap', 'list'], env);
  expect(listed.stdout).toMatch(/CLI-2/);
  expect(listed.stdout).toMatch(/held/);
});

it('nothing that is typed beside the file makes it another: an Exercise stays one', async () => {
  const exercise = file('beside.xml', message({ area: TOWNSHIP, identifier: 'CLI-9' }));
  for (const beside of [['--actual'], ['--level', 'blue'], ['--edit', 'D1'], ['--identifier', 'X']]) {
    const ran = await run(['warning', 'issue', '--cap', exercise, ...beside], env);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(beside[0]);
  }
  const zh = await run(['warning', 'issue', '--cap', exercise, '--actual', '--lang', 'zh'], env);
  expect(zh.stderr).toContain('不能写 --actual');
  expect((await run(['cap', 'list'], env)).stdout).not.toContain('CLI-9');
});

it('senders and shapes are kept', async () => {
  const key = file('key.pem', keys.publicKey);
  const added = await run(['cap', 'sender', 'add', 'weather.example', '--key', key], env);
  expect(added).toMatchObject({ code: 0 });
  expect((await run(['cap', 'sender', 'list'], env)).stdout).toMatch(
    /weather\.example +signs, key [0-9a-f]{16}/,
  );
  expect((await run(['cap', 'sender', 'add', 'x.example', '--key', file('no.pem', 'none')], env)).code).toBe(
    2,
  );
  expect((await run(['cap', 'sender', 'remove', 'weather.example'], env)).code).toBe(0);
  expect((await run(['cap', 'sender', 'remove', 'weather.example'], env)).code).toBe(3);
  const polygon = { type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1], [0, 0]]] }; // prettier-ignore
  const feature = { type: 'Feature', properties: { code: '900101' }, geometry: polygon };
  const shapes = file('shapes.geojson', JSON.stringify({ type: 'FeatureCollection', features: [feature] }));
  expect((await run(['org', 'shapes', 'import', shapes], env)).stdout).toContain('1 imported');
  expect((await run(['org', 'shapes', 'import', file('bad.geojson', '{"type":"Point"}')], env)).code).toBe(2);
});

it('once there is an administrator, only administrators say whose messages are believed', async () => {
  const add = ['cap', 'sender', 'add', 'weather.example', '--key', file('key.pem', keys.publicKey)];
  expect((await run(add, env)).code).toBe(0);
  const office = await openOffice(database);
  const { token } = await office.hire('李四', 'releaser');
  const remove = ['cap', 'sender', 'remove', 'weather.example'];
  for (const command of [add, remove]) {
    const nobody = await run(command, env);
    expect(nobody).toMatchObject({ code: 4, stdout: '' });
    expect(nobody.stderr).toContain('Nobody is logged in');
    const releaser = await run(command, { ...env, FENGHUO_TOKEN: token });
    expect(releaser).toMatchObject({ code: 4, stdout: '' });
    expect(releaser.stderr).toContain('Only an administrator');
  }
  expect((await run(['cap', 'sender', 'list'], env)).stdout).toContain('weather.example');
  const administrator = { ...env, FENGHUO_TOKEN: office.administrator.token };
  for (const command of [add, remove]) expect((await run(command, administrator)).code).toBe(0);
  const acts = await database.query<{ kind: string; actor: string | null }>(
    `select kind, actor from audit where kind like 'cap sender%' order by id desc limit 2`,
  );
  expect(acts).toEqual([
    { kind: 'cap sender removed', actor: '管理员' },
    { kind: 'cap sender', actor: '管理员' },
  ]);
});
