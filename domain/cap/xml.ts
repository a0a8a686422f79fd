/**
 * XML text to a tree whose every element knows its place. Strict, and poor on purpose: no document types, no entities but XML's
 * own five, no XInclude, bounded in depth, elements and attributes, and stopped at the first fault. It opens nothing.
 */
import { SaxesParser, type SaxesAttributeNS } from 'saxes';
import { finding, type Finding, type Place } from './findings.ts';

export type XmlAttribute = { name: string; local: string; uri: string; value: string };

export type XmlElement = {
  /** As written, with its prefix. */
  name: string;
  local: string;
  uri: string;
  attributes: readonly XmlAttribute[];
  children: XmlElement[];
  /** Its own text, without that of its elements; comments do not divide it. */
  text: string;
  place: Place;
};

export type ReadXml = { root: XmlElement } | { fault: Finding };

/** A signature is the deepest thing in a message: 6. */
const DEPTH_MOST = 32;
/** A national bulletin of a few thousand areas, each with a few geocodes, has some 30,000. */
const ELEMENTS_MOST = 50_000;
const ATTRIBUTES_MOST = 16;

const XINCLUDE = 'http://www.w3.org/2001/XInclude';

/** `&#x10FFFF;` is the longest reference a character needs; leading zeros are allowed a few. */
const LONG_REFERENCE = /&#(?:x[0-9a-fA-F]{9,}|[0-9]{11,})/;

/** A comment is a line or a page. */
const COMMENT_CHARACTERS_MOST = 65_536;

class Stop extends Error {
  readonly fault: Finding;

  constructor(fault: Finding) {
    super(fault.code);
    this.fault = fault;
  }
}

export function readXml(text: string): ReadXml {
  const placeOf = places(text);
  const long = LONG_REFERENCE.exec(text);
  if (long) return { fault: finding('CAP-112', { ...placeOf(long.index), path: '' }) };
  const comment = longComment(text);
  if (comment !== null) {
    return {
      fault: finding('CAP-113', { ...placeOf(comment), path: '' }, { most: COMMENT_CHARACTERS_MOST }),
    };
  }
  const parser = new SaxesParser({ xmlns: true, position: true });
  let root: XmlElement | null = null;
  const open: XmlElement[] = [];
  const chunks: string[][] = [];
  let elements = 0;
  let startsAt = 0;
  const here = () => placeOf(Math.max(0, parser.position - 1));
  const stop = (fault: Finding): never => {
    throw new Stop(fault);
  };
  const at = (path: string): Place => ({ ...here(), path });
  const path = () => open.at(-1)?.place.path ?? '';

  parser.on('error', (error) => stop(faultOf(error.message, text, parser.position, at(path()))));
  parser.on('doctype', () => stop(finding('CAP-106', at(''))));
  parser.on('xmldecl', ({ version }) => {
    if (version !== undefined && version !== '1.0') {
      stop(finding('CAP-105', at(''), { reason: `XML ${version}` }));
    }
  });
  parser.on('opentagstart', (tag) => {
    startsAt = text.lastIndexOf(`<${tag.name}`, parser.position - tag.name.length - 1);
    elements += 1;
    if (elements > ELEMENTS_MOST) stop(finding('CAP-110', at(path()), { most: ELEMENTS_MOST }));
    if (open.length >= DEPTH_MOST) stop(finding('CAP-109', at(path()), { most: DEPTH_MOST }));
  });
  let attributes = 0;
  parser.on('attribute', () => {
    attributes += 1;
    if (attributes > ATTRIBUTES_MOST) stop(finding('CAP-111', at(path()), { most: ATTRIBUTES_MOST }));
  });
  parser.on('opentag', (tag) => {
    attributes = 0;
    const parent = open.at(-1);
    const element: XmlElement = {
      name: tag.name,
      local: tag.local,
      uri: tag.uri,
      attributes: Object.values(tag.attributes as Record<string, SaxesAttributeNS>).map(
        ({ name, local, uri, value }) => ({ name, local, uri, value }),
      ),
      children: [],
      text: '',
      place: { ...placeOf(startsAt), path: pathOf(parent, tag.local) },
    };
    if (element.uri === XINCLUDE) stop(finding('CAP-108', element.place));
    if (parent) parent.children.push(element);
    else root = element;
    open.push(element);
    chunks.push([]);
  });
  const add = (chunk: string) => chunks.at(-1)?.push(chunk);
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => {
    const element = open.pop();
    const own = chunks.pop();
    if (element && own) element.text = own.join('');
  });
  try {
    parser.write(text).close();
  } catch (error) {
    if (error instanceof Stop) return { fault: error.fault };
    throw error;
  }
  return root ? { root } : { fault: finding('CAP-102', null) };
}

/** Where a comment begins that has no end within the limit: the parser would look at each of its dashes. */
function longComment(text: string): number | null {
  for (let at = text.indexOf('<!--'); at !== -1; at = text.indexOf('<!--', at + 4)) {
    const end = text.indexOf('-->', at + 4);
    if (end === -1 || end - at > COMMENT_CHARACTERS_MOST)
      return text.length - at > COMMENT_CHARACTERS_MOST ? at : null;
    at = end;
  }
  return null;
}

/** `/alert/info[2]/area`: a number where an element of that name came before. */
function pathOf(parent: XmlElement | undefined, local: string): string {
  if (!parent) return `/${local}`;
  // Elements of one name stand together: the last one tells.
  const before = parent.children.at(-1);
  if (before?.local !== local) return `${parent.place.path}/${local}`;
  const number = /\[(\d+)\]$/.exec(before.place.path)?.[1] ?? '1';
  return `${parent.place.path}/${local}[${Number(number) + 1}]`;
}

/** A `&` that begins no reference: saxes looks for its end as far as the end of the file. */
const BARE_AMPERSAND = /&(?!#?[\w.-]{1,100};)/;

/** saxes says what is wrong after `line:column: `. */
function faultOf(message: string, text: string, position: number, place: Place): Finding {
  const reason = message.replace(/^(?:[^:]*:)?\d+:\d+:\s*/, '').replace(/\.$/, '');
  if (reason === 'undefined entity') {
    return finding('CAP-107', place, { name: text.slice(text.lastIndexOf('&', position), position) });
  }
  const bare =
    reason.startsWith('unclosed') && !text.includes('<![CDATA[') ? BARE_AMPERSAND.exec(text) : null;
  if (bare)
    return finding('CAP-105', { ...places(text)(bare.index), path: place.path }, { reason: '& for &amp;' });
  return finding('CAP-105', place, { reason });
}

/** From an offset in the text to line and column, both from 1. */
function places(text: string): (offset: number) => { line: number; column: number } {
  let starts: number[] | null = null;
  return (offset) => {
    starts ??= lineStarts(text);
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}
