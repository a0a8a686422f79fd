/** What is said in a call, zh-CN and en under the same keys, and the TwiML that says it. */
import twilio from 'twilio';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import { EXERCISE_MARK, type Language } from '../domain/texts.ts';
import type { CallText } from '../operations/call-text.ts';

const ZH = {
  menu: '请{units}注意。收到请按1,重听请按2,无法执行请按3,按星号键重复。',
  received: '已记录,{units}已收到。请立即按预案组织防范。',
  cannot: '已记录,{units}无法执行。正在通知其他负责人和上级,请保持电话畅通。',
  tooLate: '此预警早已结束,不再接受应答。',
  cancelled: '{issuer}已解除{hazard}{level}预警。此前消息不再有效。',
  expired: '{issuer}{hazard}{level}预警已经过期。',
  noKey: '没有收到按键,没有记录应答。请回复短信,或致电上级值班室。',
  machine: '这是自动留言,没有记录应答。请回复短信,或致电上级值班室。',
  unknown: '没有这条预警。',
} as const;

export type CallWord = keyof typeof ZH;

const EN: Record<CallWord, string> = {
  menu: 'For {units}. If you have received this, press 1. To hear it again, press 2. If you cannot act, press 3. Press star to repeat.',
  received: 'Recorded: {units} has received the warning. Act on your plan now.',
  cannot:
    'Recorded: {units} cannot act. Others in charge and your superior are being told. Keep your phone at hand.',
  tooLate: 'This warning ended long ago and takes no answers any more.',
  cancelled: '{issuer} has lifted the {level} {hazard} warning. Earlier messages no longer apply.',
  expired: 'The {level} {hazard} warning of {issuer} has expired.',
  noKey: 'No key was pressed, so no answer was recorded. Reply to the text message, or call your superior.',
  machine: 'This is a recording; no answer was recorded. Reply to the text message, or call your superior.',
  unknown: 'There is no such warning.',
};

export const CALL_WORDS: Readonly<Record<Language, Readonly<Record<CallWord, string>>>> = { zh: ZH, en: EN };

/** Names that are said; nobody listens to more. */
const UNITS_SAID_MAX = 3;

/** How long after the last word a key is waited for. */
const KEY_WAIT_SECONDS = 8;

const VOICES = { zh: 'zh-CN', en: 'en-US' } as const;

/** A sentence of a call. */
export function sayInCall(call: CallText, word: CallWord): string {
  const { language } = call;
  const values: Readonly<Record<string, string>> = {
    issuer: call.issuer,
    hazard: findHazard(call.hazard)?.[language] ?? call.hazard,
    level: findLevel(call.level)?.[language] ?? call.level,
    units: call.units.slice(0, UNITS_SAID_MAX).join(language === 'zh' ? '、' : ', '),
  };
  return CALL_WORDS[language][word].replace(/\{(\w+)\}/g, (place, name: string) => values[name] ?? place);
}

/** The warning and the question, to be answered by one key, which goes to `action`. */
export function askingTwiml(call: CallText, action: string): string {
  const response = new twilio.twiml.VoiceResponse();
  const gather = response.gather({
    input: ['dtmf'],
    numDigits: 1,
    timeout: KEY_WAIT_SECONDS,
    // The star is a key like the others, and no key at all comes back to us too.
    finishOnKey: '',
    actionOnEmptyResult: true,
    action,
    method: 'POST',
  });
  gather.say({ language: VOICES[call.language] }, `${mark(call)}${call.text}`);
  gather.pause({ length: 1 });
  gather.say({ language: VOICES[call.language] }, `${sayInCall(call, 'menu')}${mark(call)}`);
  return response.toString();
}

/** Says one thing and hangs up; the warning itself before it where `withText` is set. */
export function closingTwiml(call: CallText, word: CallWord, withText = false): string {
  const response = new twilio.twiml.VoiceResponse();
  const text = withText ? `${call.text} ` : '';
  response.say(
    { language: VOICES[call.language] },
    `${mark(call)}${text}${sayInCall(call, word)}${mark(call)}`,
  );
  response.hangup();
  return response.toString();
}

/** Says one text, twice, and hangs up: for a test, which wants no key. */
export function sayingTwiml({ language, text }: { language: Language; text: string }): string {
  const response = new twilio.twiml.VoiceResponse();
  response.say({ language: VOICES[language] }, text);
  response.pause({ length: 1 });
  response.say({ language: VOICES[language] }, text);
  response.hangup();
  return response.toString();
}

/** For calls about nothing: somebody else's sandbox, or a database that was restored. */
export function nothingTwiml(): string {
  const response = new twilio.twiml.VoiceResponse();
  for (const language of ['zh', 'en'] as const)
    response.say({ language: VOICES[language] }, CALL_WORDS[language].unknown);
  response.hangup();
  return response.toString();
}

/** First and last, like every message of an Exercise. */
function mark({ kind, language }: CallText): string {
  return kind === 'exercise' ? EXERCISE_MARK[language] : '';
}
