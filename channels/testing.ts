/** For tests: servers that say exactly what a script tells them to say, by SMTP and by HTTP. */
import { createServer as createHttpServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { OutgoingMessage } from '../domain/ports.ts';

/** A reply line, the connection cut instead of it, or silence. */
export type ScriptedReply = string | { cut: true } | { silent: true };

export type SmtpScript = {
  greeting?: ScriptedReply;
  auth?: ScriptedReply;
  mail?: ScriptedReply;
  recipient?: ScriptedReply;
  data?: ScriptedReply;
  /** The reply after the final dot. */
  end?: ScriptedReply;
};

export type ScriptedSmtp = {
  port: number;
  script: SmtpScript;
  /** Each mail as it came, envelope recipients first. */
  readonly mails: { recipients: string[]; raw: string }[];
  connections(): { open: number; ever: number };
  /** Closes the connections that are open now, as a server does that is tired of waiting. */
  hangUp(): void;
  stop(): Promise<void>;
};

/** Listens on 127.0.0.1. What the script leaves out goes well. */
export async function startScriptedSmtp(script: SmtpScript = {}): Promise<ScriptedSmtp> {
  const sockets = new Set<Socket>();
  let ever = 0;
  const server = createServer((socket) => {
    ever += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    serve(socket, running);
  });
  const running: ScriptedSmtp = {
    port: 0,
    script,
    mails: [],
    connections: () => ({ open: sockets.size, ever }),
    hangUp: () => sockets.forEach((socket) => socket.end()),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      sockets.forEach((socket) => socket.destroy());
      await closed;
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.port = (server.address() as AddressInfo).port;
  return running;
}

function serve(socket: Socket, smtp: ScriptedSmtp): void {
  let waiting = '';
  let inBody = false;
  let recipients: string[] = [];

  const say = (scripted: ScriptedReply | undefined, usual: string) => {
    const reply = scripted ?? usual;
    if (typeof reply === 'string') socket.write(`${reply}\r\n`);
    else if ('cut' in reply) socket.destroy();
  };

  const command = (line: string) => {
    const { script } = smtp;
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO')
      socket.write(script.auth ? '250-scripted\r\n250 AUTH PLAIN\r\n' : '250 scripted\r\n');
    else if (verb === 'AUTH') say(script.auth, '235 ok');
    else if (verb === 'MAIL') say(script.mail, '250 ok');
    else if (verb === 'RCPT') {
      recipients.push(line.slice(8));
      say(script.recipient, '250 ok');
    } else if (verb === 'DATA') {
      inBody = script.data === undefined || /^3/.test(typeof script.data === 'string' ? script.data : '');
      say(script.data, '354 go on');
    } else if (verb === 'RSET') {
      recipients = [];
      socket.write('250 ok\r\n');
    } else if (verb === 'QUIT') socket.end('221 bye\r\n');
    else socket.write('502 what?\r\n');
  };

  say(smtp.script.greeting, '220 scripted');
  socket.on('data', (chunk) => {
    waiting += chunk.toString('latin1');
    for (;;) {
      const end = waiting.indexOf(inBody ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const part = waiting.slice(0, end);
      waiting = waiting.slice(end + (inBody ? 5 : 2));
      if (inBody) {
        inBody = false;
        smtp.mails.push({ recipients, raw: part });
        recipients = [];
        say(smtp.script.end, '250 queued');
      } else command(part);
    }
  });
}

export type SeenRequest = {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
  json: () => Record<string, unknown>;
};

export type ScriptedHttp = {
  url: string;
  readonly seen: SeenRequest[];
  /** What each request is answered with. */
  answer: (response: ServerResponse) => void;
  stop(): Promise<void>;
};

/** An answer as JSON, or as it is where it is text. */
export function says(status: number, body: unknown): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Listens on 127.0.0.1. */
export async function startScriptedHttp(): Promise<ScriptedHttp> {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      const body = Buffer.concat(chunks).toString();
      running.seen.push({
        method,
        url,
        headers,
        body,
        json: () => JSON.parse(body) as Record<string, unknown>,
      });
      running.answer(response);
    });
  });
  const running: ScriptedHttp = {
    url: '',
    seen: [],
    answer: says(200, {}),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return running;
}

/** A message of an Exercise, such as the engine sends. */
export function exerciseMessage(change: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    deliveryId: '42',
    attempt: 2,
    warningId: '7',
    level: 'red',
    kind: 'exercise',
    synthetic: true,
    address: '+8610020000001',
    language: 'zh',
    subject: '【演练】暴雨红色预警 濯水镇【演练】',
    text: '【演练】请立即转移。【演练】',
    parameters: { text: '【演练】请立即转移。【演练】', number: '4821' },
    exercise: { step: 'rung 0', speed: 60 },
    ...change,
  };
}
