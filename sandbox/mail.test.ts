import fc from 'fast-check';
import { createTransport } from 'nodemailer';
import { simpleParser } from 'mailparser';
import { expect, test } from 'vitest';
import { readMail } from './mail.ts';

const composer = createTransport({ streamTransport: true, buffer: true, newline: 'windows' });

async function compose(mail: Parameters<typeof composer.sendMail>[0]): Promise<Buffer> {
  const { message } = await composer.sendMail({ from: 'w@fenghuo.example', to: 'a@b.example', ...mail });
  return message as Buffer;
}

const TEXTS = [
  'plain text',
  '请打开链接:\nhttp://127.0.0.1/a/16.abcdefghijklmnop\n编号 4821',
  'mostly plain, with one 字 and a line that is so long that it has to be folded by the encoder: '.repeat(3),
  '.\n..\na = b\n\n',
];

test.each(
  TEXTS.flatMap((text) =>
    ([undefined, 'base64', 'quoted-printable'] as const).map((encoding) => ({ text, encoding })),
  ),
)('reads what nodemailer writes: %j', async ({ text, encoding }) => {
  const mail = readMail(await compose({ text, ...(encoding ? { textEncoding: encoding } : {}) }));
  expect(mail.text()?.replaceAll('\r\n', '\n').trimEnd()).toBe(text.trimEnd());
});

test('reads any text as a general parser does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (text) => {
      const raw = await compose({ text });
      const general = (await simpleParser(raw)).text ?? '';
      const plain = (read: string) => read.replaceAll('\r\n', '\n').trim();
      expect(plain(readMail(raw).text() ?? '')).toBe(plain(general));
    }),
    { numRuns: 200 },
  );
});

test('unfolds headers and knows them by their names in lower case', async () => {
  const long = Array.from({ length: 30 }, (_, index) => `word${index}`).join(' ');
  const raw = await compose({ text: 'x', headers: { 'X-Fenghuo-Delivery': '42.1', 'X-Long': long } });
  const { headers } = readMail(raw);
  expect(headers.get('x-fenghuo-delivery')).toBe('42.1');
  expect(headers.get('x-long')).toBe(long);
});

test('never throws, whatever comes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      readMail(Buffer.from(bytes)).text();
    }),
  );
  expect(readMail(Buffer.from('Content-Transfer-Encoding: binary\r\n\r\nx')).text()).toBeNull();
});
