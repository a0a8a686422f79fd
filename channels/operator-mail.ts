/**
 * E-mail to whoever runs the installation, by the configured SMTP server: what the watchdog shouts. One message at a time over
 * a fresh connection, because days may lie between two. It is no warning and goes to no citizen, so no guard stands before it.
 */
import { createTransport } from 'nodemailer';

/** Shorter than nodemailer's minutes: the watchdog tries again at its next look. */
const TIMEOUT_MS = 10_000;

export type OperatorMail = {
  /** Resolves when the server has taken the message; rejects where it has not. */
  send(mail: { subject: string; text: string }): Promise<void>;
};

export function createOperatorMail(options: { url: string; from: string; to: string }): OperatorMail {
  const { url, from, to } = options;
  const transport = createTransport({
    url,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ subject, text }) {
      // Absence notes must not come back (RFC 3834).
      await transport.sendMail({ from, to, subject, text, headers: { 'Auto-Submitted': 'auto-generated' } });
    },
  };
}
