/** Ten thousand pushes that are forged, altered, or come again, between honest ones: none is accepted forged, none counts twice. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { streamOf } from '../test/harness/random.ts';
import { GATEWAY_SECRET, startAnswerSite, type AnswerSite } from './testing.ts';

const PUSHES = 10_000;
const AT_ONCE = 16;

let site: AnswerSite;

beforeAll(async () => {
  site = await startAnswerSite('gateway-forged');
});
afterAll(() => site.stop());

type Forgery = 'forged' | 'altered' | 'late' | 'replayed' | 'honest';

it(`takes of ${PUSHES} pushes the honest ones, once each`, async () => {
  const warningId = await site.issue();
  const person = site.tree.person('村一');
  const { number } = await site.means(warningId, person);
  const [own] = await site.database.query<{ address: string; delivery: number }>(
    `select c.address, (select min(id) from deliveries d where d.warning_id = $2 and d.recipient_id = c.person_id
       and d.audience = 'people') as delivery
     from person_channels c where c.person_id = $1 and c.channel = 'sms'`,
    [person, warningId],
  );
  const random = streamOf(20_260_709);
  const statuses = new Map<Forgery, Map<number, number>>();
  const honest: { body: string; timestamp: string; kind: 'replies' | 'receipts' | 'keys' }[] = [];
  const sign = (timestamp: string, body: string) =>
    createHmac('sha256', GATEWAY_SECRET).update(`${timestamp}.${body}`).digest('hex');

  async function push(turn: number): Promise<void> {
    const kind = (['replies', 'receipts', 'keys'] as const)[turn % 3] ?? 'replies';
    const item = {
      replies: { id: `r${turn}`, from: own?.address, text: `1 ${number}` },
      receipts: {
        id: `r${turn}`,
        reference: `${own?.delivery}.${(turn % 5_000) + 1}`,
        state: 'sent',
        code: null,
      },
      keys: { id: `k${turn}`, callId: `c${turn}`, reference: `${own?.delivery}.1`, step: 1, key: '1' },
    }[kind];
    const drawn = random();
    const way: Forgery =
      drawn < 0.3
        ? 'forged'
        : drawn < 0.6
          ? 'altered'
          : drawn < 0.7
            ? 'late'
            : drawn < 0.95
              ? 'replayed'
              : 'honest';
    const again = way === 'replayed' ? honest[Math.floor(random() * honest.length)] : undefined;
    const timestamp = again?.timestamp ?? String(Date.now() - (way === 'late' ? 301_000 : 0));
    const body = again?.body ?? JSON.stringify([item]);
    const signature =
      way === 'forged'
        ? createHmac('sha256', `guess ${turn}`).update(`${timestamp}.${body}`).digest('hex')
        : sign(timestamp, body);
    const sent = way === 'altered' ? body.replace(/"id":"./, '"id":"x') : body;
    if (way === 'honest') honest.push({ body, timestamp, kind });
    const response = await site.push([], { timestamp, body: sent, signature }, again?.kind ?? kind);
    await response.arrayBuffer();
    const name = way === 'replayed' && !again ? 'honest' : way;
    if (name !== way) honest.push({ body, timestamp, kind });
    const counts = statuses.get(name) ?? new Map<number, number>();
    counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
    statuses.set(name, counts);
  }

  const turns = Array.from({ length: PUSHES }, (_, turn) => turn).values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const turn of turns) await push(turn);
    }),
  );
  for (const way of ['forged', 'altered', 'late'] as const)
    expect([...(statuses.get(way)?.keys() ?? [])]).toEqual([403]);
  for (const way of ['honest', 'replayed'] as const)
    expect([...(statuses.get(way)?.keys() ?? [])]).toEqual([200]);
  const honestOf = (...kinds: string[]) => honest.filter(({ kind }) => kinds.includes(kind)).length;
  const [stored] = await site.database.query<{ answers: number; receipts: number }>(
    `select (select count(*) from answers where warning_id = $1)::int as answers,
       (select count(*) from receipts)::int as receipts`,
    [warningId],
  );
  expect(stored).toEqual({ answers: honestOf('replies', 'keys'), receipts: honestOf('receipts') });
  const total = (way: Forgery) => [...(statuses.get(way)?.values() ?? [])].reduce((sum, one) => sum + one, 0);
  process.stdout.write(
    `of ${PUSHES} pushes ${total('forged')} forged, ${total('altered')} altered and ${total('late')} late: 0 accepted; ` +
      `${total('replayed')} replayed of ${honest.length}: 0 counted twice\n`,
  );
});
