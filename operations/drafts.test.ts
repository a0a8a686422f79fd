/** The life of an actual warning by drafts, over real PostgreSQL: issue, update, cancel, retract, emergency, and what is refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/database.ts';
import { lockWaitingDraft } from '../db/drafts.ts';
import { claimAfterReviewPages, claimDraftPages } from '../db/operator-pages.ts';
import { showToken } from '../db/operators.ts';
import { readWarning } from '../db/warnings.ts';
import type { Operator } from '../domain/authority.ts';
import { testDatabase } from '../test/database.ts';
import {
  content,
  openOffice,
  pastTriggers,
  publishByTwo,
  serveActual,
  type Office,
} from '../test/harness/office.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { contentOfCancel } from './draft-content.ts';
import { listAfterReviews, permitRetraction, retractByOne, reviewAfterwards } from './draft-ends.ts';
import {
  approveDraft,
  contentHash,
  createDraft,
  editDraft,
  publishDraft,
  reviewDraft,
  viewDraft,
} from './drafts.ts';
import { requireNumbers } from './operators.ts';
import { prepareUpdate, updateExercise } from './updates.ts';
import { cancelWarning, issueWarning } from './warnings.ts';

const PAGES = { againMs: 300_000, alsoDutyMs: 300_000, synthetic: true };

let owner: Database;
let database: Database;
let tree: SmallTree;
let office: Office;
let author: Operator;
let releaser: Operator;
let duty: Operator;

beforeAll(async () => {
  owner = await testDatabase('drafts');
  database = openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema: owner.schema });
  tree = await plantSmallTree(owner);
  office = await openOffice(database);
  author = (await office.hire('张三', 'author')).operator;
  releaser = (await office.hire('李四', 'releaser')).operator;
  duty = (await office.hire('王五', 'duty officer')).operator;
});
afterAll(async () => {
  await database.close();
  await owner.close();
});
beforeEach(async () => {
  await pastTriggers(
    owner,
    `update warnings set status = 'cancelled', ended_at = now() where status = 'open'`,
  );
  await pastTriggers(owner, `update drafts set status = 'withdrawn' where status = 'waiting'`);
  await pastTriggers(owner, `delete from operator_pages`);
});

const publish = (areas: string[] = ['乡一'], other = {}) =>
  publishByTwo(
    database,
    { author, releaser },
    content(
      areas.map((name) => tree.unit(name)),
      other,
    ),
  );

const refusal = (code: string) => expect.objectContaining({ code }) as Error;

describe('the hash', () => {
  it('is that of what is said, whatever the order of its words', async () => {
    const said = content([tree.unit('乡二'), tree.unit('乡一')]);
    const { draftId, hash } = await createDraft(database, author, said);
    const { rules } = (await viewDraft(database, draftId)).content;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    const reversed = Object.fromEntries(Object.entries({ ...said, rules }).reverse()) as typeof said & {
      rules: typeof rules;
    };
    expect(contentHash({ ...reversed, areaIds: [...said.areaIds].reverse() })).toBe(hash);
    const [byDatabase] = await database.query<{ hash: string }>(
      `select encode(sha256(convert_to(content, 'UTF8')), 'hex') as hash from draft_versions where draft_id = $1`,
      [draftId],
    );
    expect(byDatabase?.hash).toBe(hash);
  });

  it.each<[string, (said: ReturnType<typeof content>) => object]>([
    ['text', (said) => ({ textZh: `${said.textZh}!` })],
    ['area', () => ({ areaIds: [1] })],
    ['level', () => ({ level: 'orange' })],
    ['expiry', (said) => ({ expiresAt: said.expiresAt + 1 })],
    ['correction', () => ({ correctionEn: 'x' })],
  ])('is another with another %s', async (_what, other) => {
    const said = content([tree.unit('乡一')]);
    const one = await createDraft(database, author, said);
    const two = await createDraft(database, author, { ...said, ...other(said) });
    expect(two.hash).not.toBe(one.hash);
  });

  it('is another with other channels', async () => {
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    const said = (await viewDraft(database, draftId)).content;
    expect(contentHash({ ...said, rules: { ...said.rules, households: { by: ['email'] } } })).not.toBe(hash);
  });
});

describe('an update', () => {
  it('goes out by two persons, in the place of the one before', async () => {
    const first = await publish();
    const before = await readWarning(database, first);
    if (!before) throw new Error('there is no warning');
    const { warning } = await prepareUpdate(database, before, { level: 'orange', areas: ['区'] });
    const { draftId, hash } = await createDraft(
      database,
      author,
      content([tree.unit('区')], {
        act: 'update',
        supersedesId: first,
        level: 'orange',
        textZh: warning.textZh,
      }),
    );
    await approveDraft(database, releaser, draftId, hash);
    const { warningId } = await publishDraft(database, author, draftId, `D${draftId}`);
    expect(await readWarning(database, warningId)).toMatchObject({
      kind: 'actual',
      supersedesId: first,
      level: 'orange',
    });
    expect(await readWarning(database, first)).toMatchObject({
      status: 'superseded',
      supersededById: warningId,
    });
  });

  it('concerns the level and the places of the one before as well', async () => {
    const first = await publish();
    const yellow = (await office.hire('丙', 'releaser', '区/乡一', 'yellow')).operator;
    const lower = content([tree.unit('乡一')], { act: 'update', supersedesId: first, level: 'yellow' });
    await expect(createDraft(database, yellow, lower)).rejects.toEqual(refusal('no-authority'));
    const { draftId, hash } = await createDraft(database, author, lower);
    await expect(approveDraft(database, yellow, draftId, hash)).rejects.toEqual(refusal('no-authority'));
    const straight = database.transaction(async (sql) => {
      await showToken(sql, yellow.token);
      await sql.query(
        `insert into approvals (draft_id, version, hash, step, operator_id) values ($1, 1, $2, 'release', $3)`,
        [draftId, hash, yellow.operatorId],
      );
    });
    await expect(straight).rejects.toMatchObject({ code: 'FH403', message: 'no-authority' });
  });

  it('is refused for an actual warning without a draft', async () => {
    const first = await publish();
    await expect(updateExercise(database, first, { level: 'yellow' })).rejects.toEqual(
      refusal('needs-draft'),
    );
    await expect(cancelWarning(database, first, null)).rejects.toEqual(refusal('needs-draft'));
  });
});

describe('the end', () => {
  it('by cancel is two persons’ word, and says what they released', async () => {
    const warningId = await publish();
    const warning = await readWarning(database, warningId);
    if (!warning) throw new Error('there is no warning');
    const said = contentOfCancel(warning, { textZh: '雨势减弱,解除预警。', textEn: 'The rain is over.' });
    const { draftId, hash } = await createDraft(database, author, said);
    await approveDraft(database, releaser, draftId, hash);
    await publishDraft(database, author, draftId, `D${draftId}`);
    expect(await readWarning(database, warningId)).toMatchObject({ status: 'cancelled', retracted: false });
    expect(await viewDraft(database, draftId)).toMatchObject({ status: 'published', warningId });
    const [row] = await database.query('select end_text_zh as said from warnings where id = $1', [warningId]);
    expect(row?.['said']).toBe('雨势减弱,解除预警。');
  });

  it('by retraction is one person’s word, with the correction that was released', async () => {
    const warningId = await publish();
    await expect(retractByOne(database, null, warningId, '误发')).rejects.toEqual(refusal('no-operator'));
    await expect(retractByOne(database, author, warningId, '误发')).rejects.toEqual(refusal('no-authority'));
    await retractByOne(database, duty, warningId, '误发');
    expect(await readWarning(database, warningId)).toMatchObject({ status: 'cancelled', retracted: true });
    const [row] = await database.query('select end_text_zh as said from warnings where id = $1', [warningId]);
    expect(row?.['said']).toBe(content([]).correctionZh);
    const open = (await listAfterReviews(database)).find((one) => one.warningId === warningId);
    expect(open).toMatchObject({ act: 'retract', operator: '王五', reason: '误发' });
    await reviewAfterwards(database, releaser, {
      releaseId: open?.releaseId ?? 0,
      justified: false,
      finding: '未核实',
    });
    expect((await listAfterReviews(database)).filter((one) => one.warningId === warningId)).toEqual([]);
  });

  it('says nothing else than its correction, and is not undone', async () => {
    const warningId = await publish();
    const otherWords = database.transaction(async (sql) => {
      await permitRetraction(sql, duty, warningId, '误发');
      await sql.query(
        `update warnings set status = 'cancelled', ended_at = now(), retracted = true, end_text_zh = '无事', end_text_en = '' where id = $1`,
        [warningId],
      );
    });
    await expect(otherWords).rejects.toMatchObject({ message: 'not-what-was-released' });
    await retractByOne(database, duty, warningId, '误发');
    const undone = database.query(`update warnings set status = 'open' where id = $1`, [warningId]);
    await expect(undone).rejects.toMatchObject({ message: 'not-what-was-released' });
  });
});

describe('the database itself', () => {
  it('has no release whose author is its releaser, even where triggers are off', async () => {
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    const same = pastTriggers(
      owner,
      `insert into releases (act, draft_id, version, hash, author_id, reviewer_id, releaser_id, publisher_id)
       values ('issue', $1, 1, $2, $3, $4, $3, $3)`,
      [draftId, hash, author.operatorId, releaser.operatorId],
    );
    await expect(same).rejects.toMatchObject({ constraint: 'author_is_not_releaser' });
    const nobody = pastTriggers(
      owner,
      `insert into releases (act, draft_id, version, hash, author_id, publisher_id) values ('issue', $1, 1, $2, $3, $3)`,
      [draftId, hash, author.operatorId],
    );
    await expect(nobody).rejects.toMatchObject({ constraint: 'two_persons_or_emergency' });
  });

  it('keeps one person from being two operators', async () => {
    const { operatorId } = (await office.hire('化名', 'releaser')).operator;
    const person = tree.person('城');
    await owner.query('update operators set person_id = $2 where id = $1', [author.operatorId, person]);
    const twice = owner.query('update operators set person_id = $2 where id = $1', [operatorId, person]);
    await expect(twice).rejects.toMatchObject({ constraint: 'operators_person' });
    await owner.query('update operators set person_id = null where id = $1', [author.operatorId]);
  });

  it('lets nobody release what they could not when it is published, though they could when they approved', async () => {
    const leaver = (await office.hire('离任', 'releaser')).operator;
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    await approveDraft(database, leaver, draftId, hash);
    await pastTriggers(owner, 'update operators set revoked_at = now() where id = $1', [leaver.operatorId]);
    await expect(publishDraft(database, author, draftId, `D${draftId}`)).rejects.toEqual(
      refusal('no-authority'),
    );
  });

  it('lets one window wait for the other', async () => {
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    const hurried = openDatabase({
      ...{ url: process.env['DATABASE_URL'] ?? '', schema: owner.schema, lockTimeoutMs: 50 },
    });
    await database.transaction(async (sql) => {
      await lockWaitingDraft(sql, draftId);
      const others = [
        approveDraft(hurried, releaser, draftId, hash),
        publishDraft(hurried, author, draftId, `D${draftId}`),
        editDraft(hurried, author, draftId, content([tree.unit('乡二')])),
      ];
      for (const other of await Promise.allSettled(others))
        expect(other).toMatchObject({ status: 'rejected', reason: { code: '55P03' } });
    });
    await hurried.close();
    await approveDraft(database, releaser, draftId, hash);
  });

  it('takes a review by one and a release by another', async () => {
    const reviewer = (await office.hire('审核', 'reviewer')).operator;
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    await expect(approveDraft(database, reviewer, draftId, hash)).rejects.toEqual(refusal('no-authority'));
    await reviewDraft(database, reviewer, draftId, hash);
    await expect(publishDraft(database, author, draftId, `D${draftId}`)).rejects.toEqual(
      refusal('not-approved'),
    );
    await approveDraft(database, releaser, draftId, hash);
    await publishDraft(database, author, draftId, `D${draftId}`);
    const [row] = await database.query('select reviewer_id, releaser_id from releases where draft_id = $1', [
      draftId,
    ]);
    expect(row).toEqual({ reviewer_id: reviewer.operatorId, releaser_id: releaser.operatorId });
  });
});

async function cancelOf(warningId: number) {
  const warning = await readWarning(database, warningId);
  if (!warning) throw new Error('there is no warning');
  return contentOfCancel(warning, {});
}

describe('publishing', () => {
  const vanish = (what: string) => owner.query(what);

  it.each<[why: string, how: () => Promise<unknown>, gap: string]>([
    ['no worker was ever there', () => vanish(`delete from serving`), 'no worker'],
    ['the worker is gone', () => vanish(`update liveness set at = now() - interval '1 minute'`), 'no worker'],
    ['only Exercises are served', () => vanish(`update serving set kind = 'exercise'`), 'no worker'],
    ['the worker has no sender', () => serveActual(owner, []), 'no sender'],
  ])('is refused where %s, and the approval stands', async (_why, how, gap) => {
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    await approveDraft(database, releaser, draftId, hash);
    const [name, emergency] = [`D${draftId}`, { emergency: '溃坝' }];
    await how();
    const message = expect.stringContaining(gap) as string;
    const refused = { code: 'not-ready', refusal: 'notPermitted', message };
    await expect(publishDraft(database, author, draftId, name)).rejects.toMatchObject(refused);
    await expect(publishDraft(database, duty, draftId, name, emergency)).rejects.toMatchObject(refused);
    expect((await viewDraft(database, draftId)).status).toBe('waiting');
    expect(await owner.query('select from releases where draft_id = $1', [draftId])).toEqual([]);
    await serveActual(owner);
    await publishDraft(database, author, draftId, name);
  });

  it('of a cancel needs nobody who sends: it stops what would be sent', async () => {
    const warningId = await publish();
    const { draftId, hash } = await createDraft(database, author, await cancelOf(warningId));
    await approveDraft(database, releaser, draftId, hash);
    await vanish('delete from serving');
    await publishDraft(database, author, draftId, `D${draftId}`);
    expect(await readWarning(database, warningId)).toMatchObject({ status: 'cancelled' });
    await serveActual(owner);
  });
});

it('of several emergencies of one person at once, one goes out', async () => {
  const one = (await office.hire('周八', 'duty officer')).operator;
  const drafts = [];
  for (const area of ['乡一', '乡二', '乡一', '乡二'])
    drafts.push(await createDraft(database, one, content([tree.unit(area)])));
  const alone = (draftId: number) =>
    publishDraft(database, one, draftId, `D${draftId}`, { emergency: '溃坝' });
  const outcomes = await Promise.allSettled(drafts.map(({ draftId }) => alone(draftId)));
  const refused = outcomes.flatMap((it) => (it.status === 'rejected' ? [it.reason as unknown] : []));
  expect(refused).toEqual(Array.from({ length: 3 }, () => refusal('after-review-open')));
  for (const done of await listAfterReviews(database))
    await reviewAfterwards(database, releaser, { ...done, justified: true, finding: '属实' });
});

describe('the record', () => {
  it('names who updated, cancelled and retracted', async () => {
    const first = await publish();
    const raised = content([tree.unit('乡一')], { act: 'update', supersedesId: first, level: 'orange' });
    const second = await publishByTwo(database, { author, releaser }, raised);
    await publishByTwo(database, { author, releaser }, await cancelOf(second));
    const third = await publish(['乡二']);
    await retractByOne(database, duty, third, '误发');
    for (const one of await listAfterReviews(database)) {
      await reviewAfterwards(database, releaser, { ...one, justified: true, finding: '属实' });
    }
    const { warningId } = await issueWarning(database, {
      ...{ hazard: '暴雨', level: 'red', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' },
    });
    const { after } = await updateExercise(database, warningId, { level: 'yellow' }, '赵班长');
    await cancelWarning(database, after.warningId, null);
    const lines = await owner.query<{ line: string }>(
      `select concat_ws(' ', kind, coalesce(actor, '-')) as line from audit
       where kind in ('update', 'cancel', 'retract') and chain = any ($1) order by chain, position`,
      [[second, third, after.warningId].map((id) => `acts-${id}`)],
    );
    expect(lines.map(({ line }) => line)).toEqual([
      ...['update 张三', 'cancel 张三', 'retract 王五', 'update 赵班长', 'cancel -'],
    ]);
  });
});

describe('what waits', () => {
  it('is told to whoever may release it, once, and in time to who may publish it in an emergency', async () => {
    const reach = (one: Operator, email: string) =>
      owner.query('update operators set email = $2 where id = $1', [one.operatorId, email]);
    await Promise.all([
      reach(author, 'a@office.example'),
      reach(releaser, 'r@office.example'),
      reach(duty, 'd@office.example'),
    ]);
    const { draftId, hash } = await createDraft(database, author, content([tree.unit('乡一')]));
    const told = async () => (await claimDraftPages(database, PAGES)).map(({ email }) => email);
    const both = await Promise.all([told(), told()]);
    expect(both.flat()).toEqual(['r@office.example']);
    expect(await told()).toEqual([]);
    await pastTriggers(owner, `update drafts set written_at = written_at - interval '6 minutes'`);
    await pastTriggers(owner, `update operator_pages set at = at - interval '6 minutes'`);
    expect(await told()).toEqual(['r@office.example', 'd@office.example']);
    await approveDraft(database, releaser, draftId, hash);
    await pastTriggers(owner, `update operator_pages set at = at - interval '6 minutes'`);
    expect(await told()).toEqual([]);
  });

  it('is what one person did alone, too', async () => {
    const { draftId } = await createDraft(database, author, content([tree.unit('乡一')]));
    const alone = (await office.hire('赵六', 'duty officer')).operator;
    await publishDraft(database, alone, draftId, `D${draftId}`, { emergency: '溃坝' });
    const pages = await claimAfterReviewPages(database, { againMs: 1_000, synthetic: true });
    expect(pages.filter(({ reason }) => reason === '溃坝').map(({ email }) => email)).toEqual([
      'r@office.example',
    ]);
    expect((await listAfterReviews(database)).at(-1)).toMatchObject({ reason: '溃坝', draftId });
  });
});

describe('telephone numbers', () => {
  it('of Exercises are for everybody, of actual warnings for those with the right', async () => {
    const actual = await publish();
    const { warningId: exercise } = await issueWarning(database, {
      ...{ hazard: '暴雨', level: 'red', areas: ['区/乡二'], expires: '+6h', issuer: '城气象台' },
    });
    const asked = (who: Operator | null, ids: number[]) =>
      requireNumbers(database, () => Promise.resolve(who), ids);
    await asked(null, [exercise]);
    await expect(asked(null, [exercise, actual])).rejects.toEqual(refusal('no-operator'));
    await expect(asked(author, [actual])).rejects.toEqual(refusal('no-authority'));
    await asked(duty, [actual, exercise]);
  });
});
