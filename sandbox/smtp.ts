/** A real SMTP server that keeps what it takes in the ledger, and fails as its plan says. */
import type { AddressInfo, Socket } from 'node:net';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { badAddress, emailFault } from './faults.ts';
import type { FarSide } from './far-side.ts';
import { readMail } from './mail.ts';

/** A warning is a few hundred bytes; this bounds what a stranger can make us keep. */
const MAIL_BYTES_MOST = 1 << 20;

export type SmtpStandIn = { url: string; stop(): Promise<void> };

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function startSmtp(input: { farSide: FarSide; port: number }): Promise<SmtpStandIn> {
  const { farSide } = input;
  const sockets = new Map<number, Socket>();
  const delays = new Set<NodeJS.Timeout>();
  let mails = 0;

  async function receive(raw: Buffer, session: SMTPServerSession): Promise<void> {
    const mail = readMail(raw);
    const header = (name: string) => mail.headers.get(name) ?? null;
    const reference = header('x-fenghuo-delivery') ?? header('message-id') ?? '';
    const fault = emailFault(farSide.faults, farSide.seed, reference);
    if (fault) farSide.hit(`email ${fault.kind === 'reply' ? fault.code : fault.kind}`);
    if (fault?.kind === 'reply') throw smtpError(fault.code, fault.text);
    mails += 1;
    await farSide.take({
      channel: 'email',
      reference,
      warningId: header('x-fenghuo-warning') ?? '',
      address: session.envelope.rcptTo[0]?.address ?? '',
      messageId: `mail-${session.id}-${mails}`,
      bytes: mail.bodyBytes,
      step: header('x-fenghuo-step'),
      speed: speedOf(header('x-fenghuo-speed')),
      fault: fault?.kind ?? null,
      text: mail.text,
    });
    if (fault?.kind === 'answer lost') sockets.get(session.remotePort)?.destroy();
    if (fault?.kind === 'tarpit') await pause(fault.delayMs, delays);
  }

  const server = new SMTPServer({
    name: 'sandbox.fenghuo.example',
    banner: 'Fenghuo sandbox',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: MAIL_BYTES_MOST,
    logger: false,
    onRcptTo: ({ address }, _session, callback) => {
      const refusal = farSide.refusal('email', address);
      if (refusal === 'provider out') return callback(smtpError(421, '4.3.2 System not accepting messages'));
      const bad = refusal !== null || badAddress(farSide.faults, farSide.seed, 'email', address);
      if (bad) farSide.hit('email bad address');
      callback(bad ? smtpError(550, '5.1.1 No such mailbox') : null);
    },
    onData: (stream, session, callback) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (stream.sizeExceeded) return callback(smtpError(552, '5.3.4 Too large'));
        receive(Buffer.concat(chunks), session).then(() => callback(), callback);
      });
    },
  });
  // A client that goes away in the middle of a mail is its own business.
  server.on('error', () => {});
  server.server.on('connection', (socket) => {
    const port = socket.remotePort ?? 0;
    sockets.set(port, socket);
    socket.once('close', () => sockets.delete(port));
  });
  await listen(server, input.port);
  const { port } = server.server.address() as AddressInfo;

  return {
    url: `smtp://127.0.0.1:${port}`,
    stop: async () => {
      for (const delay of delays) clearTimeout(delay);
      const closed = new Promise<void>((resolve) => server.close(resolve));
      for (const socket of sockets.values()) socket.destroy();
      await closed;
    },
  };
}

function listen(server: SMTPServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.server.removeListener('error', reject);
      resolve();
    });
  });
}

/** Ends after `delayMs`, or never where the server is stopped first: its sockets are gone then. */
function pause(delayMs: number, delays: Set<NodeJS.Timeout>): Promise<void> {
  return new Promise((resolve) => {
    const delay = setTimeout(() => {
      delays.delete(delay);
      resolve();
    }, delayMs);
    delays.add(delay);
  });
}

function speedOf(header: string | null): number | null {
  const speed = Number(header);
  return header !== null && Number.isFinite(speed) && speed > 0 ? speed : null;
}

function smtpError(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}
