/**
 * E-mail by SMTP, through nodemailer's pool of connections.
 *
 * The one question behind every result: may the server have the message? A reply decides it. Where none came, it is decided
 * by whether the message's body had begun to leave; nodemailer's errors do not say, so the body's stream is watched.
 *
 * Codes: RFC 5321 (replies) and RFC 3463 (enhanced status codes); the classes are those of the channels document.
 */
import type { Duplex } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPPool from 'nodemailer/lib/smtp-pool';
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import { composeMessage } from './email-message.ts';

const CONCURRENCY = 20;

/** The hard end of a send; the activity's own time-out is longer. */
const MESSAGE_TIMEOUT_MS = 20_000;

/** Nodemailer's defaults are minutes. Together these stay below the hard end, so that the cause has a name. */
const CONNECT_TIMEOUT_MS = 10_000;
const GREETING_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 15_000;

/** Below the minute after which many servers end an idle session: the side that closes first cannot be surprised. */
const IDLE_TIMEOUT_MS = 45_000;

/** A connection that was found closed before a byte of the body left is replaced at once, so many times. */
const REQUEUES_MOST = 3;

const MESSAGE_ID_DOMAIN = 'fenghuo.example';

/** One mailbox and nothing that could make two, or a header, of it. */
const ADDRESS = /^[^\s,;<>"()[\]\\@]+@[^\s,;<>"()[\]\\@]+$/;

const ASCII = /^[\x21-\x7e]+$/;

/** What became known of a send that did not end in an acceptance. */
export type EmailFailure = {
  /** Nodemailer's error code, such as `ETIMEDOUT`. */
  error: string;
  /** The three digits of the server's reply; null where none came. */
  reply: string | null;
  /** The enhanced status code of the reply, such as `5.1.1`. */
  enhanced: string | null;
  /** The body had begun to leave: without a reply, the server may have the message. */
  bodyBegun: boolean;
};

type Row = {
  error?: RegExp;
  /** `none` matches only where no reply came and no body left. */
  reply?: RegExp | 'none';
  enhanced?: RegExp;
  result: SendResult;
};

/** The first row that matches decides; what matches none is decided by the body. */
const RESULTS: readonly Row[] = [
  // A server that turns the whole session away says nothing about this message.
  {
    error: /^(EPROTOCOL|ECONNECTION|ESOCKET)$/,
    reply: /^5/,
    result: { outcome: 'later', reason: 'session-refused' },
  },
  { enhanced: /^5\.2\.2$/, result: { outcome: 'later', reason: 'mailbox-full' } },
  { reply: /^552$/, result: { outcome: 'later', reason: 'mailbox-full' } },
  { reply: /^(530|534|535|538)$/, result: { outcome: 'later', reason: 'config' } },
  { enhanced: /^5\.1\.1$/, result: { outcome: 'failed', reason: 'bad-contact' } },
  // Policy and spam filters also say 550, and the address is not to blame.
  { enhanced: /^5\.7\./, result: { outcome: 'failed', reason: 'filtered' } },
  { reply: /^550$/, result: { outcome: 'failed', reason: 'bad-contact' } },
  { reply: /^5/, result: { outcome: 'failed', reason: 'rejected' } },
  { reply: /^421$/, result: { outcome: 'later', reason: 'server-busy' } },
  { reply: /^45[01]$/, result: { outcome: 'later', reason: 'greylisted' } },
  { reply: /^4/, result: { outcome: 'later', reason: 'temporary' } },
  {
    error: /^(EAUTH|ENOAUTH|EOAUTH2|ECONFIG|EREQUIRETLS)$/,
    reply: 'none',
    result: { outcome: 'later', reason: 'config' },
  },
  // Nodemailer refused the address or the message itself; nothing was said to the server.
  { error: /^EENVELOPE$/, reply: 'none', result: { outcome: 'failed', reason: 'bad-contact' } },
  { error: /^EMESSAGE$/, reply: 'none', result: { outcome: 'failed', reason: 'rejected' } },
];

const UNDECIDED: readonly { error: RegExp; reason: string }[] = [
  { error: /^(ETIMEDOUT|EABORT)$/, reason: 'timeout' },
  { error: /^(ECONNECTION|ESOCKET|EDNS|ETLS|EPROXY)$/, reason: 'connection' },
  { error: /^EPROTOCOL$/, reason: 'protocol' },
  { error: /^/, reason: 'defect' },
];

/** The class of a failed send: *later* is provably not accepted, *unknown* may have been. */
export function emailResult(failure: EmailFailure): SendResult {
  const row = RESULTS.find(({ error, reply, enhanced }) => {
    if (error && !error.test(failure.error)) return false;
    if (enhanced && !enhanced.test(failure.enhanced ?? '')) return false;
    if (reply === 'none') return failure.reply === null && !failure.bodyBegun;
    return !reply || reply.test(failure.reply ?? '');
  });
  if (row) return row.result;
  const reason = UNDECIDED.find(({ error }) => error.test(failure.error))?.reason ?? 'defect';
  return { outcome: failure.bodyBegun ? 'unknown' : 'later', reason };
}

export type EmailChannelOptions = {
  /** `smtp://` or `smtps://`, with the user and password where the server wants them. */
  url: string;
  /** The sender's address. */
  from: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** Connections, and messages under way at once. @default 20 */
  concurrency?: number;
  /** The hard end of one send. @default 20_000 */
  messageTimeoutMs?: number;
};

/** Sends each message to one recipient; a delivery's attempts share one Message-ID, so that a mailbox may fold them. */
export function createEmailChannel(options: EmailChannelOptions): SenderPort {
  const { from, live, concurrency = CONCURRENCY, messageTimeoutMs = MESSAGE_TIMEOUT_MS } = options;
  const pool = createPool(options.url, concurrency);

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    if (!ADDRESS.test(message.address)) return { outcome: 'failed', reason: 'bad-contact' };
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), messageTimeoutMs);
    let mail: WatchedMail | null = null;
    try {
      mail = new WatchedMail(mailOf(message, from), abort);
      await sendBy(pool, mail, abort.signal);
      return { outcome: 'handed off', providerId: mail.messageId() };
    } catch (error) {
      return emailResult(failureOf(error, mail?.bodyBegun === true));
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    id: 'smtp',
    channel: 'email',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: () => null,
    send,
    close: async () => pool.close(),
  };
}

/** What the pool asks of a message. Nodemailer's own composing takes as long as sending does, so the usual mail is made here. */
type Mail = Pick<ReturnType<MailComposer['compile']>, 'getEnvelope' | 'messageId' | 'getHeader'> & {
  createReadStream(): Body;
};

/** Of a stream, what the pool uses. */
type Body = { readonly readableDidRead: boolean; pipe(to: Duplex): unknown };

/** A body that is handed over in one piece: with a stream for each, and nodemailer's mailer, 5,000 mails took half as long again (ADR 18). */
class WholeBody implements Body {
  readableDidRead = false;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  pipe(to: Duplex): void {
    this.readableDidRead = true;
    // Held back until the final dot is behind it, it leaves in one write; but no more than the stream takes without being read.
    if (this.bytes.length < to.readableHighWaterMark) to.pause();
    to.end(this.bytes, () => {
      to.read();
      to.resume();
    });
  }
}

/** A mail that was composed here. */
class PlainMail implements Mail {
  private readonly envelope: { from: string; to: string[] };
  private readonly id: string;
  private readonly bytes: Buffer;

  constructor(envelope: { from: string; to: string[] }, id: string, bytes: Buffer) {
    this.envelope = envelope;
    this.id = id;
    this.bytes = bytes;
  }

  /** The connection keeps its own notes in what it is given. */
  getEnvelope() {
    return { ...this.envelope };
  }

  messageId() {
    return this.id;
  }

  /** The pool's log asks for the Message-ID alone. */
  getHeader() {
    return this.id;
  }

  createReadStream(): Body {
    return new WholeBody(this.bytes);
  }
}

function createPool(url: string, concurrency: number): SMTPPool {
  return new SMTPPool({
    url,
    maxConnections: concurrency,
    maxMessages: Number.POSITIVE_INFINITY,
    maxRequeues: REQUEUES_MOST,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: GREETING_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    idleTimeout: IDLE_TIMEOUT_MS,
  });
}

/**
 * The mail, watched: `bodyBegun` is true once a byte of its body may have left. The pool sends a message again by itself only where its
 * body was not read; should it ever do otherwise, that send is ended here, for a second body would be a second message.
 */
class WatchedMail implements Mail {
  private readonly mail: Mail;
  private readonly abort: AbortController;
  private body: Body | null = null;

  constructor(mail: Mail, abort: AbortController) {
    this.mail = mail;
    this.abort = abort;
  }

  get bodyBegun(): boolean {
    return this.body?.readableDidRead === true;
  }

  getEnvelope() {
    return this.mail.getEnvelope();
  }

  messageId() {
    return this.mail.messageId();
  }

  getHeader(name: string) {
    return this.mail.getHeader(name);
  }

  createReadStream(): Body {
    if (this.bodyBegun) this.abort.abort();
    const body = this.mail.createReadStream();
    if (!this.abort.signal.aborted) this.body = body;
    return body;
  }
}

/** Resolves when the server has taken it. */
function sendBy(pool: SMTPPool, message: Mail, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // The pool reads these two of what nodemailer's mailer makes.
    const mail = { data: { signal }, message } as unknown as Parameters<SMTPPool['send']>[0];
    pool.send(mail, (error) => (error ? reject(error) : resolve()));
  });
}

function mailOf(message: OutgoingMessage, from: string): Mail {
  const headers: Record<string, string> = {
    'X-Fenghuo-Delivery': `${message.deliveryId}.${message.attempt}`,
    'X-Fenghuo-Warning': message.warningId,
    // Absence notes must not come back to a warning (RFC 3834).
    'Auto-Submitted': 'auto-generated',
  };
  if (message.exercise) {
    headers['X-Fenghuo-Step'] = message.exercise.step;
    headers['X-Fenghuo-Speed'] = String(message.exercise.speed);
  }
  const messageId = `<${message.deliveryId}@${MESSAGE_ID_DOMAIN}>`;
  const { address: to, subject, text } = message;
  // Addresses beyond ASCII need more of SMTP and of headers; nodemailer knows how.
  if (!ASCII.test(to) || !ASCII.test(from)) {
    const envelope = { from, to: [to] };
    const whole = { from, to: { name: '', address: to }, envelope, messageId, subject, text, headers };
    return new MailComposer({ ...whole, disableFileAccess: true, disableUrlAccess: true }).compile();
  }
  const date = new Date();
  const bytes = Buffer.from(composeMessage({ from, to, messageId, date, subject, text, headers }));
  return new PlainMail({ from, to: [to] }, messageId, bytes);
}

function failureOf(error: unknown, bodyBegun: boolean): EmailFailure {
  const { code, response } = (error ?? {}) as { code?: unknown; response?: unknown };
  const match =
    typeof response === 'string' ? /^([45]\d\d)(?:[ -]([245]\.\d{1,3}\.\d{1,3}))?/.exec(response) : null;
  return {
    error: typeof code === 'string' ? code : '',
    reply: match?.[1] ?? null,
    enhanced: match?.[2] ?? null,
    bodyBegun,
  };
}
