/** The answer page's sentences, zh-CN and en under the same keys; `{name}` stands for a value. */
import type { Language } from '../domain/texts.ts';

const ZH = {
  title: '预警应答',
  heading: '{hazard}{level}预警（{numeral}级）',
  exercise: '这是演练，不是真实预警',
  to: '应答单位：{units}',
  more: '等{count}个单位',
  question: '您的应答',
  questionAgain: '更改或补充应答',
  received: '收到',
  receivedMeans: '已知道，正在按预案组织',
  done: '已落实',
  doneMeans: '该转移的群众已转移',
  cannot: '无法执行',
  cannotMeans: '需要上级支援',
  count: '转移人数（可不填）',
  number: '消息里的四位编号',
  numberHelp: '编号在带有此链接的消息里，四个数字。',
  send: '提交应答',
  otherLanguage: 'English',
  note: '请注意：{text}',
  chooseOne: '还没有记录。请先选择一项应答。',
  countWrong: '还没有记录。转移人数请只填数字，例如 35。',
  countNeedsDone: '还没有记录。填了转移人数，请选“已落实”；否则请清空人数。',
  noNumber: '还没有记录。请填写消息里的四位编号，四个数字。',
  wrongNumber: '还没有记录。编号不对，请照消息里的四位编号再填一次。还可以试 {count} 次。',
  cancelled: '此预警已于{time}解除。此时应答记为迟到。',
  expired: '此预警已于{time}过期。此时应答记为迟到。',
  closedTitle: '此链接已停用',
  closed: '编号填错的次数太多，为防冒充，此链接不再接受应答。',
  closedNothing: '通过此链接没有新的应答被记录。',
  closedNow: '现在请这样做：回复收到的预警短信，或打开下一条预警消息里的新链接，或致电上级值班室。',
  recordedTitle: '已记录',
  recordedFor: '{units}：{answer}',
  at: '记录时间：{time}',
  firstAt: '首次应答：{time}，{answer}',
  lastAt: '最近应答：{time}，{answer}',
  people: '{answer}，转移 {count} 人',
  late: '预警已结束，此应答记为迟到。',
  afterLate: '不必再做什么。如仍有险情，请致电上级值班室。',
  afterReceived: '请立即按预案组织防范。群众转移完毕后，请再次应答“已落实”并填写人数。',
  afterDone: '如情况有变，请再次应答，或致电上级。',
  afterCannot: '系统正在通知其他负责人和上级。请保持电话畅通；情况紧急时请直接致电上级。',
  again: '再次应答或更改',
  footer: '{issuer} · 预警编号 W{warningId}',
} as const;

export type AnswerWord = keyof typeof ZH;

const EN: Record<AnswerWord, string> = {
  title: 'Answer a warning',
  heading: '{level} {hazard} warning',
  exercise: 'This is an exercise, not a real warning',
  to: 'Answer for: {units}',
  more: ' and others, {count} units in all',
  question: 'Your answer',
  questionAgain: 'Change or add to your answer',
  received: 'Received',
  receivedMeans: 'I know, and am acting on the plan',
  done: 'Done',
  doneMeans: 'those in danger have been moved',
  cannot: 'Cannot act',
  cannotMeans: 'I need help from above',
  count: 'People moved (may be left empty)',
  number: 'The four-digit number in the message',
  numberHelp: 'It stands in the message that brought this link.',
  send: 'Send answer',
  otherLanguage: '中文',
  note: 'Please note: {text}',
  chooseOne: 'Nothing is recorded yet. Choose one answer.',
  countWrong: 'Nothing is recorded yet. Give the people moved in digits only, such as 35.',
  countNeedsDone: 'Nothing is recorded yet. You gave a number of people: choose “Done”, or empty it.',
  noNumber: 'Nothing is recorded yet. Enter the four-digit number in the message.',
  wrongNumber:
    'Nothing is recorded yet. The number is wrong: enter the four digits as they stand in the message. Tries left: {count}.',
  cancelled: 'This warning was lifted at {time}. An answer now is recorded as late.',
  expired: 'This warning expired at {time}. An answer now is recorded as late.',
  closedTitle: 'This link is closed',
  closed:
    'Too many wrong numbers were entered. So that nobody answers in your name, it takes no more answers.',
  closedNothing: 'No new answer was recorded through this link.',
  closedNow:
    'What to do now: reply to the warning by SMS, or open the link in the next warning message, or call your superior’s duty desk.',
  recordedTitle: 'Recorded',
  recordedFor: '{units}: {answer}',
  at: 'Recorded at: {time}',
  firstAt: 'First answer: {time}, {answer}',
  lastAt: 'Latest answer: {time}, {answer}',
  people: '{answer}, {count} people moved',
  late: 'The warning has ended; this answer is recorded as late.',
  afterLate: 'There is nothing more to do. If there is still danger, call your superior’s duty desk.',
  afterReceived:
    'Act on your plan now. When people have been moved, answer again with “Done” and their number.',
  afterDone: 'If things change, answer again, or call your superior.',
  afterCannot:
    'Others in charge and your superior are being told. Keep your telephone free; if it is urgent, call your superior.',
  again: 'Answer again or change',
  footer: '{issuer} · warning W{warningId}',
};

export const ANSWER_WORDS: Readonly<Record<Language, Readonly<Record<AnswerWord, string>>>> = {
  zh: ZH,
  en: EN,
};

/** A sentence with its values. */
export function sayOnPage(
  language: Language,
  word: AnswerWord,
  values: Readonly<Record<string, string | number>> = {},
): string {
  return ANSWER_WORDS[language][word].replace(/\{(\w+)\}/g, (place, name: string) =>
    String(values[name] ?? place),
  );
}
