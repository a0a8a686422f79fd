/** Nodemailer's pool as its documents have it, with as many connections as the engine's channel. */
import { createTransport } from 'nodemailer';
import type { OutgoingMessage } from '../../domain/ports.ts';

/** That of `channels/email.ts`. */
export const CONNECTIONS = 20;

export type Mailer = {
  /** Resolves to the message's id when the server has taken it. */
  send(message: OutgoingMessage): Promise<string>;
  close(): void;
};

export function createMailer(config: { FENGHUO_SMTP_URL?: string; FENGHUO_SMTP_FROM: string }): Mailer {
  const transport = createTransport({
    url: config.FENGHUO_SMTP_URL ?? '',
    pool: true,
    maxConnections: CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
  });
  return {
    send: async (message) => (await transport.sendMail(mailOf(message, config.FENGHUO_SMTP_FROM))).messageId,
    close: () => transport.close(),
  };
}

/** The same headers as the engine's mails. */
export function mailOf(message: OutgoingMessage, from: string) {
  return {
    from,
    to: message.address,
    messageId: `<${message.deliveryId}@fenghuo.example>`,
    subject: message.subject,
    text: message.text,
    headers: {
      'X-Fenghuo-Delivery': `${message.deliveryId}.${message.attempt}`,
      'X-Fenghuo-Warning': message.warningId,
      'Auto-Submitted': 'auto-generated',
      'X-Fenghuo-Step': message.exercise?.step ?? '',
      'X-Fenghuo-Speed': String(message.exercise?.speed ?? 1),
    },
  };
}
