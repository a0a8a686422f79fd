/** A web process on a small tree in a schema of its own, with a warning that was sent: for tests of what it shows and takes. */
import { createHmac } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { gatewayReceipt } from '../channels/gateway-receipts.ts';
import { callReport, isMachine, messageReport } from '../channels/twilio-results.ts';
import { readConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { DELIVERY_ID_STRIDE } from '../db/pages.ts';
import { answerNumber, answerToken, recipientName } from '../domain/links.ts';
import { CHANNELS } from '../domain/rules.ts';
import { judge, type FarSideAct, type Invariant } from '../operations/referee.ts';
import { issueWarning, type WarningRequest } from '../operations/warnings.ts';
import { freePort } from '../runtime/processes.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet, TEST_KEYS } from '../test/harness/local-cascade.ts';
import { guesses, visitAsScanner } from '../test/harness/scanner.ts';
import { anotherIncident, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import type { GatewayDoor } from './gateway.ts';
import { startWeb } from './server.ts';
import type { TwilioDoor } from './twilio.ts';

export const GATEWAY_SECRET = 'a gateway secret of the tests';

export type SaidBack = Parameters<GatewayDoor['sayBack']>[0];

/** Twilio's account of the tests; nothing is listed of what came in. */
export const TWILIO = {
  accountSid: `AC${'0'.repeat(32)}`,
  authToken: 'a token of the tests',
  ...{ messageReport, callReport, isMachine },
  inbound: { since: async () => [] },
} satisfies TwilioDoor;

/** What one recipient of a warning holds in their hand. */
export type Means = { token: string; url: string; number: string; wrong: string };

export type AnswerSite = {
  database: Database;
  tree: SmallTree;
  url: string;
  /** Issues an Exercise for the whole city and sends its first messages. */
  issue(change?: Partial<WarningRequest>): Promise<number>;
  /** The link and number of a recipient's first message. */
  means(warningId: number, recipientId: number, audience?: 'people' | 'households'): Promise<Means>;
  /** Writes a door-to-door task for a unit, and gives what its principal holds. */
  doorTask(warningId: number, unit: string): Promise<Means>;
  post(url: string, fields: Record<string, string>): Promise<Response>;
  /** Pushes replies, receipts or keys as the gateway does. */
  push(items: unknown, change?: Partial<Push>, kind?: 'replies' | 'receipts' | 'keys'): Promise<Response>;
  /** What was said back to those who wrote, where the test gives no door of its own. */
  said: SaidBack[];
  answers(): Promise<number>;
  /** What the referee finds broken; the far side is what was sent here, and what the test says that people did. */
  broken(warningId: number, acts: readonly FarSideAct[]): Promise<Invariant[]>;
  log: string[];
  stop(): Promise<void>;
};

/** What stands in a push; `body` as it travels. */
export type Push = { secret: string; timestamp: string; body: string; signature: string };

/** `databaseUrl` stands between the web process and its PostgreSQL, where a test breaks the line. */
export async function startAnswerSite(
  name: string,
  databaseUrl?: string,
  door?: GatewayDoor,
): Promise<AnswerSite> {
  const said: SaidBack[] = [];
  const database = await testDatabase(name);
  const tree = await plantSmallTree(database);
  const log: string[] = [];
  const port = await freePort();
  const config = readConfig({
    ...process.env,
    ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_WEB_PORT: String(port),
    FENGHUO_PUBLIC_URL: `http://127.0.0.1:${port}`,
    FENGHUO_GATEWAY_SECRET: GATEWAY_SECRET,
  });
  const gateway = door ?? { receiptOf: gatewayReceipt, sayBack: (back: SaidBack) => void said.push(back) };
  const web = await startWeb({
    config,
    keys: TEST_KEYS,
    log: (line) => log.push(line),
    gateway,
    twilio: TWILIO,
  });
  const channels = CHANNELS.map((channel) => recordingChannel(channel));
  const held = (deliveryId: number, warningId: number, name: string): Means => {
    const token = answerToken(TEST_KEYS, deliveryId);
    const number = answerNumber(TEST_KEYS, warningId, name);
    const wrong = String((Number(number) + 1) % 10_000).padStart(4, '0');
    return { token, url: `${web.url}/a/${token}`, number, wrong };
  };
  return {
    database,
    tree,
    url: web.url,
    log,
    said,
    async issue(change = {}) {
      await anotherIncident(database);
      const { warningId } = await issueWarning(database, {
        hazard: '暴雨',
        level: 'red',
        areas: ['城'],
        expires: '+6h',
        issuer: '城气象台',
        ...change,
      });
      await runUntilQuiet(database, warningId, channels);
      return warningId;
    },
    async means(warningId, recipientId, audience = 'people') {
      const [row] = await database.query<{ id: number }>(
        `select id * $4 + array_position(recipients, $2) - 1 as id from pages
         where warning_id = $1 and audience = $3 and $2 = any(recipients) order by id limit 1`,
        [warningId, recipientId, audience, DELIVERY_ID_STRIDE],
      );
      if (!row) throw new RangeError('this recipient was sent nothing');
      return held(row.id, warningId, recipientName(audience, recipientId));
    },
    async doorTask(warningId, unit) {
      const person = tree.person(unit);
      const [page] = await database.query<{ id: number }>(
        `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
         select min(id), $1, 1, 'door to door', 0, 'sms', 'people', 1, array[$2::bigint], array[$3::int] from cells
         where warning_id = $1 returning id`,
        [warningId, person, tree.unit(unit)],
      );
      return held((page?.id ?? 0) * DELIVERY_ID_STRIDE, warningId, recipientName('people', person));
    },
    post: (url, fields) => fetch(url, { method: 'POST', body: new URLSearchParams(fields) }),
    push(items, change = {}, kind = 'replies') {
      const { secret, timestamp, body } = {
        secret: GATEWAY_SECRET,
        timestamp: String(Date.now()),
        body: JSON.stringify(items),
        ...change,
      };
      const signature =
        change.signature ?? createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
      return fetch(`${web.url}/gateway/${kind}`, {
        method: 'POST',
        body,
        headers: { 'x-gateway-timestamp': timestamp, 'x-gateway-signature': signature },
      });
    },
    async answers() {
      const [row] = await database.query<{ count: number }>('select count(*)::int as count from answers');
      return row?.count ?? 0;
    },
    async broken(warningId, acts) {
      const messages = channels.flatMap((channel) => channel.messages);
      const own = messages.filter((message) => message.warningId === String(warningId));
      const attempts = new Map(own.map(({ deliveryId, attempt }) => [`${deliveryId}.${attempt}`, 1]));
      const invariants = await judge(database, warningId, { attempts, arrivals: new Map(), acts });
      return invariants.filter(({ holds }) => !holds);
    },
    async stop() {
      await web.stop();
      await database.close();
    },
  };
}

/**
 * Lets a mail scanner visit links of all kinds: of officials with silent units below and other warnings, of group leaders, and
 * door-to-door tasks. Gives the links, the forms it sent and the answers that came of them.
 */
export async function scan(
  site: AnswerSite,
  visitsMost: number,
): Promise<{ links: Means[]; forms: number; answers: number }> {
  await site.issue({ level: 'orange' });
  const warningId = await site.issue();
  await site.database.query('update unit_states set silent_at = clock_timestamp() where warning_id = $1', [
    warningId,
  ]);
  const people = ['城', '区', '乡一', '乡二', '村一', '村二', '组一', '组二'];
  const links = await Promise.all(people.map((unit) => site.means(warningId, site.tree.person(unit))));
  for (const unit of ['组一', '组二']) links.push(await site.doorTask(warningId, unit));
  const before = await site.answers();
  const visits = Array.from({ length: visitsMost }, (_, index) => index % links.length).values();
  const guess = links.map((_, index) => guesses(20_260_709 + index));
  let forms = 0;
  const lane = async () => {
    for (const index of visits) {
      const sent = await visitAsScanner(links[index]?.url ?? '', guess[index] ?? (() => ''));
      forms += sent;
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return { links, forms, answers: (await site.answers()) - before };
}

/** A line to PostgreSQL that a test can cut: connections end, and no new one is taken until it is mended. */
export type Line = { url: string; cut(): Promise<void>; mend(): Promise<void>; close(): Promise<void> };

export async function startLine(): Promise<Line> {
  const url = new URL(process.env['DATABASE_URL'] ?? '');
  const far = { host: url.hostname, port: Number(url.port || 5432) };
  const ends = new Set<Socket>();
  const keep = (socket: Socket) => {
    ends.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => ends.delete(socket));
  };
  const server = createServer((near) => {
    const there = connect(far);
    keep(near);
    keep(there);
    near.pipe(there).pipe(near);
    near.on('close', () => there.destroy());
    there.on('close', () => near.destroy());
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const cut = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const end of ends) end.destroy();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return { url: url.href, cut, mend: () => listen(port), close: cut };
}

/** Sends bytes as they are and gives back what came, until the far side closes or falls silent after its answer. */
export function sendRaw(url: string, bytes: (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (heard.includes('\r\n\r\n')) socket.end();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(heard));
    for (const part of bytes) socket.write(part);
  });
}
