/**
 * How much the far side takes at all: the same messages, made into bytes before the clock starts, over plain sockets. If the
 * engine came near to this, the stand-in would be what was measured.
 */
import { connect, type Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import { createHmac } from 'node:crypto';
import type { OutgoingMessage } from '../../domain/ports.ts';
import { CONNECTIONS, mailOf } from './mailer.ts';
import type { Sender, SenderInput } from './sender.ts';

const GATEWAY_CONNECTIONS = 32;

/** Something to say, and what the answer ends like. */
type Exchange = { say: string | Buffer; until: RegExp };

export async function smtpLimit({ config }: SenderInput): Promise<Sender> {
  const maker = createTransport({ streamTransport: true, buffer: true });
  let prepared: Exchange[][] = [];
  return {
    channel: 'email',
    settings: { connections: CONNECTIONS },
    keepsOutcomes: false,
    prepare: async (messages) => {
      prepared = [];
      for (const message of messages) {
        const { message: raw } = await maker.sendMail(mailOf(message, config.FENGHUO_SMTP_FROM));
        const envelope = `MAIL FROM:<${config.FENGHUO_SMTP_FROM}>\r\nRCPT TO:<${message.address}>\r\nDATA\r\n`;
        prepared.push([
          { say: envelope, until: /^354[^\r]*\r\n$/m },
          { say: Buffer.concat([raw as Buffer, Buffer.from('\r\n.\r\n')]), until: /^250[^\r]*\r\n$/m },
        ]);
      }
    },
    send: () =>
      pump(config.FENGHUO_SMTP_URL ?? '', CONNECTIONS, prepared, [
        { say: '', until: /^220[^\r]*\r\n$/m },
        { say: 'EHLO bench.example\r\n', until: /^250 [^\r]*\r\n$/m },
      ]),
    close: async () => undefined,
  };
}

export async function gatewayLimit({ config }: SenderInput): Promise<Sender> {
  let prepared: Exchange[][] = [];
  return {
    channel: 'sms',
    settings: { connections: GATEWAY_CONNECTIONS },
    keepsOutcomes: false,
    prepare: async (messages) => {
      prepared = messages.map((message) => [
        { say: postOf(message, config.FENGHUO_GATEWAY_SECRET ?? ''), until: /\}$/ },
      ]);
    },
    send: () => pump(config.FENGHUO_GATEWAY_URL ?? '', GATEWAY_CONNECTIONS, prepared, []),
    close: async () => undefined,
  };
}

/** The request that `channels/sms-gateway.ts` makes. */
function postOf(message: OutgoingMessage, secret: string): string {
  const body = JSON.stringify({
    templateId: `fenghuo-${message.kind}-${message.language}`,
    signature: '演练气象台',
    to: message.address,
    parameters: message.parameters,
    reference: `${message.deliveryId}.${message.attempt}`,
    warningId: message.warningId,
    exercise: message.exercise,
  });
  const timestamp = String(Date.now());
  return [
    'POST /sms/send HTTP/1.1',
    'host: gateway.example',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-gateway-timestamp: ${timestamp}`,
    `x-gateway-signature: ${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`,
    '',
    body,
  ].join('\r\n');
}

/** Each connection greets, then takes the next conversation until none is left. */
async function pump(
  url: string,
  connections: number,
  conversations: readonly Exchange[][],
  greeting: readonly Exchange[],
): Promise<void> {
  const { hostname, port } = new URL(url);
  const queue = conversations.values();
  const converse = async () => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    for (const exchange of greeting) await hear(socket, exchange);
    for (const conversation of queue) for (const exchange of conversation) await hear(socket, exchange);
    socket.destroy();
  };
  await Promise.all(Array.from({ length: connections }, converse));
}

function hear(socket: Socket, { say, until }: Exchange): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const listen = (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (!until.test(heard)) return;
      socket.off('data', listen);
      socket.off('error', reject);
      resolve();
    };
    socket.on('data', listen);
    socket.once('error', reject);
    if (say.length > 0) socket.write(say);
  });
}
