/** The desk's sentences, zh-CN and en under the same keys; `{name}` stands for a value. */
import type { Context } from 'hono';
import type { Language } from '../domain/texts.ts';

const ZH = {
  title: '值班台',
  token: '操作员令牌',
  login: '登录',
  logout: '退出',
  notKnown: '令牌无效、已过期或已收回。',
  who: '{name}',
  none: '现在没有需要打电话的单位。',
  noRight: '您没有查看电话号码的权限,因此不能领取。请管理员授权(值班员)。',
  next: '领取下一条',
  nothingFree: '没有您可以领取的条目:都已被他人领取,或不在您的范围内。',
  list: '待电话联系(最紧急的在前)',
  more: '还有更多未列出。',
  silentSince: '未应已{minutes}分钟',
  takenBy: '{officer}正在联系',
  yours: '请现在拨打',
  until: '为您保留至{time}',
  noPhone: '没有号码',
  count: '转移人数(可不填)',
  received: '收到',
  done: '已落实',
  'cannot act': '无法执行',
  'no answer': '无人接听',
  'wrong number': '号码错误',
  'given back': '放回',
  gone: '这条已不归您:超过五分钟,或已登记。',
  stale: '页面已过期,请重试。',
  failed: '现在无法办理,请重试。',
  back: '返回值班台',
  loginBy: '用 {provider} 登录',
  loggedIn: '已登录:{name}。',
  notLinked:
    '{provider} 认得您({subject}),但尚未关联操作员。请管理员运行:fenghuo operator link 姓名 --subject {subject}',
  declined: '登录在 {provider} 被拒绝。',
  ended: '这次登录已失效或无法证实,请重新开始。',
  providerAway: '{provider} 现在无法用于登录。请稍后再试,或用令牌登录。',
  tooMany: '登录次数过多,请一分钟后再试。',
} as const;

export type DeskWord = keyof typeof ZH;

const EN: Record<DeskWord, string> = {
  title: 'Duty desk',
  token: 'Operator token',
  login: 'Log in',
  logout: 'Log out',
  notKnown: 'This token is not known, has expired, or was taken back.',
  who: '{name}',
  none: 'No unit is to be telephoned now.',
  noRight:
    'You may not read telephone numbers, so you cannot take a line. Ask an administrator (duty officer).',
  next: 'Take the next line',
  nothingFree: 'There is no line for you: others have taken them, or they lie outside your area.',
  list: 'To be telephoned, most urgent first',
  more: 'There are more, not listed.',
  silentSince: 'silent for {minutes} min',
  takenBy: '{officer} is calling',
  yours: 'Call now',
  until: 'yours until {time}',
  noPhone: 'no number',
  count: 'People moved (may be left out)',
  received: 'Received',
  done: 'Done',
  'cannot act': 'Cannot act',
  'no answer': 'No answer',
  'wrong number': 'Wrong number',
  'given back': 'Give back',
  gone: 'This line is not yours any more: five minutes have passed, or it was recorded.',
  stale: 'The page has expired. Try again.',
  failed: 'Not possible right now. Try again.',
  back: 'Back to the desk',
  loginBy: 'Log in with {provider}',
  loggedIn: 'Logged in as {name}.',
  notLinked:
    '{provider} knows you as {subject}, and no operator is linked to that. Ask an administrator for: fenghuo operator link NAME --subject {subject}',
  declined: 'The log-in was declined at {provider}.',
  ended: 'This log-in has ended, or proves nobody. Start again.',
  providerAway: 'Nobody can log in by {provider} right now. Try again later, or log in by a token.',
  tooMany: 'Too many log-ins. Try again in a minute.',
};

export const DESK_WORDS: Readonly<Record<Language, Readonly<Record<DeskWord, string>>>> = { zh: ZH, en: EN };

/** What the browser asks for: Chinese, unless it is English. */
export function languageOf(context: Context): Language {
  return /^en\b/i.test(context.req.header('accept-language') ?? '') ? 'en' : 'zh';
}

export type DeskSay = (word: DeskWord, values?: Readonly<Record<string, string | number>>) => string;

export function deskSpeaker(language: Language): DeskSay {
  return (word, values = {}) =>
    DESK_WORDS[language][word].replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}
