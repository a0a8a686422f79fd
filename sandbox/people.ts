/**
 * How people behave: who answers a message, how, and after how long. Pure and by seed, so that a drill played twice has the
 * same people, whatever order their messages come in. The shares are a model, not a measurement; a drill may bring its own.
 */
import { MINUTE_MS } from '../domain/time.ts';
import type { Channel } from '../domain/rules.ts';
import { draws } from './draws.ts';

/** Shares are between 0 and 1. */
export type PeopleModel = {
  /** Officials who answer nothing at all: away, ill, number out of date. Drawn by address. */
  neverAnswersShare: number;
  /** Officials who, when they answer, say that they cannot act. Drawn by address. */
  cannotActShare: number;
  /** Messages of a channel that are noticed. Drawn by address, step and channel: a second message has its own chance. */
  wokenShare: Partial<Record<Channel, number>>;
  /** Households that answer a message at all; most only read it. */
  householdAnswersShare: number;
  /** Half of the answers come within this time after the message; real minutes, divided by the Exercise's speed. */
  medianDelayMinutes: number;
  /** Spread of the delay's logarithm: at 0.8 one answer in ten takes longer than 2.8 medians. */
  delaySigma: number;
  /** The long tail is cut here. */
  delayMinutesMost: number;
};

export const USUAL_PEOPLE: PeopleModel = {
  neverAnswersShare: 0.05,
  cannotActShare: 0.01,
  wokenShare: { sms: 0.75, voice: 0.85, email: 0.6, loudspeaker: 0, chat: 0.5, push: 0.3 },
  householdAnswersShare: 0.2,
  medianDelayMinutes: 1.5,
  delaySigma: 0.8,
  delayMinutesMost: 60,
};

/** A message as the model sees it: who, by what, and on which rung of the Exercise. */
export type Stimulus = { address: string; channel: Channel; step: string; speed: number };

export type Decision = {
  /** Someone who never answers answers nothing, whatever wakes them. */
  neverAnswers: boolean;
  /** This message by this channel was noticed. */
  channelWakes: boolean;
  /** What follows from both. */
  answers: boolean;
  kind: 'received' | 'cannot act';
  /** From the message's arrival, at the Exercise's speed. */
  delayMs: number;
};

/** Steps of household pages begin with this word. */
const HOUSEHOLD_STEP = 'household';

/** What the person at an address does about a message: the same seed, address, step and channel decide alike. */
export function decide(
  seed: string,
  { address, channel, step, speed }: Stimulus,
  model: PeopleModel,
): Decision {
  const [never = 0, cannot = 0] = draws(seed, 'person', address);
  const [woken = 0, radius = 0, angle = 0] = draws(seed, 'message', address, step, channel);
  const household = step.startsWith(HOUSEHOLD_STEP);
  const neverAnswers = !household && never < model.neverAnswersShare;
  const channelWakes = woken < (household ? model.householdAnswersShare : (model.wokenShare[channel] ?? 0));
  return {
    neverAnswers,
    channelWakes,
    answers: channelWakes && !neverAnswers,
    kind: !household && cannot < model.cannotActShare ? 'cannot act' : 'received',
    delayMs: (delayMinutes(model, radius, angle) * MINUTE_MS) / Math.max(speed, Number.MIN_VALUE),
  };
}

/** Log-normal: the normal draw is Box and Muller's. */
function delayMinutes(model: PeopleModel, radius: number, angle: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - radius)) * Math.cos(2 * Math.PI * angle);
  return Math.min(model.medianDelayMinutes * Math.exp(model.delaySigma * normal), model.delayMinutesMost);
}

/** What a person needs to answer, as it stands in a message; null where the message asks for no answer. */
export type AnswerMeans = { via: 'email'; link: string; number: string } | { via: 'sms'; number: string };

const LINK = /https?:\/\/\S+\/a\/[0-9A-Za-z]+\.[0-9A-Za-z_-]+/;
const MAIL_NUMBER = /(?:编号|number)[:: ]*(\d{4})(?!\d)/i;
const SMS_NUMBER = /(?:回复|reply)\s*1\s*(\d{4})(?!\d)/i;

/** Finds link and number as a reader would. */
export function answerMeans(channel: Channel, text: string): AnswerMeans | null {
  if (channel === 'sms') {
    const number = SMS_NUMBER.exec(text)?.[1];
    return number === undefined ? null : { via: 'sms', number };
  }
  const link = LINK.exec(text)?.[0];
  const number = MAIL_NUMBER.exec(text)?.[1];
  return link === undefined || number === undefined ? null : { via: 'email', link, number };
}
