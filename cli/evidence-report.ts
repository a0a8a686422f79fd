/**
 * The evidence of one warning as a page to read and to print: one file without script, image or font. Long tables show their
 * beginning; everything is in the data beside it.
 */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { ActLine, Recipient, UnitStory } from '../db/evidence.ts';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import type { Language } from '../domain/texts.ts';
import { TIERS } from '../domain/tiers.ts';
import { isoWithOffset } from '../domain/time.ts';
import type { Evidence } from '../operations/evidence.ts';
import { maskAddress } from '../operations/organisation-person.ts';
import { evidenceWords, type EvidenceSay } from './evidence-words.ts';
import { span } from './times.ts';

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;
type Cell = string | number | Html;

/** Rows of one table that are printed; a city has a hundred thousand units. */
const ROWS_MOST = 300;
const COLUMNS_MOST = 10;
/** An act's body that is longer is shortened: the data hold it whole. */
const BODY_CHARACTERS_MOST = 400;

const STYLE = `body{margin:0;color:#111;background:#fff;font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif}
main{max-width:60em;margin:auto;padding:16px}h1{font-size:1.6em;margin:0 0 4px}h2{font-size:1.2em;margin:28px 0 8px;border-bottom:2px solid #111}
table{border-collapse:collapse;width:100%;margin:8px 0;font-size:.9em}th,td{border:1px solid #999;padding:3px 6px;text-align:left;vertical-align:top}
th{background:#eee}td.n{text-align:right;font-variant-numeric:tabular-nums}td.t{white-space:nowrap;font-variant-numeric:tabular-nums}
.mark{border:3px solid #111;padding:8px 12px;margin:12px 0;font-weight:bold}.ok{border-color:#0b3d0b}.bad{border-color:#a80000;color:#a80000}
.level{display:inline-block;padding:2px 10px;color:#fff;background:#333}.red{background:#a80000}.orange{background:#ff9d1e;color:#000}
.yellow{background:#ffd900;color:#000}.blue{background:#003f87}pre{white-space:pre-wrap;word-break:break-word;border:1px solid #999;padding:8px;margin:4px 0;background:#fafafa;font:inherit}
code{font:12px/1.4 ui-monospace,monospace;word-break:break-all}.note{color:#444;font-size:.9em}dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:8px 0}dt{font-weight:bold}dd{margin:0}
.wide{overflow-x:auto}@media print{.wide{overflow:visible}table{font-size:.8em}.many{font-size:.62em}.many td,.many th{padding:2px 3px}main{max-width:none;padding:0}h2{break-after:avoid}tr,pre{break-inside:avoid}}`;

/** The whole page; `recipients` are the first of them. */
export async function evidenceReport(
  evidence: Evidence,
  input: { language: Language; recipients: readonly Recipient[] },
): Promise<string> {
  const say = evidenceWords(input.language);
  const { warning } = evidence;
  const report: Report = { evidence, say, language: input.language };
  const title = say('title', { id: `W${warning.warningId}` });
  const page = html`<!doctype html>
    <html lang="${input.language === 'zh' ? 'zh-CN' : 'en'}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>
          ${STYLE}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="note">${say('made', { at: isoWithOffset(evidence.at) })}</p>
          <p class="mark">${say(warning.kind)}</p>
          ${verdict(report)} ${theWarning(report)} ${summary(report)} ${timeline(report)} ${decided(report)}
          ${texts(report)} ${sent(report)} ${escalations(report)} ${silentUnits(report)} ${answers(report)}
          ${recipients(report, input.recipients)} ${anchors(report)} ${faults(report)}
          <h2>${say('verify')}</h2>
          <p>${say('verifyText')}</p>
        </main>
      </body>
    </html>`;
  return String(await page);
}

type Report = { evidence: Evidence; say: EvidenceSay; language: Language };

function verdict({ evidence: { verification }, say }: Report): Html {
  const { faultCount: faults, lines, chains, facts } = verification;
  return faults === 0
    ? html`<p class="mark ok">${say('whole', { lines, chains, facts })}</p>`
    : html`<p class="mark bad">${say('broken', { faults })}</p>`;
}

function theWarning({ evidence: { warning }, say, language }: Report): Html {
  const level = findLevel(warning.level);
  const rows: [string, Cell | null][] = [
    [say('hazard'), findHazard(warning.hazard)?.[language] ?? warning.hazard],
    [say('level'), html`<span class="level ${warning.level}">${level?.[language] ?? warning.level}</span>`],
    [say('issuer'), warning.issuer],
    [say('areas'), warning.areas.join(language === 'zh' ? '、' : ', ')],
    [say('issued'), isoWithOffset(warning.issuedAt)],
    [say('expires'), isoWithOffset(warning.expiresAt)],
    [say('status'), say.value(warning.status)],
    [say('ended'), warning.endedAt === null ? null : isoWithOffset(warning.endedAt)],
    [say('reason'), warning.endReason],
    [say('supersedes'), warning.supersedesId === null ? null : `W${warning.supersedesId}`],
    [say('supersededBy'), warning.supersededById === null ? null : `W${warning.supersededById}`],
    [say('rulePack'), `${warning.rules.pack.id} ${warning.rules.pack.version}`],
  ];
  const known = rows.filter(([, value]) => value !== null);
  const corrections = [warning.correctionZh, warning.correctionEn].filter((text) => text !== null);
  return html`<h2>${say('warning')}</h2>
    <dl>
      ${known.map(
        ([name, value]) =>
          html`<dt>${name}</dt>
            <dd>${value}</dd>`,
      )}
    </dl>
    <pre>${warning.textZh}</pre>
    <pre>${warning.textEn}</pre>
    ${
      corrections.length === 0
        ? ''
        : html`<p>${say('correction')}</p>
            ${corrections.map((text) => html`<pre>${text}</pre>`)}`
    }`;
}

function summary({ evidence: { units, households }, say, language }: Report): Html {
  const rows = TIERS.flatMap((tier) => {
    const own = units.filter((unit) => unit.tier === tier.id);
    const count = (has: (unit: UnitStory) => boolean) => own.filter(has).length;
    return own.length === 0
      ? []
      : [
          [
            tier[language],
            own.length,
            count((unit) => unit.toldAt !== null),
            count((unit) => unit.answeredAt !== null),
            count((unit) => unit.silentAt !== null),
          ],
        ];
  });
  return html`<h2>${say('summary')}</h2>
    ${table(say, [say('tier'), say('units'), say('told'), say('answered'), say('silent')], rows)}
    <p>${say('households', households)}</p>`;
}

type Event = { at: number; what: string; who: string };

/** Acts that the warning's own row tells of as well. */
const ENDS: readonly string[] = ['cancel', 'retract'];

function timeline(report: Report): Html {
  const { evidence, say, language } = report;
  const { warning, units, acts } = evidence;
  const events: Event[] = [
    { at: warning.issuedAt, what: say('event.issued'), who: warning.issuer },
    ...ownEvents(report),
  ];
  for (const tier of TIERS) {
    const told = units.filter((unit) => unit.tier === tier.id).flatMap(({ toldAt }) => toldAt ?? []);
    // What was said before it was issued was said of the warning before.
    const heard = units
      .filter((unit) => unit.tier === tier.id)
      .flatMap(({ answeredAt }) => (answeredAt !== null && answeredAt >= warning.issuedAt ? answeredAt : []));
    const named = { tier: tier[language], count: told.length };
    if (told.length > 0) {
      events.push({ at: least(told), what: say('event.firstTold', named), who: '' });
      if (told.length > 1) events.push({ at: most(told), what: say('event.allTold', named), who: '' });
    }
    if (heard.length > 0) events.push({ at: least(heard), what: say('event.firstAnswer', named), who: '' });
  }
  for (const { rung, name } of evidence.rungs) {
    const reached = evidence.escalations.filter((one) => one.rung === rung);
    if (rung === 0 || reached.length === 0) continue;
    const what = say('event.rung', { rung: rung + 1, name: say.value(name), count: reached.length });
    events.push({ at: least(reached.map(({ at }) => at)), what, who: '' });
  }
  for (const { kind, at, unit, person } of evidence.answers)
    if (kind === 'cannot act') events.push({ at, what: say('event.cannot', { unit }), who: person ?? '' });
  for (const act of acts) {
    if (act.kind.startsWith('warning') || ENDS.includes(act.kind)) continue;
    const because = reasonOf(act);
    const what =
      because === null ? say.value(act.kind) : say('event.because', { act: say.value(act.kind), because });
    events.push({ at: act.at, what, who: act.actor ?? say('engine') });
  }
  const last = evidence.sent.map(({ lastAt }) => lastAt);
  if (last.length > 0) events.push({ at: most(last), what: say('event.lastSend'), who: '' });
  events.sort((one, other) => one.at - other.at);
  const rows = events.map(({ at, what, who }) => [instant(at), what, who]);
  return html`<h2>${say('timeline')}</h2>
    ${table(say, [say('at'), say('what'), say('who')], rows)}`;
}

/** What became of the warning itself: what it replaced, what replaced it or ended it, who heard of that, who answered too late. */
function ownEvents({ evidence: { warning, answers, sent }, say }: Report): Event[] {
  const events: Event[] = [];
  const push = (at: number, what: string) => events.push({ at, what, who: '' });
  const carried = answers.filter((answer) => answer.carried);
  if (carried.length > 0) push(warning.issuedAt, say('event.carried', { count: carried.length }));
  if (warning.status === 'open') return events;
  const overAt = warning.endedAt ?? warning.expiresAt;
  const by = warning.supersededById === null ? '' : `W${warning.supersededById}`;
  push(overAt, say(`event.${warning.retracted ? 'retracted' : warning.status}`, { by }));
  const notices = sent.filter(({ purpose, handedOff }) => purpose === 'cancel notice' && handedOff > 0);
  if (notices.length > 0) {
    const count = notices.reduce((sum, { handedOff }) => sum + handedOff, 0);
    push(least(notices.map(({ firstAt }) => firstAt)), say('event.firstEndTold', { count }));
  }
  const late = answers.filter((answer) => answer.at > overAt && !answer.carried);
  if (late.length > 0) push(least(late.map(({ at }) => at)), say('event.late', { count: late.length }));
  return events;
}

function decided({ evidence: { acts }, say }: Report): Html {
  const rows = acts.map((act) => [
    instant(act.at),
    say.value(act.kind),
    act.actor ?? say('engine'),
    bodyOf(act),
    html`<code>${act.chain} ${act.position}</code>`,
  ]);
  return html`<h2>${say('decided')}</h2>
    <p class="note">${say('decidedNote')}</p>
    ${table(say, [say('at'), say('what'), say('who'), say('details'), say('place')], rows)}`;
}

/** Why somebody did it, where they had to say so. */
function reasonOf({ body }: ActLine): string | null {
  const { reason, emergencyReason } = (body ?? {}) as { reason?: unknown; emergencyReason?: unknown };
  const because = emergencyReason ?? reason;
  return typeof because === 'string' ? because : null;
}

/** The warning's own row stands above; of the other acts what was said. */
function bodyOf({ kind, body }: ActLine): Cell {
  if (kind.startsWith('warning')) return '';
  const text = JSON.stringify(body);
  const shown = text.length > BODY_CHARACTERS_MOST ? `${text.slice(0, BODY_CHARACTERS_MOST)} …` : text;
  return html`<code>${shown}</code>`;
}

function texts({ evidence, say }: Report): Html {
  return html`<h2>${say('texts')}</h2>
    <p class="note">${say('textsNote')}</p>
    ${evidence.texts.map(
      (one) =>
        html`<p>
            <b>${say.value(one.purpose)}</b> · ${say.value(one.language)} ·
            ${one.channels.map((channel) => say.value(channel)).join(' / ')}
            ${one.subject === null ? '' : html`· ${say('subject')}: ${one.subject}`}
          </p>
          <pre>${one.text}</pre>`,
    )}`;
}

function sent({ evidence, say }: Report): Html {
  const head = (['purpose', 'step', 'channel', 'language', 'first', 'last'] as const).map((key) => say(key));
  const counts = [
    'attempts',
    'handedOff',
    'delivered',
    'read',
    'undelivered',
    'failed',
    'unknown',
    'merged',
    'dropped',
  ] as const;
  const rows = evidence.sent.map((one) => [
    say.value(one.purpose),
    one.purpose === 'rung' ? one.step + 1 : '',
    say.value(one.channel),
    say.value(one.language),
    instant(one.firstAt),
    instant(one.lastAt),
    ...counts.map((count) => one[count]),
  ]);
  return html`<h2>${say('sent')}</h2>
    ${table(say, [...head, ...counts.map((count) => say(count))], rows)}`;
}

function escalations({ evidence, say, language }: Report): Html {
  const byUnit = new Map(evidence.units.map((unit) => [unit.unitId, unit]));
  const rungs = evidence.rungs.map((rung) => [
    rung.rung + 1,
    say.value(rung.name),
    say.value(rung.who),
    rung.by.map((channel) => say.value(channel)).join(' / '),
    span(rung.waitMs, language),
    rung.citation ?? rung.source ?? '',
    evidence.escalations.filter((one) => one.rung === rung.rung).length,
  ]);
  const risen = evidence.escalations.filter(({ rung }) => rung > 0);
  const rows = risen.map(({ unitId, rung, at, beforeAt }) => [
    instant(at),
    byUnit.get(unitId)?.path ?? String(unitId),
    `${rung + 1} ${say.value(evidence.rungs[rung]?.name ?? '')}`,
    beforeAt === null ? '' : span(Math.max(0, at - beforeAt), language),
    evidence.rungs[rung - 1]?.source ?? '',
  ]);
  return html`<h2>${say('escalations')}</h2>
    ${table(
      say,
      [say('rung'), say('what'), say('who'), say('by'), say('wait'), say('source'), say('reached')],
      rungs,
    )}
    ${table(say, [say('at'), say('unit'), say('rung'), say('after'), say('source')], rows)}`;
}

function silentUnits({ evidence, say, language }: Report): Html {
  const silent = evidence.units.filter((unit) => unit.silentAt !== null);
  const tried = new Map<number, string[]>();
  for (const { unitId, rung, messages } of evidence.escalations) {
    const name = say.value(evidence.rungs[rung]?.name ?? '');
    tried.set(unitId, [...(tried.get(unitId) ?? []), `${rung + 1} ${name} × ${messages}`]);
  }
  const tiers = new Map(TIERS.map((tier) => [tier.id, tier[language]]));
  const rows = silent.map((unit) => [
    unit.path,
    tiers.get(unit.tier) ?? unit.tier,
    instant(unit.silentAt ?? 0),
    (tried.get(unit.unitId) ?? []).join('; '),
    unit.answeredAt === null ? say('never') : instant(unit.answeredAt),
  ]);
  return html`<h2>${say('silentUnits')}</h2>
    <p class="note">${say('silentNote')}</p>
    ${table(say, [say('unit'), say('tier'), say('silentSince'), say('tried'), say('answeredLater')], rows)}`;
}

function answers({ evidence, say }: Report): Html {
  const rows = evidence.answers.map((answer) => [
    instant(answer.at),
    answer.unit,
    say.value(answer.kind) + (answer.doneCount === null ? '' : ` ${answer.doneCount}`),
    answer.vouchedBy === null
      ? (answer.person ?? '')
      : say('vouched', { by: answer.vouchedBy, how: answer.how ?? '' }),
    say.value(answer.via),
  ]);
  return html`<h2>${say('answers')}</h2>
    ${table(say, [say('at'), say('unit'), say('answer'), say('who'), say('via')], rows)}`;
}

function recipients({ say }: Report, list: readonly Recipient[]): Html {
  const rows = list.map(({ name, channel, address }) => [name, say.value(channel), maskAddress(address)]);
  return html`<h2>${say('recipients')}</h2>
    <p class="note">${say('recipientsNote')}</p>
    ${table(say, [say('name'), say('channel'), say('address')], rows)}`;
}

function anchors({ evidence, say }: Report): Html {
  const rows = evidence.anchors.map(({ seal, hash, at, writtenTo }) => [
    instant(at),
    seal,
    html`<code>${hash}</code>`,
    writtenTo.join(', '),
  ]);
  return html`<h2>${say('anchors')}</h2>
    <p class="note">${say('anchorsNote')}</p>
    ${table(say, [say('at'), say('seal'), 'SHA-256', say('place')], rows)}`;
}

function faults({ evidence: { verification }, say }: Report): Html {
  if (verification.faultCount === 0) return html``;
  const rows = verification.faults.map(({ kind, chain, place, detail }) => [chain, place, kind, detail]);
  return html`<h2>${say('faults')}</h2>
    ${table(say, [say('place'), '', '', ''], rows)}`;
}

// ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

function table(say: EvidenceSay, head: readonly string[], rows: readonly (readonly Cell[])[]): Html {
  if (rows.length === 0) return html`<p>${say('none')}</p>`;
  const left = rows.length - ROWS_MOST;
  // More columns than a sheet of paper is wide.
  const many = head.length > COLUMNS_MOST ? 'many' : '';
  return html`<div class="wide">
      <table class="${many}">
        <thead>
          <tr>
            ${head.map((title) => html`<th>${title}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.slice(0, ROWS_MOST).map(
            (row) =>
              html`<tr>
                ${row.map((cell) => (typeof cell === 'number' ? html`<td class="n">${cell}</td>` : html`<td>${cell}</td>`))}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${left > 0 ? html`<p class="note">${say('more', { count: left })}</p>` : ''}`;
}

/** To the second, on one line. */
function instant(at: number): Html {
  return html`<time>${isoWithOffset(at).replace('T', ' ')}</time>`;
}

// Spread into Math.min, a hundred thousand arguments overflow the stack.
function least(values: readonly number[]): number {
  return values.reduce((one, other) => Math.min(one, other), Infinity);
}

function most(values: readonly number[]): number {
  return values.reduce((one, other) => Math.max(one, other), -Infinity);
}
