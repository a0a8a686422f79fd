/** The tree of a message against the table of clauses: order, number, form, and the rules the standard states in words. */
import { CAP_NAMESPACE } from './alert.ts';
import { ALERT, type Block, type Clause } from './clauses.ts';
import { finding, isError, type Finding } from './findings.ts';
import { instantOf, judgeValue } from './values.ts';
import type { XmlElement } from './xml.ts';

export const SIGNATURE_NAMESPACE = 'http://www.w3.org/2000/09/xmldsig#';

const OLD_VERSIONS: Readonly<Record<string, string>> = {
  'http://www.incident.com/cap/1.0': '1.0',
  'urn:oasis:names:tc:emergency:cap:1.0': '1.0',
  'urn:oasis:names:tc:emergency:cap:1.1': '1.1',
};

/** More would not be read by anybody; the verdict is the same. */
const FINDINGS_MOST = 50;

/** What is wrong with a tree as a CAP message, in the order of the file. */
export function checkAlert(root: XmlElement): Finding[] {
  const named = checkRoot(root);
  if (named.length > 0) return named;
  const findings: Finding[] = [];
  checkBlock(root, ALERT, findings);
  checkTexts(root, findings);
  return most(findings);
}

/** Errors are never the ones left out. */
function most(findings: Finding[]): Finding[] {
  if (findings.length <= FINDINGS_MOST) return findings;
  const errors = findings.filter(isError).slice(0, FINDINGS_MOST);
  const others = findings.filter((one) => !isError(one)).slice(0, FINDINGS_MOST - errors.length);
  return [...errors, ...others];
}

function checkRoot(root: XmlElement): Finding[] {
  if (root.local !== 'alert') return [finding('CAP-201', root.place, { name: root.name })];
  if (root.uri === CAP_NAMESPACE) return [];
  const version = OLD_VERSIONS[root.uri];
  return version === undefined
    ? [finding('CAP-203', root.place, { namespace: root.uri, wanted: CAP_NAMESPACE })]
    : [finding('CAP-202', root.place, { version, namespace: CAP_NAMESPACE })];
}

function checkBlock(element: XmlElement, block: Block, findings: Finding[]): void {
  checkAttributes(element, findings);
  if (element.text.trim() !== '') findings.push(finding('CAP-211', element.place, { name: element.local }));
  const counts = new Map<string, number>();
  let furthest = -1;
  for (const child of element.children) {
    // 3.3.4.1: a signature is a child of alert; where it stands and what it is worth is judged by signature.ts.
    if (isSignature(child)) continue;
    const place = block.clauses.findIndex((clause) => isOf(child, element.uri, clause.name));
    const clause = block.clauses[place];
    if (!clause) {
      findings.push(finding('CAP-204', child.place, { name: child.name, parent: element.local }));
      continue;
    }
    if (place < furthest) {
      const before = block.clauses[furthest]?.name ?? '';
      findings.push(finding('CAP-205', child.place, { name: clause.name, before }));
    }
    furthest = Math.max(furthest, place);
    const count = (counts.get(clause.name) ?? 0) + 1;
    counts.set(clause.name, count);
    if (count === 2 && !clause.many) findings.push(finding('CAP-207', child.place, { name: clause.name }));
    checkChild(child, clause, findings);
  }
  for (const { name, least } of block.clauses) {
    if (least > 0 && !counts.has(name)) {
      findings.push(finding('CAP-206', element.place, { parent: element.local, name }));
    }
  }
}

function checkChild(child: XmlElement, clause: Clause, findings: Finding[]): void {
  if (typeof clause.holds === 'object' && 'block' in clause.holds) {
    checkBlock(child, clause.holds.block, findings);
    return;
  }
  checkAttributes(child, findings);
  if (child.children.length > 0) {
    findings.push(finding('CAP-212', child.place, { name: clause.name }));
    return;
  }
  const text = child.text.trim();
  if (text === '') {
    findings.push(finding(clause.least > 0 ? 'CAP-213' : 'CAP-405', child.place, { name: clause.name }));
    return;
  }
  if (text !== child.text && clause.holds === 'name') {
    findings.push(finding('CAP-411', child.place, { name: clause.name, value: child.text }));
  }
  findings.push(...judgeValue(clause.holds, clause.name, text, child.place));
}

/** Declarations of namespaces and the hints of XML Schema mean nothing; other attributes CAP does not have. */
function checkAttributes(element: XmlElement, findings: Finding[]): void {
  for (const { name, uri } of element.attributes) {
    const declares = name === 'xmlns' || name.startsWith('xmlns:');
    if (declares || uri === 'http://www.w3.org/2001/XMLSchema-instance') continue;
    findings.push(finding('CAP-210', element.place, { name, parent: element.local }));
  }
}

/** Rules that the standard states in words, across elements. */
function checkTexts(alert: XmlElement, findings: Finding[]): void {
  const scope = textOf(alert, 'scope');
  if (scope === 'Restricted' && textOf(alert, 'restriction') === '')
    findings.push(finding('CAP-302', alert.place));
  if (scope === 'Private' && textOf(alert, 'addresses') === '')
    findings.push(finding('CAP-303', alert.place));
  const msgType = textOf(alert, 'msgType');
  if (['Update', 'Cancel', 'Ack', 'Error'].includes(msgType) && textOf(alert, 'references') === '') {
    findings.push(finding('CAP-304', alert.place, { msgType }));
  }
  const infos = childrenOf(alert, 'info');
  if (infos.length === 0 && (msgType === 'Alert' || msgType === 'Update')) {
    findings.push(finding('CAP-402', alert.place, { msgType }));
  }
  for (const info of infos) checkInfo(info, textOf(alert, 'sent'), findings);
}

const CHINESE = /\p{Script=Han}/u;

function checkInfo(info: XmlElement, sent: string, findings: Finding[]): void {
  const areas = childrenOf(info, 'area');
  if (areas.length === 0) findings.push(finding('CAP-403', info.place));
  if (textOf(info, 'language') === '' && CHINESE.test(textOf(info, 'description') + textOf(info, 'headline')))
    findings.push(finding('CAP-404', info.place));
  const expires = textOf(info, 'expires');
  if (expires === '') findings.push(finding('CAP-407', info.place));
  for (const [name, time] of [
    ['sent', sent],
    ['effective', textOf(info, 'effective')],
    ['onset', textOf(info, 'onset')],
  ] as const) {
    if (instantOf(expires) < instantOf(time)) findings.push(finding('CAP-406', info.place, { name }));
  }
  for (const area of areas) {
    if (textOf(area, 'ceiling') !== '' && textOf(area, 'altitude') === '')
      findings.push(finding('CAP-311', area.place));
    if (!['polygon', 'circle', 'geocode'].some((name) => childrenOf(area, name).length > 0))
      findings.push(finding('CAP-409', area.place, { value: textOf(area, 'areaDesc') }));
  }
}

export function isSignature(element: XmlElement): boolean {
  return element.uri === SIGNATURE_NAMESPACE && element.local === 'Signature';
}

export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => isOf(child, element.uri, name));
}

/** The text of a child without blanks around it; empty where there is none. */
export function textOf(element: XmlElement, name: string): string {
  return element.children.find((child) => isOf(child, element.uri, name))?.text.trim() ?? '';
}

function isOf(child: XmlElement, uri: string, name: string): boolean {
  return child.local === name && child.uri === uri;
}
