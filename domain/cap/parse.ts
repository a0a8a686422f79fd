/** A file to a CAP message and everything that is wrong with it. Opens nothing but the bytes it is given. */
import type { CapAlert, CapArea, CapInfo, CapResource, NamedValue } from './alert.ts';
import { checkAlert, childrenOf } from './check.ts';
import { decode } from './decode.ts';
import { isError, type Finding } from './findings.ts';
import { readCircle, readPolygon, readReferences } from './values.ts';
import { readXml, type XmlElement } from './xml.ts';

export type ParsedCap = {
  /** Null where there are errors: a message is taken whole or not at all. */
  alert: CapAlert | null;
  findings: readonly Finding[];
  /** The text that was read, for the check of its signature; null where the bytes are no text. */
  text: string | null;
  /** Null where it is no XML. */
  root: XmlElement | null;
};

export function parseCap(bytes: Uint8Array): ParsedCap {
  const decoded = decode(bytes);
  return 'fault' in decoded
    ? { alert: null, findings: [decoded.fault], text: null, root: null }
    : parseCapText(decoded.text);
}

export function parseCapText(text: string): ParsedCap {
  const read = readXml(text);
  if ('fault' in read) return { alert: null, findings: [read.fault], text, root: null };
  const { root } = read;
  const findings = checkAlert(root);
  return { alert: findings.some(isError) ? null : alertOf(root), findings, text, root };
}

/** Of a tree without errors. */
function alertOf(root: XmlElement): CapAlert {
  return {
    identifier: word(root, 'identifier'),
    sender: word(root, 'sender'),
    sent: word(root, 'sent'),
    status: word(root, 'status') as CapAlert['status'],
    msgType: word(root, 'msgType') as CapAlert['msgType'],
    source: text(root, 'source'),
    scope: word(root, 'scope') as CapAlert['scope'],
    restriction: text(root, 'restriction'),
    addresses: text(root, 'addresses'),
    codes: texts(root, 'code'),
    note: text(root, 'note'),
    references: readReferences(word(root, 'references')),
    incidents: text(root, 'incidents'),
    infos: childrenOf(root, 'info').map(infoOf),
  };
}

function infoOf(info: XmlElement): CapInfo {
  return {
    language: word(info, 'language') || null,
    categories: texts(info, 'category').map((one) => one.trim()) as unknown as CapInfo['categories'],
    event: text(info, 'event') ?? '',
    responseTypes: texts(info, 'responseType').map((one) =>
      one.trim(),
    ) as unknown as CapInfo['responseTypes'],
    urgency: word(info, 'urgency') as CapInfo['urgency'],
    severity: word(info, 'severity') as CapInfo['severity'],
    certainty: word(info, 'certainty') as CapInfo['certainty'],
    audience: text(info, 'audience'),
    eventCodes: pairs(info, 'eventCode'),
    effective: word(info, 'effective') || null,
    onset: word(info, 'onset') || null,
    expires: word(info, 'expires') || null,
    senderName: text(info, 'senderName'),
    headline: text(info, 'headline'),
    description: text(info, 'description'),
    instruction: text(info, 'instruction'),
    web: word(info, 'web') || null,
    contact: text(info, 'contact'),
    parameters: pairs(info, 'parameter'),
    resources: childrenOf(info, 'resource').map(resourceOf),
    areas: childrenOf(info, 'area').map(areaOf),
  };
}

function resourceOf(resource: XmlElement): CapResource {
  return {
    resourceDesc: text(resource, 'resourceDesc') ?? '',
    mimeType: text(resource, 'mimeType') ?? '',
    size: word(resource, 'size') || null,
    uri: word(resource, 'uri') || null,
    derefUri: text(resource, 'derefUri'),
    digest: text(resource, 'digest'),
  };
}

function areaOf(area: XmlElement): CapArea {
  return {
    areaDesc: text(area, 'areaDesc') ?? '',
    polygons: texts(area, 'polygon').map(readPolygon),
    circles: texts(area, 'circle').flatMap((circle) => readCircle(circle.trim()) ?? []),
    geocodes: pairs(area, 'geocode'),
    altitude: word(area, 'altitude') || null,
    ceiling: word(area, 'ceiling') || null,
  };
}

function pairs(element: XmlElement, name: string): NamedValue[] {
  return childrenOf(element, name).map((pair) => ({
    valueName: text(pair, 'valueName') ?? '',
    value: text(pair, 'value') ?? '',
  }));
}

/** As it stands, blanks and all; null where the element is missing or empty. */
function text(element: XmlElement, name: string): string | null {
  return texts(element, name)[0] ?? null;
}

function texts(element: XmlElement, name: string): string[] {
  return childrenOf(element, name)
    .map((child) => child.text)
    .filter((one) => one.trim() !== '');
}

/** Without blanks around it; empty where the element is missing. */
function word(element: XmlElement, name: string): string {
  return text(element, name)?.trim() ?? '';
}
