/**
 * The answer page: no script, no font, no image; it works on a 2G phone. GET shows, POST acts, and POST asks for the
 * four-digit number of the message, because mail scanners follow links and press buttons. Level is told by word and shape as
 * well as by colour. Every dead link looks alike, whether it was forged or has expired.
 */
import { Hono } from 'hono';
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { Database } from '../db/database.ts';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { EXERCISE_MARK } from '../domain/texts.ts';
import { isoWithOffset } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { answerByLink, openAnswerPage, type AnswerPage } from '../operations/answers.ts';

type Page = HtmlEscapedString | Promise<HtmlEscapedString>;

const ANSWERS: Readonly<Record<string, AnswerKind>> = {
  received: 'received',
  done: 'done',
  cannot: 'cannot act',
};
const FORM_BYTES_MAX = 4_096;
const DONE_COUNT_MAX = 1_000_000;

export function answerPageRoutes(input: { database: Database; keys: AnswerKeys }): Hono {
  const { database, keys } = input;
  const routes = new Hono();
  routes.get('/a/:token', async (context) => {
    const page = await openAnswerPage(database, keys, context.req.param('token'));
    if (!page) return context.html(deadLink(), 404);
    return context.html(form(page, null));
  });
  routes.post('/a/:token', async (context) => {
    if (Number(context.req.header('content-length') ?? 0) > FORM_BYTES_MAX)
      return context.html(deadLink(), 413);
    const token = context.req.param('token');
    const fields = new URLSearchParams((await context.req.text()).slice(0, FORM_BYTES_MAX));
    const answer = ANSWERS[fields.get('answer') ?? ''];
    const page = await openAnswerPage(database, keys, token);
    if (!page) return context.html(deadLink(), 404);
    if (!answer) return context.html(form(page, '请选择一项。 / Choose one answer.'), 400);
    const doneCount = answer === 'done' ? readCount(fields.get('count')) : null;
    const outcome = await answerByLink(database, keys, {
      token,
      number: fields.get('number') ?? '',
      answer,
      doneCount,
    });
    if (outcome.kind === 'recorded') {
      // Read again: what the page says was recorded is what stands in PostgreSQL.
      const now = await openAnswerPage(database, keys, token);
      return context.html(
        thanks(
          now ?? page,
          answer,
          outcome.units.map((unit) => unit.unit),
        ),
      );
    }
    if (outcome.kind === 'no such link') return context.html(deadLink(), 404);
    return context.html(form(page, wrongNumber(outcome.triesLeft)), 403);
  });
  return routes;
}

function readCount(text: string | null): number | null {
  const count = Number((text ?? '').normalize('NFKC').trim());
  return Number.isInteger(count) && count >= 0 && count <= DONE_COUNT_MAX && (text ?? '').trim() !== ''
    ? count
    : null;
}

function wrongNumber(triesLeft: number): string {
  return triesLeft > 0
    ? `编号不对,请照消息里的四位编号填写(还可试 ${triesLeft} 次)。 / Wrong number, ${triesLeft} tries left.`
    : '试的次数太多,此链接已停用。请回复短信或致电上级。 / Too many tries: this link is closed. Reply by SMS or call your superior.';
}

const SHAPES: Readonly<Record<string, string>> = { red: '■', orange: '◆', yellow: '▲', blue: '●' };
const COLOURS: Readonly<Record<string, string>> = {
  red: '#8b0000',
  orange: '#7a3300',
  yellow: '#594400',
  blue: '#003a75',
};

function shell(title: string, body: Page): Page {
  return html`<!doctype html>
    <html lang="zh-CN">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>`;
}

const STYLE = `body{margin:0;background:#fff;color:#111;font:18px/1.5 sans-serif}main{max-width:34em;margin:auto;padding:12px}
h1{font-size:1.3em;margin:0 0 8px;padding:8px;color:#fff}p{margin:8px 0}fieldset{border:2px solid #444;margin:12px 0;padding:8px}
label{display:block;padding:8px 0}input[type=text]{font-size:1.3em;width:6em;padding:6px;border:2px solid #444}
button{font-size:1.2em;padding:12px;width:100%;background:#0b3d0b;color:#fff;border:0}.note{border:3px solid #8b0000;padding:8px;font-weight:bold}
.small{font-size:.85em;color:#333}`;

function heading(page: AnswerPage): Page {
  const { warning } = page;
  const level = findLevel(warning.level);
  const hazard = findHazard(warning.hazard);
  const mark = warning.kind === 'exercise' ? EXERCISE_MARK.zh : '';
  return html`<h1 style="background:${COLOURS[warning.level] ?? '#333'}">
    ${mark}${SHAPES[warning.level] ?? ''} ${hazard?.zh ?? warning.hazard}${level?.zh ?? warning.level}预警
    ${mark}<br /><span lang="en"
      >${SHAPES[warning.level] ?? ''} ${level?.en ?? warning.level} ${hazard?.en ?? ''}
      warning${warning.kind === 'exercise' ? ', exercise' : ''}</span
    >
  </h1>`;
}

function form(page: AnswerPage, note: string | null): Page {
  const { warning, first } = page;
  const ended =
    warning.status === 'cancelled'
      ? '此预警已解除。 / This warning was lifted.'
      : '此预警已过期。 / This warning has expired.';
  return shell(
    '预警应答 / Answer',
    html`${heading(page)} ${note === null ? '' : html`<p class="note" role="alert">${note}</p>`}
      ${page.late ? html`<p class="note">${ended}</p>` : ''}
      <p>${warning.textZh}</p>
      <p lang="en">${warning.textEn}</p>
      ${first ? html`<p><strong>已于 ${isoWithOffset(first.at)} 记录您的应答:${words(first.kind)}</strong></p>` : ''}
      <form method="post">
        <fieldset>
          <legend>应答 / Your answer</legend>
          <label><input type="radio" name="answer" value="received" required /> 收到 / Received</label>
          <label
            ><input type="radio" name="answer" value="done" /> 已落实 / Done, 人数 people
            <input type="text" name="count" inputmode="numeric" maxlength="7"
          /></label>
          <label><input type="radio" name="answer" value="cannot" /> 无法执行 / Cannot act</label>
        </fieldset>
        <label
          >消息里的四位编号 / The four-digit number in the message<br />
          <input type="text" name="number" inputmode="numeric" maxlength="8" autocomplete="off" required
        /></label>
        <button type="submit">提交 / Send</button>
      </form>
      <p class="small">${warning.issuer} · W${warning.warningId}</p>`,
  );
}

function thanks(page: AnswerPage, answer: AnswerKind, units: string[]): Page {
  const at = page.first ? isoWithOffset(page.first.at) : '';
  return shell(
    '已记录 / Recorded',
    html`${heading(page)}
      <p><strong>已记录:${words(answer)}</strong></p>
      <p>${units.join('、')}</p>
      <p>首次应答时间 / first answer: ${at}</p>
      ${page.late ? html`<p class="note">预警已结束,此应答记为迟到。 / The warning has ended; this answer is recorded as late.</p>` : ''}
      <p class="small">${page.warning.issuer} · W${page.warning.warningId}</p>`,
  );
}

function words(kind: AnswerKind): string {
  const all = {
    received: '收到 / received',
    done: '已落实 / done',
    'cannot act': '无法执行 / cannot act',
  } as const;
  return all[kind];
}

function deadLink(): Page {
  return shell(
    '链接无效 / Link not valid',
    html`<h1 style="background:#333">链接无效或已过期 / This link is not valid</h1>
      <p>请回复短信,或致电上级单位。 / Reply by SMS, or call your superior.</p>`,
  );
}
