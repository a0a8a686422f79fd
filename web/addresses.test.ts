import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { addressLimit, clientAddress } from './addresses.ts';

/** The address that is counted for a request from `direct` with this X-Forwarded-For. */
async function seen(direct: string, forwarded: string | null, proxies: number): Promise<string> {
  const app = new Hono();
  app.get('/', (context) => context.text(clientAddress(context, proxies) ?? 'none'));
  const headers: Record<string, string> = forwarded === null ? {} : { 'x-forwarded-for': forwarded };
  const incoming = { socket: { remoteAddress: direct, remotePort: 1, remoteFamily: 'IPv4' } };
  return (await app.request('/', { headers }, { incoming })).text();
}

it.each([
  ['203.0.113.7', null, 0, '203.0.113.7'],
  ['::ffff:203.0.113.7', null, 0, '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', null, 0, '2001:db8:1:2'],
  ['2001:db8::6', null, 0, '2001:db8:0:0'],
  // Anyone may write the header: without a proxy of ours it says nothing.
  ['203.0.113.7', '198.51.100.1', 0, '203.0.113.7'],
  ['127.0.0.1', '198.51.100.1', 1, '198.51.100.1'],
  ['127.0.0.1', '198.51.100.1, 203.0.113.7', 1, '203.0.113.7'],
  ['127.0.0.1', '6.6.6.6, 198.51.100.1, 10.0.0.2', 2, '198.51.100.1'],
  ['127.0.0.1', null, 1, 'none'],
  ['127.0.0.1', '198.51.100.1', 2, 'none'],
  // A proxy that nobody has named must not be taken for one client.
  ['127.0.0.1', null, 0, 'none'],
  ['10.1.2.3', null, 0, 'none'],
  ['172.31.0.9', null, 0, 'none'],
  ['fd00::1', null, 0, 'none'],
  ['::1', null, 0, 'none'],
] as const)('takes %s with %s behind %s proxies for %s', async (direct, forwarded, proxies, address) => {
  expect(await seen(direct, forwarded, proxies)).toBe(address);
});

it('lets an address enter a hundred wrong numbers a minute, each address its own', () => {
  let now = 0;
  const limit = addressLimit(() => now);
  for (let wrong = 0; wrong < 99; wrong += 1) limit.count('a');
  expect(limit.isOver('a')).toBe(false);
  limit.count('a');
  expect([limit.isOver('a'), limit.isOver('b')]).toEqual([true, false]);
  now = 60_001;
  expect(limit.isOver('a')).toBe(false);
  limit.count('a');
  expect(limit.isOver('a')).toBe(false);
});

it('counts nobody whose address cannot be told', () => {
  const limit = addressLimit();
  for (let wrong = 0; wrong < 500; wrong += 1) limit.count(null);
  expect(limit.isOver(null)).toBe(false);
});
