/**
 * The answer page under those who mean no good: scanners that press everything, and guessing at links and at numbers. (Long: a
 * million tries each. Most are made by the operation behind the page, since HTTP on loopback would take the most of the time; a
 * part is made by HTTP.)
 */
import { randomBytes, randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { answerToken } from '../domain/links.ts';
import { answersByLink, openAnswerLink, WRONG_TRIES_MAX } from '../operations/answer-links.ts';
import { TEST_KEYS } from '../test/harness/local-cascade.ts';
import { scan, startAnswerSite, type AnswerSite, type Means } from './testing.ts';

const TRIES = 1_000_000;
const TRIES_BY_HTTP = 20_000;
const WARNINGS = 40;
const UNITS = ['城', '区', '乡一', '乡二', '村一', '村二', '组一', '组二'];
const TOGETHER = 64;

let site: AnswerSite;
/** Links that are guessed at, and those of honest people. */
let attacked: Means[];
let honest: Means[];

beforeAll(async () => {
  site = await startAnswerSite('answer_page_long');
  const links: Means[] = [];
  for (let warning = 0; warning < WARNINGS; warning += 1) {
    const warningId = await site.issue();
    for (const unit of UNITS) links.push(await site.means(warningId, site.tree.person(unit)));
  }
  attacked = links.filter((_, index) => index % 2 === 0);
  honest = links.filter((_, index) => index % 2 === 1);
}, 300_000);
afterAll(() => site.stop());

/** Shows a figure of this run. */
const print = (line: string) => process.stderr.write(`${line}\n`);

/** Does `count` pieces of work, some at a time. */
async function times(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, lane));
}

const four = () => String(randomInt(10_000)).padStart(4, '0');

it('takes no answer from a scanner in 10,000 visits', async () => {
  const { links, forms, answers } = await scan(site, 10_000);
  print(`scanner: 10,000 visits, ${forms} forms sent to ${links.length} links, ${answers} answers`);
  expect(forms).toBeGreaterThanOrEqual(links.length * WRONG_TRIES_MAX);
  expect(answers).toBe(0);
});

it('opens no link of a million made up, and asks PostgreSQL for none of them', async () => {
  const asked: string[] = [];
  const database = { query: (text: string) => void asked.push(text) } as unknown as Database;
  const ids = attacked.map(({ token }) => Number.parseInt(token.split('.')[0] ?? '', 36));
  const other = [{ id: '1', secret: 'another secret of the tests, of as much use' }];
  let opened = 0;
  for (let index = 0; index < TRIES; index += 1) {
    const id = ids[index % ids.length] ?? 0;
    const token =
      index % 2 === 0
        ? `${id.toString(36)}.${randomBytes(12).toString('base64url')}`
        : answerToken(other, id + index);
    if (await openAnswerLink(database, TEST_KEYS, token)) opened += 1;
  }
  print(`links: ${TRIES} made up, ${opened} opened, ${asked.length} statements (by the operation)`);
  expect([opened, asked]).toEqual([0, []]);
});

it('takes no more guesses at a link than five, of a million, while honest people are heard', async () => {
  const take = answersByLink(site.database, TEST_KEYS);
  const before = await site.answers();
  const heard = { sent: 0, recorded: 0 };
  let accepted = 0;
  const every = Math.floor(TRIES / (honest.length * 10));
  await times(TRIES, async (index) => {
    const { token } = attacked[index % attacked.length] ?? { token: '' };
    const guess = await take({ token, number: four(), answer: 'received', doneCount: null });
    if (guess.kind === 'recorded') accepted += 1;
    if (index % every > 0) return;
    const person = honest[Math.floor(index / every) % honest.length];
    heard.sent += 1;
    const said = await take({ token: '', number: '', answer: 'received', doneCount: null, ...person });
    if (said.kind === 'recorded') heard.recorded += 1;
  });
  print(
    `numbers: ${TRIES} tries at ${attacked.length} links, ${accepted} accepted; honest ${heard.recorded} of ${heard.sent} (by the operation)`,
  );
  await expectFiveEach();
  // 160 links × 5 of 10,000 are 0.08: more than two come once in ten thousand runs. Without the limit it would be a hundred.
  expect(accepted).toBeLessThanOrEqual(2);
  expect(heard.recorded / heard.sent).toBeGreaterThanOrEqual(0.99);
  expect((await site.answers()) - before).toBe(accepted + heard.recorded);
}, 900_000);

it('nor by HTTP, where honest people are heard too', async () => {
  const heard = { sent: 0, recorded: 0 };
  const statuses = new Map<number, number>();
  await times(TRIES_BY_HTTP, async (index) => {
    const { url } = attacked[index % attacked.length] ?? { url: '' };
    const forged = index % 2 === 0 ? `${site.url}/a/${randomBytes(12).toString('base64url')}` : url;
    const { status } = await site.post(forged, { answer: 'received', number: four() });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (index % 20 > 0) return;
    const person = honest[(index / 20) % honest.length];
    heard.sent += 1;
    const said = await site.post(person?.url ?? '', { answer: 'received', number: person?.number ?? '' });
    if (said.status === 200) heard.recorded += 1;
  });
  print(
    `by HTTP: ${TRIES_BY_HTTP} tries, statuses ${JSON.stringify([...statuses])}; honest ${heard.recorded} of ${heard.sent}`,
  );
  expect(statuses.get(404)).toBe(TRIES_BY_HTTP / 2);
  await expectFiveEach();
  expect(heard.recorded / heard.sent).toBeGreaterThanOrEqual(0.99);
});

async function expectFiveEach(): Promise<void> {
  const [row] = await site.database.query<{ most: number }>('select max(tries) as most from answer_tries');
  expect(row?.most).toBe(WRONG_TRIES_MAX);
}
