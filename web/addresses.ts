/**
 * How many wrong numbers one client address may enter. Five a link are no limit for whoever holds the links of many; a minute's
 * limit for an address gives time to notice. Wrong links are not counted, and closed ones neither: a neighbour behind the same
 * carrier's address is not locked out by somebody who has no links to guess with.
 */
import { BlockList, isIPv6 } from 'node:net';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';

/** A carrier puts thousands of telephones behind one address; a hundred slips of theirs in a minute are many. */
const WRONG_NUMBERS_MAX = 100;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; beyond it all are forgotten, which only forgives. */
const ADDRESSES_MAX = 10_000;

/** Addresses that are no client's: what comes from them directly comes from a proxy that the configuration does not name. */
const INSIDE = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  INSIDE.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  INSIDE.addSubnet(network, prefix, 'ipv6');

export type AddressLimit = {
  /** Whether this address has entered too many wrong numbers in the last minute. */
  isOver(address: string | null): boolean;
  count(address: string | null): void;
};

/** `now` is a clock in milliseconds that never goes back, `most` how much of what is counted an address may do in a minute. */
export function addressLimit(
  now: () => number = () => performance.now(),
  most: number = WRONG_NUMBERS_MAX,
): AddressLimit {
  const wrong = new Map<string, { count: number; until: number }>();
  return {
    isOver(address) {
      const known = address === null ? undefined : wrong.get(address);
      return known !== undefined && known.until > now() && known.count >= most;
    },
    count(address) {
      if (address === null) return;
      const known = wrong.get(address);
      if (known && known.until > now()) known.count += 1;
      else {
        if (wrong.size >= ADDRESSES_MAX) wrong.clear();
        wrong.set(address, { count: 1, until: now() + WINDOW_MS });
      }
    },
  };
}

/**
 * The client's address as it is counted, an IPv6 one by its network of 64 bits; null where it cannot be told. X-Forwarded-For is
 * read only where so many `proxies` of our own stand in front: anyone may write into it what they like to the left of theirs.
 */
export function clientAddress(context: Context, proxies: number): string | null {
  if (proxies > 0) {
    const forwarded = (context.req.header('x-forwarded-for') ?? '').split(',').map((part) => part.trim());
    return networkOf(forwarded.at(-proxies) ?? '');
  }
  const direct = directAddress(context);
  if (INSIDE.check(direct, isIPv6(direct) ? 'ipv6' : 'ipv4')) return null;
  return networkOf(direct);
}

function directAddress(context: Context): string {
  // In a test without a server there is no connection.
  const bound = context.env as { incoming?: unknown } | undefined;
  const address = bound?.incoming === undefined ? '' : (getConnInfo(context).remote.address ?? '');
  return address.replace(/^::ffff:/, '');
}

function networkOf(address: string): string | null {
  if (!isIPv6(address)) return address === '' ? null : address;
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const [left, right] = [groups(head), groups(tail)];
  const whole = [
    ...left,
    ...new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'),
    ...right,
  ];
  return whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
