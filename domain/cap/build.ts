/** A CAP message as XML, in the order of the standard. `parseCap` of it gives the message back. */
import { CAP_NAMESPACE, type CapAlert, type CapArea, type CapInfo, type CapResource } from './alert.ts';

/** UTF-8 without a byte order mark. */
export function buildCap(alert: CapAlert): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<alert xmlns="${CAP_NAMESPACE}">`,
    ...[
      one('identifier', alert.identifier),
      one('sender', alert.sender),
      one('sent', alert.sent),
      one('status', alert.status),
      one('msgType', alert.msgType),
      one('source', alert.source),
      one('scope', alert.scope),
      one('restriction', alert.restriction),
      one('addresses', alert.addresses),
      ...alert.codes.map((code) => one('code', code)),
      one('note', alert.note),
      one('references', alert.references.map(referenceText).join(' ') || null),
      one('incidents', alert.incidents),
      ...alert.infos.map(infoXml),
    ].flat(),
    '</alert>',
  ];
  return `${lines.join('\n')}\n`;
}

export function referenceText(reference: { sender: string; identifier: string; sent: string }): string {
  const { sender, identifier, sent } = reference;
  return sent === '' ? `${sender},${identifier}` : `${sender},${identifier},${sent}`;
}

function infoXml(info: CapInfo): string[] {
  return block('info', [
    one('language', info.language),
    ...info.categories.map((category) => one('category', category)),
    one('event', info.event),
    ...info.responseTypes.map((type) => one('responseType', type)),
    one('urgency', info.urgency),
    one('severity', info.severity),
    one('certainty', info.certainty),
    one('audience', info.audience),
    ...info.eventCodes.map((pair) => named('eventCode', pair)),
    one('effective', info.effective),
    one('onset', info.onset),
    one('expires', info.expires),
    one('senderName', info.senderName),
    one('headline', info.headline),
    one('description', info.description),
    one('instruction', info.instruction),
    one('web', info.web),
    one('contact', info.contact),
    ...info.parameters.map((pair) => named('parameter', pair)),
    ...info.resources.map(resourceXml),
    ...info.areas.map(areaXml),
  ]);
}

function resourceXml(resource: CapResource): string[] {
  return block('resource', [
    one('resourceDesc', resource.resourceDesc),
    one('mimeType', resource.mimeType),
    one('size', resource.size),
    one('uri', resource.uri),
    one('derefUri', resource.derefUri),
    one('digest', resource.digest),
  ]);
}

function areaXml(area: CapArea): string[] {
  return block('area', [
    one('areaDesc', area.areaDesc),
    ...area.polygons.map((points) => one('polygon', points.map(pointText).join(' '))),
    ...area.circles.map(({ centre, radiusKm }) => one('circle', `${pointText(centre)} ${degrees(radiusKm)}`)),
    ...area.geocodes.map((pair) => named('geocode', pair)),
    one('altitude', area.altitude),
    one('ceiling', area.ceiling),
  ]);
}

function named(name: string, pair: { valueName: string; value: string }): string[] {
  return block(name, [one('valueName', pair.valueName), one('value', pair.value)]);
}

function block(name: string, lines: readonly string[][]): string[] {
  return [`<${name}>`, ...lines.flat(), `</${name}>`];
}

function one(name: string, text: string | null): string[] {
  return text === null ? [] : [`<${name}>${escaped(text)}</${name}>`];
}

function pointText([latitude, longitude]: readonly [number, number]): string {
  return `${degrees(latitude)},${degrees(longitude)}`;
}

/** Never with an exponent: 1e-7 is no number of CAP. */
function degrees(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(12) : text;
}

/** A carriage return would be read as a line feed, so it goes as a reference. */
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;');
}
