/** The answer page over HTTP and PostgreSQL: what it takes, what it never takes, and what it says when. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerToken } from '../domain/links.ts';
import { WRONG_TRIES_MAX } from '../operations/answer-links.ts';
import { cancelWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { TEST_KEYS } from '../test/harness/local-cascade.ts';
import { holdPost } from '../test/harness/small-tree.ts';
import { answerPageRoutes } from './answer-page.ts';
import {
  scan,
  sendRaw,
  startAnswerSite,
  startLine,
  type AnswerSite,
  type Line,
  type Means,
} from './testing.ts';

let line: Line;
let site: AnswerSite;

beforeAll(async () => {
  line = await startLine();
  site = await startAnswerSite('answer_page', line.url);
});
afterAll(async () => {
  await site.stop();
  await line.close();
});

const PAGE_BYTES_MAX = 14 * 1024;

async function meansOf(unit: string, change: Parameters<AnswerSite['issue']>[0] = {}): Promise<Means> {
  return site.means(await site.issue(change), site.tree.person(unit));
}

const answersTo = async (means: Means) =>
  site.database.query<{
    unit_id: number;
    kind: string;
    done_count: number | null;
    person_id: number | null;
    household_id: number | null;
  }>(
    `select unit_id, kind, done_count, person_id, household_id from answers where delivery_id = $1 order by id`,
    [deliveryOf(means)],
  );

const deliveryOf = (means: Means) => Number.parseInt(means.token.split('.')[0] ?? '', 36);

const triesOf = async (means: Means) =>
  (
    await site.database.query<{ tries: number }>('select tries from answer_tries where delivery_id = $1', [
      deliveryOf(means),
    ])
  )[0]?.tries ?? 0;

const received = (number: string) => ({ answer: 'received', number });

describe('nothing but a person with the number answers', () => {
  it('not a look at the page, by GET or HEAD', async () => {
    const means = await meansOf('村一');
    for (const method of ['GET', 'HEAD'] as const) {
      const url = `${means.url}?answer=received&number=${means.number}`;
      expect((await fetch(url, { method })).status).toBe(200);
    }
    expect(await answersTo(means)).toEqual([]);
  });

  it.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('not the method %s', async (method) => {
    const means = await meansOf('村一');
    const response = await fetch(means.url, { method, body: new URLSearchParams(received(means.number)) });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST');
    expect(await answersTo(means)).toEqual([]);
  });

  it('not a form without an answer, without a number, or with a wrong one', async () => {
    const means = await meansOf('村一');
    const { number, wrong } = means;
    for (const [fields, status] of [
      [{}, 400],
      [{ number }, 400],
      [{ answer: 'yes', number }, 400],
      [{ answer: 'toString', number }, 400],
      [{ answer: 'received' }, 400],
      [{ answer: 'received', number: '' }, 400],
      [{ answer: 'received', number: `${number}0` }, 400],
      [{ answer: 'received', number: number.slice(1) }, 400],
      [{ answer: 'received', number: 'abcd' }, 400],
      [{ answer: 'received', number: `${number}\0` }, 400],
      [{ answer: 'received', number, count: '35' }, 400],
      [{ answer: 'done', number, count: '-1' }, 400],
      [{ answer: 'done', number, count: '1e3' }, 400],
      [{ answer: 'done', number, count: '9999999' }, 400],
      [{ answer: 'received', number: wrong }, 403],
    ] as [Record<string, string>, number][]) {
      expect({ fields, status: (await site.post(means.url, fields)).status }).toEqual({ fields, status });
    }
    expect(await answersTo(means)).toEqual([]);
    // What is no four digits is no guess: only the last one cost a try.
    expect(await triesOf(means)).toBe(1);
  });

  it.each([
    ['bytes', Buffer.from([0, 255, 254, 1, 128])],
    ['JSON', '{"answer":"received"}'],
    ['a broken escape', 'answer=%E0%A4%A&number=%'],
    ['many fields', Array.from({ length: 300 }, (_, index) => `n${index}=1`).join('&')],
    ['nothing', ''],
  ])('not a body of %s', async (_, body) => {
    const means = await meansOf('村一');
    expect((await fetch(means.url, { method: 'POST', body })).status).toBe(400);
    expect(await answersTo(means)).toEqual([]);
    expect(await triesOf(means)).toBe(0);
  });

  it('not a body larger than the form, with its length or without', async () => {
    const means = await meansOf('村一');
    const large = new URLSearchParams({ ...received(means.number), more: 'x'.repeat(5_000) }).toString();
    expect((await fetch(means.url, { method: 'POST', body: large })).status).toBe(413);
    const chunk = `1000\r\n${'y'.repeat(4_096)}\r\n`;
    const heard = await sendRaw(site.url, [
      `POST /a/${means.token} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`,
      `${large.length.toString(16)}\r\n${large}\r\n`,
      ...Array.from({ length: 50 }, () => chunk),
      '0\r\n\r\n',
    ]);
    expect(heard).toMatch(/^HTTP\/1.1 413/);
    const small = new URLSearchParams(received(means.number)).toString();
    expect(
      await sendRaw(site.url, [
        `POST /a/${means.token} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`,
        `${small.length.toString(16)}\r\n${small}\r\n0\r\n\r\n`,
      ]),
    ).toMatch(/^HTTP\/1.1 200/);
    expect(await answersTo(means)).toHaveLength(1);
  });
});

describe('a link takes five wrong numbers', () => {
  it('one after another, and then none, not even the right one', async () => {
    const means = await meansOf('村一');
    for (const left of [4, 3, 2, 1]) {
      const body = await (await site.post(means.url, received(means.wrong))).text();
      expect(body).toContain(`还可以试 ${left} 次`);
    }
    const fifth = await site.post(means.url, received(means.wrong));
    expect([fifth.status, await fifth.text()]).toEqual([403, expect.stringContaining('此链接已停用')]);
    const right = await site.post(means.url, received(means.number));
    expect([right.status, await right.text()]).toEqual([403, expect.stringContaining('现在请这样做')]);
    expect((await fetch(means.url)).status).toBe(403);
    expect(await answersTo(means)).toEqual([]);
  });

  it('also of fifty at once', async () => {
    const means = await meansOf('村一');
    const guesses = Array.from({ length: 50 }, () => site.post(means.url, received(means.wrong)));
    const bodies = await Promise.all(guesses.map(async (guess) => (await guess).text()));
    expect(bodies.filter((body) => body.includes('还可以试'))).toHaveLength(4);
    expect(await triesOf(means)).toBe(WRONG_TRIES_MAX);
    expect((await site.post(means.url, received(means.number))).status).toBe(403);
    expect(await answersTo(means)).toEqual([]);
  });

  it('and a right one that waits behind five wrong ones under way is refused', async () => {
    const means = await meansOf('村一');
    await site.database.query('insert into answer_tries (delivery_id, tries) values ($1, 4)', [
      deliveryOf(means),
    ]);
    let posts: Promise<Response>[] = [];
    await site.database.withClient(async (holder) => {
      await holder.query('begin');
      // The fifth wrong number, counted and not yet committed.
      await holder.query('update answer_tries set tries = 5 where delivery_id = $1', [deliveryOf(means)]);
      posts = [site.post(means.url, received(means.number))];
      await waitUntil(waitingTries, { deadlineMs: 5_000, what: 'a try that waits' });
      await holder.query('commit');
    });
    expect((await posts[0])?.status).toBe(403);
    expect(await answersTo(means)).toEqual([]);
  });

  it('and right ones cost nothing', async () => {
    const means = await meansOf('村一');
    for (let time = 0; time < 7; time += 1)
      expect((await site.post(means.url, received(means.number))).status).toBe(200);
    expect(await answersTo(means)).toHaveLength(7);
  });

  it('so that a scanner that follows all links and sends all forms filled in answers nothing in 2,000 visits', async () => {
    const { links, forms, answers } = await scan(site, 2_000);
    expect(forms).toBeGreaterThanOrEqual(links.length * WRONG_TRIES_MAX);
    for (const means of links) expect(await triesOf(means)).toBe(WRONG_TRIES_MAX);
    // Ten links take fifty guesses of ten thousand: 0.5 % to hit.
    expect(answers).toBe(0);
  });
});

/** Whether a try of a link waits for another to commit. */
const waitingTries = async () =>
  (
    await site.database.query(
      `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%from answer_tries%'`,
    )
  ).length > 0 || null;

/** Whether a commit waits for `holdCommits`' lock. */
const waitingCommits = async () => (await site.database.query(HELD_COMMITS)).length > 0 || null;

const COMMIT_LOCK = 4_711;
const HELD_COMMITS = `select pid from pg_locks where locktype = 'advisory' and objid = ${COMMIT_LOCK} and not granted`;

describe('an address', () => {
  it('that enters a hundred wrong numbers by many links is put off, and no other', async () => {
    const routes = answerPageRoutes({
      database: site.database,
      keys: TEST_KEYS,
      log: () => undefined,
      proxies: 1,
    });
    const people = ['城', '区', '乡一', '乡二', '村一', '村二', '组一', '组二'];
    const send = (means: Means, number: string, address: string) =>
      routes.request(`/a/${means.token}`, {
        method: 'POST',
        body: new URLSearchParams(received(number)),
        headers: { 'x-forwarded-for': address },
      });
    const statuses: number[] = [];
    while (statuses.length < 100) {
      const warningId = await site.issue();
      for (const unit of people) {
        const means = await site.means(warningId, site.tree.person(unit));
        // Four of a link: it stays open, and only the address is at its end.
        for (let wrong = 0; wrong < 4; wrong += 1)
          statuses.push((await send(means, means.wrong, '198.51.100.1')).status);
      }
    }
    expect(statuses.slice(0, 100)).toEqual(new Array(100).fill(403));
    const means = await meansOf('村一');
    const put = await send(means, means.number, '198.51.100.1');
    expect([put.status, await put.text()]).toEqual([429, expect.stringContaining('请过一分钟再试')]);
    expect(await answersTo(means)).toEqual([]);
    expect((await send(means, means.number, '198.51.100.2')).status).toBe(200);
  });
});

describe('dead links', () => {
  it('look alike, whether forged, altered, made up or never sent, and leave no row', async () => {
    const means = await meansOf('村一');
    const { token } = means;
    const altered = [...token].map(
      (character, place) => token.slice(0, place) + (character === 'A' ? 'B' : 'A') + token.slice(place + 1),
    );
    const dead = [
      ...altered,
      `0${token}`,
      `${token}A`,
      token.slice(0, -1),
      token.toUpperCase(),
      answerToken([{ id: '1', secret: 'another secret' }], deliveryOf(means)),
      answerToken([{ id: '2', secret: TEST_KEYS[0]?.secret ?? '' }], deliveryOf(means)),
      answerToken(TEST_KEYS, 1_023 + 1_024 * 999_999),
      answerToken(TEST_KEYS, deliveryOf(means) + 900),
      'x',
      '%00',
      '%E0%A4%A',
      "1';drop table answers;--",
      'a'.repeat(5_000),
      '../healthz%2f',
    ];
    const plain = await (await fetch(`${site.url}/a/never`)).text();
    for (const one of dead) {
      const got = await fetch(`${site.url}/a/${one}`);
      expect([one, got.status, await got.text()]).toEqual([one, 404, plain]);
      const posted = await site.post(`${site.url}/a/${one}`, received(means.number));
      expect([one, posted.status, await posted.text()]).toEqual([one, 404, plain]);
    }
    expect(await (await fetch(`${site.url}/nowhere`)).text()).toBe(plain);
    const rows = await site.database.query('select 1 from answer_tries where delivery_id = $1', [
      deliveryOf(means),
    ]);
    expect(rows).toEqual([]);
    expect(await answersTo(means)).toEqual([]);
  });
});

describe('an answer', () => {
  it('is in PostgreSQL before anyone is thanked', async () => {
    const means = await meansOf('村一');
    await holdCommits();
    const state = { thanked: false };
    let thanks: Promise<Response> | undefined;
    await site.database.withClient(async (holder) => {
      await holder.query(`select pg_advisory_lock(${COMMIT_LOCK})`);
      thanks = site.post(means.url, received(means.number)).then((response) => {
        state.thanked = true;
        return response;
      });
      await waitUntil(waitingCommits, { deadlineMs: 5_000, what: 'a commit that waits' });
      expect(await answersTo(means)).toEqual([]);
      expect(state.thanked).toBe(false);
      await holder.query(`select pg_advisory_unlock(${COMMIT_LOCK})`);
    });
    expect((await thanks)?.status).toBe(200);
    expect(await answersTo(means)).toHaveLength(1);
  });

  it('whose connection dies at the commit is not thanked for, and can be sent again', async () => {
    const means = await meansOf('村一');
    await holdCommits();
    let thanks: Promise<Response> | undefined;
    await site.database.withClient(async (holder) => {
      await holder.query(`select pg_advisory_lock(${COMMIT_LOCK})`);
      thanks = site.post(means.url, received(means.number));
      await waitUntil(waitingCommits, { deadlineMs: 5_000, what: 'a commit that waits' });
      await holder.query(`select pg_terminate_backend(pid) from (${HELD_COMMITS}) held`);
      const response = await thanks;
      expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('再次提交')]);
      await holder.query(`select pg_advisory_unlock(${COMMIT_LOCK})`);
    });
    expect(await answersTo(means)).toEqual([]);
    expect((await site.post(means.url, received(means.number))).status).toBe(200);
    expect(await answersTo(means)).toHaveLength(1);
  });

  it('while PostgreSQL is away is asked for again, with what was typed but the number', async () => {
    const means = await meansOf('村一');
    await line.cut();
    const fields = { answer: 'done', count: '35', number: means.number };
    const away = await site.post(means.url, fields);
    const page = await away.text();
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
    expect(page).toContain('Not possible right now');
    expect(page).toContain('value="35"');
    expect(page).not.toContain(means.number);
    expect((await fetch(means.url)).status).toBe(503);
    expect((await fetch(`${site.url}/healthz`)).status).toBe(503);
    await line.mend();
    await waitUntil(async () => (await fetch(`${site.url}/healthz`)).ok || null, {
      deadlineMs: 10_000,
      what: 'the web process to find PostgreSQL again',
    });
    expect((await site.post(means.url, fields)).status).toBe(200);
    expect(await answersTo(means)).toMatchObject([{ kind: 'done', done_count: 35 }]);
  });

  it('given twice keeps the first time, and shows both', async () => {
    const means = await meansOf('村一');
    await site.post(means.url, received(means.number));
    await site.database.query(`update answers set at = at - interval '70 minutes' where delivery_id = $1`, [
      deliveryOf(means),
    ]);
    const [before] = await firstTime(means);
    const second = await (
      await site.post(means.url, { answer: 'done', number: means.number, count: '３５' })
    ).text();
    expect(second).toContain('转移 35 人');
    expect(second).toMatch(/首次应答：.*，收到/);
    expect(await firstTime(means)).toEqual([before]);
    expect(await answersTo(means)).toMatchObject([
      { kind: 'received', done_count: null },
      { kind: 'done', done_count: 35 },
    ]);
    const look = await (await fetch(means.url)).text();
    expect(look).toMatch(/首次应答：.*，收到/);
    expect(look).toMatch(/最近应答：.*，已落实，转移 35 人/);
    expect(look).toContain('更改或补充应答');
  });

  it.each([
    [
      'full-width digits',
      (number: string) => number.replace(/\d/g, (digit) => '０１２３４５６７８９'[Number(digit)] ?? ''),
    ],
    ['spaces', (number: string) => ` ${number.slice(0, 2)} ${number.slice(2)} `],
    ['hyphens', (number: string) => [...number].join('-')],
  ])('may give the number in %s', async (_, write) => {
    const means = await meansOf('村一');
    expect((await site.post(means.url, received(write(means.number)))).status).toBe(200);
  });

  it('counts for all units of a person with several posts', async () => {
    const warned = site.tree.person('乡二', 1);
    await holdPost(site.database, site.tree.unit('村二'), warned, 1);
    await holdPost(site.database, site.tree.unit('乡二'), warned, 0);
    try {
      const means = await site.means(await site.issue(), warned);
      const page = await (await site.post(means.url, received(means.number))).text();
      expect(page).toContain('乡二、村二');
      const units = [site.tree.unit('乡二'), site.tree.unit('村二')];
      expect((await answersTo(means)).map((row) => row.unit_id).sort()).toEqual(units.sort());
      const letters = await site.database.query(`select unit_id from inbox where unit_id = any($1)`, [units]);
      expect(letters).toHaveLength(2);
    } finally {
      await site.database.query(
        `delete from posts where person_id = $1 and not (rank = 1 and unit_id = $2)`,
        [warned, site.tree.unit('乡二')],
      );
    }
  });

  it('of a household is a fact without a letter', async () => {
    const [household] = await site.database.query<{ id: number }>(
      `select id from households where name = '户一1'`,
    );
    const means = await site.means(await site.issue(), household?.id ?? 0, 'households');
    await site.database.query('delete from inbox');
    expect((await site.post(means.url, received(means.number))).status).toBe(200);
    expect(await answersTo(means)).toMatchObject([
      { household_id: household?.id, person_id: null, unit_id: site.tree.unit('组一') },
    ]);
    expect(await site.database.query('select 1 from inbox')).toEqual([]);
  });

  it('after the end is recorded as late, and after the grace not at all', async () => {
    const warningId = await site.issue();
    const means = await site.means(warningId, site.tree.person('村一'));
    await cancelWarning(site.database, warningId, null);
    expect(await (await fetch(means.url)).text()).toContain('此时应答记为迟到');
    const late = await site.post(means.url, received(means.number));
    expect([late.status, await late.text()]).toEqual([200, expect.stringContaining('此应答记为迟到')]);
    const facts = await site.database.query(
      `select a.at > w.ended_at as late from answers a join warnings w on w.id = a.warning_id where w.id = $1`,
      [warningId],
    );
    expect(facts).toEqual([{ late: true }]);
    await site.database.query(`update warnings set ended_at = ended_at - interval '24 hours' where id = $1`, [
      warningId,
    ]);
    const plain = await (await fetch(`${site.url}/a/never`)).text();
    const dead = await site.post(means.url, received(means.number));
    expect([dead.status, await dead.text()]).toEqual([404, plain]);
    expect(await answersTo(means)).toHaveLength(1);
  });
});

const firstTime = (means: Means) =>
  site.database.query<{ at: Date }>('select min(at) as at from answers where delivery_id = $1', [
    deliveryOf(means),
  ]);

/** From now on a commit of an answer waits for whoever holds the lock. */
async function holdCommits(): Promise<void> {
  await site.database.query(`create or replace function wait_for_lock() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(${COMMIT_LOCK}); return null; end'`);
  await site.database.query('drop trigger if exists slow_commit on answers');
  await site.database.query(`create constraint trigger slow_commit after insert on answers
    deferrable initially deferred for each row execute function wait_for_lock()`);
}

describe('the page', () => {
  const HOSTILE = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)>`;

  it('escapes the words of warnings, units and forms', async () => {
    await site.database.query('update units set name = $2 where id = $1', [site.tree.unit('组二'), HOSTILE]);
    const warningId = await site.issue({ textZh: HOSTILE, textEn: HOSTILE, issuer: HOSTILE });
    const means = await site.means(warningId, site.tree.person('组二'));
    const typed = { answer: HOSTILE, count: '"><b>1', number: means.number };
    const pages = [
      await fetch(means.url),
      await fetch(`${means.url}?lang=en`),
      await fetch(`${means.url}?lang=${encodeURIComponent(HOSTILE)}`),
      await site.post(means.url, typed),
      await site.post(means.url, { ...typed, answer: 'done' }),
      await site.post(means.url, received(means.number)),
    ];
    for (const page of pages) {
      const body = await page.text();
      expect(body).toContain('&lt;script&gt;');
      expect(body).not.toMatch(/<script|<img|<b>|="">/);
    }
    await site.database.query(`update units set name = '组二' where id = $1`, [site.tree.unit('组二')]);
  });

  it('keeps what was typed after an error, but the number', async () => {
    const means = await meansOf('村一');
    const page = await (
      await site.post(means.url, { answer: 'done', count: '３５', number: means.wrong })
    ).text();
    expect(page).toMatch(/value="done"\s+required\s+checked/);
    expect(page).toContain('value="３５"');
    expect(page).not.toContain(means.wrong);
  });

  it('speaks the language of its reader, and the other on request', async () => {
    await site.database.query(`update people set language = 'en' where id = $1`, [site.tree.person('乡一')]);
    const means = await meansOf('乡一');
    const english = await (await fetch(means.url)).text();
    expect(english).toContain('<html lang="en">');
    expect(english).toContain('Red rainstorm warning');
    const chinese = await (await fetch(`${means.url}?lang=zh`)).text();
    expect(chinese).toContain('<html lang="zh-CN">');
    expect(chinese).toContain('暴雨红色预警');
  });

  it('is at most 14 KB with its headers, however long its texts, in every state', async () => {
    const person = site.tree.person('城');
    const posts = await site.database.query<{ id: number }>('select id from units order by id');
    for (const { id } of posts) await holdPost(site.database, id, person, 5);
    await site.database.query(`update units set name = repeat('长', 30) where name = '区'`);
    const longest = { textZh: '"'.repeat(1_000), textEn: '"'.repeat(1_000), issuer: '某'.repeat(60) };
    const warningId = await site.issue(longest);
    const means = await site.means(warningId, person);
    const other = await site.means(warningId, site.tree.person('区'));
    const states = [
      await fetch(means.url),
      await site.post(means.url, { answer: 'done', count: '1', number: means.wrong }),
      await site.post(means.url, received(means.number)),
      await site.post(means.url, { answer: 'done', count: '1', number: means.number }),
      await fetch(`${means.url}?lang=en`),
      await fetch(`${site.url}/a/never`),
    ];
    for (let wrong = 0; wrong < 5; wrong += 1) states.push(await site.post(other.url, received(other.wrong)));
    for (const state of states) {
      const headers = [...state.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const bytes = Buffer.byteLength(await state.text()) + Buffer.byteLength(headers);
      expect(bytes).toBeLessThanOrEqual(PAGE_BYTES_MAX);
    }
    await site.database.query('delete from posts where rank = 5');
  });

  it('carries its security headers in every state', async () => {
    const means = await meansOf('村一');
    for (const response of [
      await fetch(means.url),
      await site.post(means.url, received(means.wrong)),
      await site.post(means.url, { more: 'x'.repeat(5_000) }),
      await fetch(means.url, { method: 'DELETE' }),
      await fetch(`${site.url}/a/never`),
      await fetch(`${site.url}/nowhere`),
      await fetch(`${site.url}/healthz`),
      await site.push([], { signature: 'none' }),
    ]) {
      const header = (name: string) => response.headers.get(name);
      expect(header('content-security-policy')).toMatch(/^default-src 'none'.*frame-ancestors 'none'/);
      expect(header('x-content-type-options')).toBe('nosniff');
      expect(header('x-frame-options')).toBe('DENY');
      expect(header('referrer-policy')).toBe('no-referrer');
      expect(header('cache-control')).toBe('no-store');
    }
  });
});
