/** Atom (RFC 4287), RSS 2.0 and plain CAP: which messages does this page announce? */
import { sha256 } from '../audit.ts';
import { CAP_NAMESPACE } from './alert.ts';
import { decode } from './decode.ts';
import type { Finding } from './findings.ts';
import { readXml, type XmlElement } from './xml.ts';

/** `key` changes when the entry does; `link` is as written, perhaps relative. */
export type FeedEntry = { key: string; link: string };

type Dated = FeedEntry & { changed: string };

export type Feed =
  | { kind: 'message' }
  | { kind: 'feed'; entries: readonly FeedEntry[] }
  | { kind: 'neither'; fault: Finding | null };

const ATOM = 'http://www.w3.org/2005/Atom';
const CAP_TYPE = 'application/cap+xml';
/** A national service announces some hundreds at a time. */
const ENTRIES_MOST = 1_000;
/** An index takes no more; one endless link must not cost the whole feed. */
const KEY_CHARACTERS_MOST = 500;

export function readFeed(bytes: Uint8Array): Feed {
  const decoded = decode(bytes);
  if ('fault' in decoded) return { kind: 'neither', fault: decoded.fault };
  const read = readXml(decoded.text);
  if ('fault' in read) return { kind: 'neither', fault: read.fault };
  const { root } = read;
  if (root.uri === CAP_NAMESPACE || root.local === 'alert') return { kind: 'message' };
  if (root.local === 'feed' && root.uri === ATOM) return feed(named(root, 'entry').map(atomEntry));
  if (root.local === 'rss') {
    return feed(named(root, 'channel').flatMap((channel) => named(channel, 'item').map(rssEntry)));
  }
  return { kind: 'neither', fault: null };
}

/** The oldest first, so that what ends a warning comes after it: by their times where all have one; else feeds begin with the newest. */
function feed(entries: readonly (Dated | null)[]): Feed {
  const found = entries
    .filter((entry) => entry !== null)
    .slice(0, ENTRIES_MOST)
    .reverse();
  const times = new Map(found.map((entry) => [entry, Date.parse(entry.changed)]));
  const timed = [...times.values()].every((at) => !Number.isNaN(at));
  if (timed) found.sort((one, other) => (times.get(one) ?? 0) - (times.get(other) ?? 0));
  return { kind: 'feed', entries: found.map(({ key, link }) => ({ key, link })) };
}

function atomEntry(entry: XmlElement): Dated | null {
  const links = named(entry, 'link').filter((link) =>
    ['', 'alternate', 'enclosure'].includes(attribute(link, 'rel')),
  );
  const link = links.find((one) => attribute(one, 'type') === CAP_TYPE) ?? links[0];
  const href = link ? attribute(link, 'href') : textOf(entry, 'id');
  return entryOf(href, textOf(entry, 'updated'));
}

function rssEntry(item: XmlElement): Dated | null {
  const enclosure = named(item, 'enclosure').find((one) => attribute(one, 'type') === CAP_TYPE);
  const link = enclosure ? attribute(enclosure, 'url') : textOf(item, 'link') || textOf(item, 'guid');
  return entryOf(link, textOf(item, 'pubDate'));
}

function entryOf(link: string, changed: string): Dated | null {
  const key = changed === '' ? link : `${link} ${changed}`;
  return link === '' ? null : { key: key.length > KEY_CHARACTERS_MOST ? sha256(key) : key, link, changed };
}

function named(element: XmlElement, local: string): XmlElement[] {
  return element.children.filter((child) => child.local === local);
}

function textOf(element: XmlElement, local: string): string {
  return named(element, local)[0]?.text.trim() ?? '';
}

function attribute(element: XmlElement, name: string): string {
  return element.attributes.find((one) => one.name === name)?.value.trim() ?? '';
}
