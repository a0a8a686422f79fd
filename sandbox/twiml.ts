/** TwiML as a telephone network reads it: the verbs of a response, in order. Anything but plain elements and text is refused. */

export type TwimlNode = {
  name: string;
  attributes: Readonly<Record<string, string>>;
  text: string;
  children: TwimlNode[];
};

const VERBS = ['Say', 'Pause', 'Gather', 'Hangup', 'Redirect', 'Message'];

const DECLARATION = /^\s*<\?xml[^>]*\?>/;
const TAG = /<(\/?)([A-Za-z]+)((?:\s+[A-Za-z:-]+="[^"<]*")*)\s*(\/?)>/y;
const ATTRIBUTE = /([A-Za-z:-]+)="([^"<]*)"/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The verbs below `<Response>`; null for what is no TwiML, or holds a verb that this network does not know. */
export function readTwiml(document: string): TwimlNode[] | null {
  const root = node('', '');
  const open = [root];
  const xml = document.replace(DECLARATION, '');
  for (let at = 0; at < xml.length;) {
    const inner = open[open.length - 1] ?? root;
    const next = xml.indexOf('<', at);
    const text = xml.slice(at, next < 0 ? xml.length : next);
    inner.text += decode(text);
    if (next < 0) break;
    TAG.lastIndex = next;
    const tag = TAG.exec(xml);
    if (!tag) return null;
    const [whole, closing, name = '', attributes = '', empty] = tag;
    at = next + whole.length;
    if (closing) {
      if (open.pop()?.name !== name || open.length === 0) return null;
      continue;
    }
    const child = node(name, attributes);
    inner.children.push(child);
    if (!empty) open.push(child);
  }
  const [response] = root.children;
  if (open.length !== 1 || root.children.length !== 1 || response?.name !== 'Response') return null;
  return known(response.children) ? response.children : null;
}

function node(name: string, attributes: string): TwimlNode {
  const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key = '', value = '']) => [key, decode(value)]);
  return { name, attributes: Object.fromEntries(pairs) as Record<string, string>, text: '', children: [] };
}

function known(nodes: readonly TwimlNode[]): boolean {
  return nodes.every((one) => VERBS.includes(one.name) && known(one.children));
}

function decode(text: string): string {
  return text.replaceAll(/&(?:#x([0-9a-fA-F]+)|#(\d+)|([a-z]+));/g, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(String(hex), 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[String(name)] ?? String(whole);
  });
}
