/** For tests: a web process that takes answers, and messages such as the engine sends. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OutgoingMessage } from '../domain/ports.ts';
import type { PushedReply } from './reply-push.ts';

export type Visit = { method: string; path: string; form: Record<string, string> };

export type WebStandIn = {
  url: string;
  /** Every push as it came. */
  readonly pushes: { headers: IncomingMessage['headers']; body: string; replies: PushedReply[] }[];
  readonly visits: Visit[];
  /** Every other JSON that was pushed, such as receipts and keys. */
  readonly others: { path: string; headers: IncomingMessage['headers']; body: string }[];
  /** What each request is answered with; replies of a push that is not taken stay in `pushes`. */
  status: number;
  /** Replies that were taken, once each. */
  taken(): Map<string, PushedReply>;
  stop(): Promise<void>;
};

/** Listens on 127.0.0.1. */
export async function startWebStandIn(port = 0): Promise<WebStandIn> {
  const takenReplies = new Map<string, PushedReply>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      if (request.url === '/replies') {
        const replies = JSON.parse(body) as PushedReply[];
        web.pushes.push({ headers: request.headers, body, replies });
        if (web.status < 300) for (const reply of replies) takenReplies.set(reply.id, reply);
      } else if (request.headers['content-type'] === 'application/json') {
        web.others.push({ path: request.url ?? '', headers: request.headers, body });
      } else {
        const form = Object.fromEntries(new URLSearchParams(body));
        web.visits.push({ method: request.method ?? '', path: request.url ?? '', form });
      }
      response.writeHead(web.status).end('page');
    });
  });
  const web: WebStandIn = {
    url: '',
    pushes: [],
    visits: [],
    others: [],
    status: 200,
    taken: () => takenReplies,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  web.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return web;
}

/** A message of an Exercise at high speed: people answer within milliseconds. */
export function outgoing(change: Partial<OutgoingMessage> & { deliveryId: string }): OutgoingMessage {
  return {
    attempt: 1,
    warningId: '7',
    level: 'red',
    kind: 'exercise',
    synthetic: true,
    address: `person${change.deliveryId}@village.example`,
    language: 'zh',
    subject: '【演练】暴雨红色预警 濯水镇【演练】',
    text: '',
    parameters: {},
    exercise: { step: 'rung 0', speed: 100_000 },
    ...change,
  };
}

/** The text of an e-mail with a link to `webUrl`. */
export function mailText(webUrl: string, deliveryId: string): string {
  return `【演练】请濯水镇打开下面的链接,填入编号确认:\n${webUrl}/a/${deliveryId}.abcdefghijklmnop\n编号 4821【演练】`;
}

/** The parameters of an SMS. */
export function smsParameters(): Record<string, string> {
  return { text: '【演练】请濯水镇回复 1 4821 确认收到,无法执行回复 3 4821。【演练】', number: '4821' };
}
