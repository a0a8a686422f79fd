/** From a CAP message to a warning, on a real database: what each asks for happens once, or not at all. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../db/database.ts';
import { readWarning } from '../../db/warnings.ts';
import type { Operator } from '../../domain/authority.ts';
import { signCap } from '../../domain/cap/signature.ts';
import { receiveCap, type CapSettings, type Received } from '../../operations/cap-receive.ts';
import { addSender } from '../../operations/cap-senders.ts';
import { addFirstOperator, addOperator, authenticate, grantRole } from '../../operations/operators.ts';
import { createDraft } from '../../operations/drafts.ts';
import { importShapes } from '../../operations/unit-shapes.ts';
import { testDatabase } from '../database.ts';
import { plantSmallTree, type SmallTree } from '../harness/small-tree.ts';
import { message, type Parts } from './messages.ts';

let database: Database;
let tree: SmallTree;
let administrator: Operator;
let author: Operator;

const OURS = { sender: 'fenghuo@fenghuo.example', agency: null };
const BY_HAND: CapSettings = { trusted: true, identity: OURS, draft: null };
const KEYS = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});

beforeAll(async () => {
  database = await testDatabase('cap_receive');
  tree = await plantSmallTree(database);
  administrator = await authenticate(database, (await addFirstOperator(database, '管理员')).token);
  const { token } = await addOperator(database, administrator, { name: '甲' });
  await grantRole(database, administrator, '甲', {
    role: 'author',
    area: '城',
    highestLevel: 'red',
    hazards: [],
  });
  author = await authenticate(database, token);
});

afterAll(() => database.close());

const areaOf = (code: string) => `<geocode><valueName>division</valueName><value>${code}</value></geocode>`;
const TOWNSHIP = areaOf('900101');

async function receive(parts: Parts | string, settings: CapSettings = BY_HAND): Promise<Received> {
  const xml = typeof parts === 'string' ? parts : message({ area: TOWNSHIP, ...parts });
  return receiveCap(database, { bytes: Buffer.from(xml), origin: 'test' }, settings);
}

const codes = ({ findings }: Received) => findings.map(({ code }) => code);

async function count(table: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(`select count(*)::int as count from ${table}`);
  return row?.count ?? 0;
}

it('an Exercise goes out with hazard, level, area and text of the message', async () => {
  const received = await receive({ identifier: 'E-1' });
  expect(received).toMatchObject({ verdict: 'issued', repeated: false });
  const warning = await readWarning(database, received.warningId ?? 0);
  expect(warning).toMatchObject({
    kind: 'exercise',
    hazard: '11B03',
    level: 'red',
    issuer: '区气象台',
    textZh: '未来3小时将有100毫米以上强降雨。',
    areaIds: [tree.unit('乡一')],
    status: 'open',
  });
  expect(codes(received)).toEqual(['CAP-716', 'CAP-721']);
});

it('the same message again, byte by byte or written otherwise, does nothing', async () => {
  await receive({ identifier: 'E-2' });
  const warnings = await count('warnings');
  expect(await receive({ identifier: 'E-2' })).toMatchObject({ verdict: 'issued', repeated: true });
  expect(await receive({ identifier: 'E-2', after: '<!-- again -->' })).toMatchObject({ repeated: true });
  const both = [1, 2, 3, 4].map(() => receive({ identifier: 'E-2-at-once' }));
  const repeated = (await Promise.all(both)).filter((one) => one.repeated).length;
  expect(repeated).toBe(3);
  expect(await count('warnings')).toBe(warnings + 1);
});

it('an Update takes the place of its warning, also where the time of its reference is wrong', async () => {
  const first = await receive({ identifier: 'U-1' });
  const second = await receive({
    identifier: 'U-2',
    msgType: 'Update',
    headline: '区气象台变更为暴雨橙色预警信号',
    severity: 'Severe',
    references: 'weather.example,U-1,2026-07-09T02:41:07+08:00',
  });
  expect(second.verdict).toBe('updated');
  expect(codes(second)).toContain('CAP-710');
  expect((await readWarning(database, first.warningId ?? 0))?.status).toBe('superseded');
  const third = await receive({
    identifier: 'U-3',
    sent: '2026-07-09T04:00:00+08:00',
    msgType: 'Cancel',
    references: 'weather.example,U-1,2026-07-09T02:42:00+08:00',
  });
  expect(third).toMatchObject({ verdict: 'cancelled', warningId: second.warningId });
  expect((await readWarning(database, second.warningId ?? 0))?.status).toBe('cancelled');
});

it('an Update of something unknown here is a warning; a Cancel of it is refused', async () => {
  const references = 'weather.example,NEVER,2026-07-09T02:42:00+08:00';
  const update = await receive({ identifier: 'N-1', msgType: 'Update', references });
  expect(update.verdict).toBe('issued');
  expect(codes(update)).toContain('CAP-709');
  const other = references.replace('NEVER', 'NEITHER');
  const cancel = await receive({ identifier: 'N-2', msgType: 'Cancel', references: other });
  expect(cancel.verdict).toBe('refused');
  expect(codes(cancel)).toEqual(['CAP-714']);
  // The Update is what became of what never came.
  const over = await receive({ identifier: 'N-3', msgType: 'Cancel', references });
  expect(over).toMatchObject({ verdict: 'cancelled', warningId: update.warningId });
});

const minute = (at: number) => `2026-07-09T03:0${at}:00+08:00`;
const naming = (identifier: string) => ({ references: `weather.example,${identifier},${minute(1)}` });

/** The messages whose warnings are open at the end, by the first letter of their identifiers. */
async function standing(name: string, letters: string, parts: Record<string, Parts>): Promise<string[]> {
  const came: { letter: string; warningId: number }[] = [];
  for (const letter of letters) {
    const { verdict, warningId } = await receive({ identifier: `${letter}-${name}`, ...parts[letter] });
    if (warningId !== null && verdict !== 'cancelled') came.push({ letter, warningId });
  }
  const open: string[] = [];
  for (const { letter, warningId } of came)
    if ((await readWarning(database, warningId))?.status === 'open') open.push(letter);
  return open;
}

it.each(['AUC', 'ACU', 'UAC', 'UCA', 'CAU', 'CUA'])(
  'a warning, its Update and the Cancel of the first: in the order %s nothing stands',
  async (letters) => {
    const first = naming(`A-${letters}`);
    const parts = {
      A: { sent: minute(1) },
      U: { sent: minute(2), msgType: 'Update', ...first },
      C: { sent: minute(3), msgType: 'Cancel', ...first },
    };
    expect(await standing(letters, letters, parts)).toEqual([]);
  },
);

it.each(['ARC', 'ACR', 'RAC', 'RCA', 'CAR', 'CRA'])(
  'an Alert that only refers to a warning stands for itself: in the order %s its Cancel leaves it',
  async (letters) => {
    const first = naming(`A-${letters}`);
    const parts = {
      A: { sent: minute(1) },
      R: { sent: minute(2), ...first },
      C: { sent: minute(3), msgType: 'Cancel', ...first },
    };
    expect(await standing(letters, letters, parts)).toEqual(['R']);
  },
);

it.each(['AUC', 'ACU'])(
  'an Update to another hazard is a warning of its own: in the order %s it stays',
  async (letters) => {
    const name = `${letters}-gale`;
    const gale = { event: '大风', headline: '区气象台发布大风红色预警信号' };
    const parts = {
      A: { sent: minute(1) },
      U: { sent: minute(2), msgType: 'Update', ...gale, ...naming(`A-${name}`) },
      C: { sent: minute(3), msgType: 'Cancel', ...naming(`A-${name}`) },
    };
    expect(await standing(name, letters, parts)).toEqual(['U']);
  },
);

it.each(['AEUC', 'AECU'])(
  'what was issued anew after the end of what it updates: in the order %s it stays',
  async (letters) => {
    const first = naming(`A-${letters}`);
    const parts = {
      A: { sent: minute(1) },
      E: { sent: minute(2), msgType: 'Cancel', ...first },
      U: { sent: minute(3), msgType: 'Update', ...first },
      C: { sent: minute(4), msgType: 'Cancel', ...first },
    };
    expect(await standing(letters, letters, parts)).toEqual(['U']);
  },
);

it("nobody ends another sender's warning", async () => {
  const first = await receive({ identifier: 'F-1' });
  const foreign = await receive({
    identifier: 'F-2',
    sender: 'someone.example',
    msgType: 'Cancel',
    references: 'weather.example,F-1,2026-07-09T02:42:00+08:00',
  });
  expect(codes(foreign)).toEqual(['CAP-720']);
  expect((await readWarning(database, first.warningId ?? 0))?.status).toBe('open');
});

it.each(['Test', 'System', 'Draft'])('%s is recorded and goes nowhere', async (status) => {
  const warnings = await count('warnings');
  expect(await receive({ identifier: `S-${status}`, status })).toMatchObject({
    verdict: 'recorded',
    warningId: null,
  });
  expect(await count('warnings')).toBe(warnings);
});

it('an Actual waits for somebody with authority, then becomes a draft, and an Exercise never becomes live', async () => {
  const warnings = await count('warnings');
  const held = await receive({ identifier: 'A-1', status: 'Actual' });
  expect(held.verdict).toBe('held');
  const settings: CapSettings = {
    ...BY_HAND,
    draft: (joined, { content, pack }) => createDraft(joined, author, content, pack),
  };
  const drafted = await receive({ identifier: 'A-1', status: 'Actual' }, settings);
  expect(drafted).toMatchObject({ verdict: 'drafted', warningId: null });
  expect(await receive({ identifier: 'A-1', status: 'Actual' }, settings)).toMatchObject({
    repeated: true,
    draftId: drafted.draftId,
  });
  expect(await count('drafts')).toBe(1);
  expect(await count('warnings')).toBe(warnings);
  const exercise = await receive({ identifier: 'A-2' }, settings);
  expect((await readWarning(database, exercise.warningId ?? 0))?.kind).toBe('exercise');
});

it('what is held overtakes nothing: the warning that an Update names is drafted while nobody may take the Update', async () => {
  const update = { status: 'Actual', msgType: 'Update', sent: minute(1), ...naming('W-1') };
  expect(await receive({ identifier: 'W-2', ...update })).toMatchObject({ verdict: 'held' });
  const drafted = await receive(
    { identifier: 'W-1', status: 'Actual' },
    { ...BY_HAND, draft: (joined, { content, pack }) => createDraft(joined, author, content, pack) },
  );
  expect(drafted.verdict).toBe('drafted');
});

it('where the author has no authority nothing is drafted, and the message waits', async () => {
  const drafts = await count('drafts');
  const powerless = { ...author, grants: [] };
  const received = await receive(
    { identifier: 'A-3', status: 'Actual' },
    { ...BY_HAND, draft: (joined, { content, pack }) => createDraft(joined, powerless, content, pack) },
  );
  expect(received.verdict).toBe('held');
  expect(await count('drafts')).toBe(drafts);
});

it.each([
  ['hazard', { event: 'Tornado Warning' }, 'CAP-701'],
  ['level', { severity: 'Unknown', headline: '预警', event: '暴雨' }, 'CAP-702'],
  ['unit', { area: areaOf('110105') }, 'CAP-704'],
  ['shape', { area: '<circle>29.5,108.7 5</circle>' }, 'CAP-705'],
  ['future', { expires: '2026-07-09T03:00:00+08:00' }, 'CAP-707'],
  ['level of the hazard', { event: '沙尘暴', headline: '沙尘暴蓝色预警', severity: 'Minor' }, 'CAP-713'],
])('without a known %s it is refused', async (name, parts, code) => {
  const received = await receive({ identifier: `R-${name.replaceAll(' ', '-')}`, ...parts });
  expect(received.verdict).toBe('refused');
  expect(codes(received)).toContain(code);
});

it('the colour people read counts more than the severity', async () => {
  const received = await receive({ identifier: 'C-1', severity: 'Moderate' });
  expect(codes(received)).toContain('CAP-703');
  expect((await readWarning(database, received.warningId ?? 0))?.level).toBe('red');
});

it('a polygon or circle finds the units whose shapes it touches', async () => {
  const square = (name: string, west: number, south: number, side: number) => ({
    type: 'Feature',
    properties: { name },
    geometry: {
      type: 'Polygon',
      coordinates: [
        [
          [west, south],
          [west + side, south],
          [west + side, south + side],
          [west, south + side],
          [west, south],
        ],
      ],
    },
  });
  const features = [square('区', 108, 29, 2), square('乡一', 108, 29, 1), square('乡二', 109, 29, 1)];
  const file = JSON.stringify({
    type: 'FeatureCollection',
    features: [...features, square('别处', 0, 0, 1)],
  });
  expect(await importShapes(database, file)).toEqual({ imported: 3, unknown: ['别处'] });

  const areas = async (identifier: string, area: string) => {
    const received = await receive({ identifier, area });
    return (await readWarning(database, received.warningId ?? 0))?.areaIds ?? codes(received);
  };
  // Within one township, without its middle; across both; a village's point; nowhere.
  expect(await areas('P-1', '<polygon>29.1,108.1 29.2,108.1 29.2,108.2 29.1,108.1</polygon>')).toEqual([
    tree.unit('乡一'),
  ]);
  expect(await areas('P-2', '<circle>29.5,108.98 5</circle>')).toEqual([
    tree.unit('乡一'),
    tree.unit('乡二'),
  ]);
  expect(await areas('P-3', '<circle>29.5,109.5 0</circle>')).toEqual([tree.unit('乡二')]);
  expect(await areas('P-4', '<circle>35,120 1</circle>')).toContain('CAP-706');
  // A part of the district in which no township's shape lies: the district itself, rather than nobody.
  expect(await areas('P-5', '<circle>30.5,108.5 1</circle>')).toEqual([tree.unit('区')]);
});

it('a sender with a key is believed by its signature alone', async () => {
  await addSender(
    database,
    { sender: 'signed.example', name: null, keyText: KEYS.publicKey, replyUrl: 'http://signed.example/cap' },
    administrator,
  );
  const parts = { sender: 'signed.example', identifier: 'K-1', area: TOWNSHIP };
  const unsigned = await receive(parts);
  expect(codes(unsigned)).toEqual(['CAP-601']);
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const foreign = await receive(
    signCap(message(parts), other.export({ type: 'pkcs8', format: 'pem' }).toString()),
  );
  expect(codes(foreign)).toEqual(['CAP-605']);
  const signed = signCap(message(parts), KEYS.privateKey);
  expect(codes(await receive(signed.replace('100毫米', '10毫米')))).toEqual(['CAP-605']);
  // None of the forged ones stands in the way of the true one.
  expect(await receive(signed)).toMatchObject({ verdict: 'issued', repeated: false });
  const replies = await database.query<{ msgType: string }>(
    'select msg_type as "msgType" from cap_replies order by id',
  );
  expect(replies.map(({ msgType }) => msgType)).toEqual(['Error', 'Error', 'Error', 'Ack']);
});

it('from a feed nothing is taken of a sender nobody knows', async () => {
  const received = await receive(
    { identifier: 'X-1', sender: 'stranger.example' },
    { ...BY_HAND, trusted: false },
  );
  expect(codes(received)).toEqual(['CAP-606']);
});
