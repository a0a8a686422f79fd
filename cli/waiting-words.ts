/** What people with authority are told by e-mail of what waits for them: in both languages, because nobody asked the reader. */
import type { AfterReviewPage, DraftPage } from '../db/operator-pages.ts';
import type { Language } from '../domain/texts.ts';
import type { WaitingWords } from '../worker/waiting.ts';
import { hazardName, levelName, warningId } from './shapes.ts';
import { minuteOf, span } from './times.ts';
import { sayIn } from './words.ts';

/** `where` names the installation, as in what the watchdog shouts; the log speaks `lang`. */
export function waitingWords(lang: Language, where: string): WaitingWords {
  const both = (text: (language: Language) => string) => `${text('zh')}\n\n${text('en')}\n\n${where}\n`;
  const head = (text: (language: Language) => string) => `[Fenghuo] ${text('zh')} / ${text('en')}`;
  return {
    draft: (page) => ({
      subject: head((language) => sayIn(language, 'draft.pageSubject', draftValues(language, page))),
      text: both((language) => sayIn(language, 'draft.page', draftValues(language, page))),
    }),
    afterReview: (page) => ({
      subject: head((language) => sayIn(language, 'afterReview.pageSubject', { name: page.operator })),
      text: both((language) => sayIn(language, 'afterReview.page', reviewValues(language, page))),
    }),
    failed: ({ subject }, reason) => sayIn(lang, 'draft.pageFailed', { id: subject, reason }),
  };
}

function draftValues(language: Language, page: DraftPage) {
  const named = { hazard: hazardName(page.hazard, language), level: levelName(page.level, language) };
  return {
    id: `D${page.draftId}`,
    name: sayIn(language, 'warning.name', named),
    areas: page.areas.join(language === 'zh' ? '、' : ', '),
    author: page.author,
    at: minuteOf(page.writtenAt),
    time: span(Math.max(0, Date.now() - page.writtenAt), language),
  };
}

function reviewValues(language: Language, page: AfterReviewPage) {
  const { releaseId, operator, reason, at } = page;
  const line = sayIn(language, 'afterReview.line', {
    ...{ id: releaseId, act: '', name: operator, reason, at: minuteOf(at) },
    warning: page.warningId === null ? '' : warningId(page.warningId),
  });
  return { id: releaseId, line };
}
