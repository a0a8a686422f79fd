import { simpleParser } from 'mailparser';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ChannelPort, OutgoingMessage, SendResult } from '../domain/ports.ts';
import { createEmailChannel, emailResult, type EmailFailure } from './email.ts';
import { startScriptedSmtp, type ScriptedSmtp, type SmtpScript } from './testing.ts';

const FROM = 'warning@fenghuo.example';

const MESSAGE: OutgoingMessage = {
  deliveryId: '42',
  attempt: 1,
  warningId: '7',
  level: 'red',
  kind: 'exercise',
  synthetic: true,
  address: 'chen@village.example',
  language: 'zh',
  subject: '【演练】暴雨红色预警 濯水镇【演练】',
  text: '请打开链接:\nhttp://127.0.0.1/a/16.abcdefghijklmnop\n编号 4821',
  parameters: {},
  exercise: { step: 'rung 0', speed: 60 },
};

const later = (reason: string): SendResult => ({ outcome: 'later', reason });
const failed = (reason: string): SendResult => ({ outcome: 'failed', reason });
const unknown = (reason: string): SendResult => ({ outcome: 'unknown', reason });
const handedOff: SendResult = { outcome: 'handed off', providerId: '<42@fenghuo.example>' };

let smtp: ScriptedSmtp;
let channel: ChannelPort;

beforeEach(async () => {
  smtp = await startScriptedSmtp();
  channel = createEmailChannel({ url: `smtp://127.0.0.1:${smtp.port}`, from: FROM, live: false });
});

afterEach(async () => {
  await channel.close();
  await smtp.stop();
});

describe('what a server says decides, whatever it says it to', () => {
  const REPLIES: readonly [reply: string, result: SendResult][] = [
    ['421 4.3.2 shutting down', later('server-busy')],
    ['450 4.2.0 greylisted', later('greylisted')],
    ['451 4.7.1 try again', later('greylisted')],
    ['452 4.3.1 no room', later('temporary')],
    ['550 5.1.1 no such user', failed('bad-contact')],
    ['550 no such user', failed('bad-contact')],
    ['553 5.1.1 no such user', failed('bad-contact')],
    ['550 5.7.1 looks like spam', failed('filtered')],
    ['554 5.7.1 looks like spam', failed('filtered')],
    ['552 5.2.2 mailbox full', later('mailbox-full')],
    ['552 quota', later('mailbox-full')],
    ['554 5.2.2 mailbox full', later('mailbox-full')],
    ['530 5.7.0 authenticate first', later('config')],
    ['535 5.7.8 wrong password', later('config')],
    ['554 5.6.0 no', failed('rejected')],
    ['501 syntax', failed('rejected')],
  ];
  const STAGES = ['mail', 'recipient', 'data', 'end'] as const;

  test.each(STAGES.flatMap((stage) => REPLIES.map(([reply, result]) => [stage, reply, result] as const)))(
    'at %s, %s',
    async (stage, reply, result) => {
      smtp.script = { [stage]: reply };
      expect(await channel.send(MESSAGE)).toEqual(reply.startsWith('53') ? later('config') : result);
      smtp.script = {};
      expect(await channel.send(MESSAGE)).toEqual(handedOff);
    },
  );

  test('a wrong password is ours to put right', async () => {
    smtp.script = { auth: '535 5.7.8 wrong password' };
    const wrong = createEmailChannel({
      url: `smtp://user:wrong@127.0.0.1:${smtp.port}`,
      from: FROM,
      live: false,
    });
    expect(await wrong.send(MESSAGE)).toEqual(later('config'));
    await wrong.close();
  });
});

describe('where nothing was said, the body decides', () => {
  const SCRIPTS: readonly [name: string, script: SmtpScript, result: SendResult][] = [
    ['cut before the greeting', { greeting: { cut: true } }, later('connection')],
    ['turned away by the greeting', { greeting: '554 not here' }, later('session-refused')],
    ['cut at the sender', { mail: { cut: true } }, later('connection')],
    ['cut at the recipient', { recipient: { cut: true } }, later('connection')],
    ['cut at DATA', { data: { cut: true } }, later('connection')],
    ['cut after the final dot', { end: { cut: true } }, unknown('connection')],
    ['nonsense after the final dot', { end: '399 perhaps' }, unknown('defect')],
    ['silent at the greeting', { greeting: { silent: true } }, later('timeout')],
    ['silent at the recipient', { recipient: { silent: true } }, later('timeout')],
    ['silent at DATA', { data: { silent: true } }, later('timeout')],
    ['silent after the final dot', { end: { silent: true } }, unknown('timeout')],
  ];

  const isSilent = (script: SmtpScript) =>
    Object.values(script).some((reply) => typeof reply === 'object' && 'silent' in reply);

  test.each(SCRIPTS)('%s', async (_name, script, result) => {
    smtp.script = script;
    const impatient = createEmailChannel({
      url: `smtp://127.0.0.1:${smtp.port}`,
      from: FROM,
      live: false,
      messageTimeoutMs: isSilent(script) ? 200 : 20_000,
    });
    expect(await impatient.send(MESSAGE)).toEqual(result);
    expect(smtp.mails.length).toBe(script.end === undefined ? 0 : 1);
    await impatient.close();
  });

  test('nobody listens', async () => {
    await smtp.stop();
    expect(await channel.send(MESSAGE)).toEqual(later('connection'));
  });

  const ERRORS: readonly [error: string, bodyBegun: boolean, result: SendResult][] = [
    ['EDNS', false, later('connection')],
    ['ETLS', false, later('connection')],
    ['ESOCKET', true, unknown('connection')],
    ['ETIMEDOUT', false, later('timeout')],
    ['ETIMEDOUT', true, unknown('timeout')],
    ['EAUTH', false, later('config')],
    ['ENOAUTH', false, later('config')],
    ['EREQUIRETLS', false, later('config')],
    ['EENVELOPE', false, failed('bad-contact')],
    ['EMESSAGE', false, failed('rejected')],
    ['EMESSAGE', true, unknown('defect')],
    ['EPROTOCOL', true, unknown('protocol')],
    ['', false, later('defect')],
    ['', true, unknown('defect')],
  ];
  test.each(ERRORS)('error %j, body begun: %s', (error, bodyBegun, result) => {
    const failure: EmailFailure = { error, reply: null, enhanced: null, bodyBegun };
    expect(emailResult(failure)).toEqual(result);
  });
});

describe('a mail', () => {
  test('goes to one recipient, with the delivery and the attempt in its headers', async () => {
    expect(await channel.send({ ...MESSAGE, attempt: 3 })).toEqual(handedOff);
    expect(smtp.mails).toHaveLength(1);
    expect(smtp.mails[0]?.recipients).toEqual(['<chen@village.example>']);
    const head = smtp.mails[0]?.raw.split('\r\n\r\n')[0]?.split('\r\n');
    expect(head).toEqual(
      expect.arrayContaining([
        'X-Fenghuo-Delivery: 42.3',
        'X-Fenghuo-Warning: 7',
        'X-Fenghuo-Step: rung 0',
        'X-Fenghuo-Speed: 60',
        'Auto-Submitted: auto-generated',
        'Message-ID: <42@fenghuo.example>',
        'To: chen@village.example',
      ]),
    );
  });

  test('says nothing of an Exercise where it is none', async () => {
    const live = createEmailChannel({ url: `smtp://127.0.0.1:${smtp.port}`, from: FROM, live: true });
    await live.send({ ...MESSAGE, kind: 'actual', synthetic: false, exercise: null });
    await live.close();
    expect(smtp.mails[0]?.raw).not.toMatch(/X-Fenghuo-(Step|Speed)/);
  });

  test.each([
    'a@x.example, b@x.example',
    'a@x.example\r\nRCPT TO:<b@x.example>',
    'A <a@x.example>',
    'a@b@x.example',
    'a',
    '',
  ])('never leaves for an address such as %j', async (address) => {
    expect(await channel.send({ ...MESSAGE, address })).toEqual(failed('bad-contact'));
    expect(smtp.connections().ever).toBe(0);
  });

  test.each([0, 8_000, 12_000, 16_000, 300_000])('of %i characters arrives whole', async (length) => {
    const text = `${'风'.repeat(length / 2)}${'a'.repeat(length / 2)}`;
    expect(await channel.send({ ...MESSAGE, text })).toEqual(handedOff);
    expect(await channel.send(MESSAGE)).toEqual(handedOff);
    expect(smtp.mails.map(({ raw }) => bodyOf(raw))).toEqual([text, MESSAGE.text]);
  });

  test('for an address beyond ASCII is composed by nodemailer', async () => {
    expect(await channel.send({ ...MESSAGE, address: '村长@village.example' })).toEqual(handedOff);
    expect(smtp.mails[0]?.recipients).toEqual([expect.stringContaining('@village.example>')]);
    expect(smtp.mails[0]?.raw).toMatch(/^X-Fenghuo-Delivery: 42\.1\r$/m);
    expect((await simpleParser(smtp.mails[0]?.raw ?? '')).text?.trim()).toBe(MESSAGE.text);
  });

  test('cannot smuggle a header through its subject', async () => {
    await channel.send({ ...MESSAGE, subject: 'a\r\nBcc: b@x.example' });
    expect(smtp.mails[0]?.raw).not.toMatch(/^Bcc:/m);
  });
});

describe('connections', () => {
  test('are kept, and not more than the concurrency', async () => {
    const few = createEmailChannel({
      url: `smtp://127.0.0.1:${smtp.port}`,
      from: FROM,
      live: false,
      concurrency: 2,
    });
    const results = await Promise.all(
      Array.from({ length: 250 }, (_, index) => few.send({ ...MESSAGE, deliveryId: String(index) })),
    );
    expect(results.every(({ outcome }) => outcome === 'handed off')).toBe(true);
    expect(smtp.mails).toHaveLength(250);
    expect(smtp.connections().ever).toBe(2);
    await few.close();
  });

  test('that the server closed while they were idle cost nothing', async () => {
    await channel.send(MESSAGE);
    smtp.hangUp();
    expect(await channel.send(MESSAGE)).toEqual(handedOff);
    expect(smtp.mails).toHaveLength(2);
  });

  test('end with the channel', async () => {
    await channel.send(MESSAGE);
    await channel.close();
    await vi.waitFor(() => expect(smtp.connections().open).toBe(0));
  });
});

describe('a live channel', () => {
  const REFUSED: readonly [name: string, change: Partial<OutgoingMessage>, reason: string][] = [
    ['a synthetic recipient', { kind: 'actual', exercise: null }, 'synthetic-recipient'],
    ['an Exercise', { synthetic: false }, 'exercise-on-live-channel'],
    ['both', {}, 'synthetic-recipient'],
    [
      'an actual message that carries exercise data',
      { kind: 'actual', synthetic: false },
      'exercise-on-live-channel',
    ],
  ];
  test.each(REFUSED)('refuses %s before it connects', async (_name, change, reason) => {
    const live = createEmailChannel({ url: `smtp://127.0.0.1:${smtp.port}`, from: FROM, live: true });
    expect(await live.send({ ...MESSAGE, ...change })).toEqual(failed(reason));
    expect(smtp.connections().ever).toBe(0);
    await live.close();
  });

  test('takes an actual message to a real person', async () => {
    const live = createEmailChannel({ url: `smtp://127.0.0.1:${smtp.port}`, from: FROM, live: true });
    expect(await live.send({ ...MESSAGE, kind: 'actual', synthetic: false, exercise: null })).toEqual(
      handedOff,
    );
    await live.close();
  });
});

/** The text of a mail, whose body is base64. */
function bodyOf(raw: string): string {
  const body = raw.split('\r\n\r\n')[1] ?? '';
  return Buffer.from(body, 'base64').toString().replaceAll('\r\n', '\n');
}
