/** The message of one delivery, as it leaves. */
import { answerNumber, answerToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import type { ChannelPort, OutgoingMessage } from '../domain/ports.ts';
import type { Channel } from '../domain/rules.ts';
import type { ClaimedDelivery, ClaimedSlice, Companion } from '../domain/store.ts';
import { inParts, render } from '../domain/texts.ts';

export type Composing = {
  channel: Pick<ChannelPort, 'links'>;
  keys: AnswerKeys;
  /** Where answer pages are reached from outside. */
  publicUrl: string;
  /** The same for people who agreed to a drill, whom others answer to. @default publicUrl */
  agreedUrl?: string;
};

/** What another warning says to the same person, with the number, or the link, that answers it alone. */
function alongside(
  composing: Composing,
  { page, warning }: ClaimedSlice,
  delivery: ClaimedDelivery,
  companion: Companion,
): string {
  const { keys } = composing;
  const number = answerNumber(keys, companion.warningId, recipientName(page.audience, delivery.recipientId));
  const links = linksOf(composing, page.channel, delivery, companion.deliveryId);
  return render(
    { ...companion, kind: warning.kind },
    { ...delivery, bridge: null, toldBefore: null, carried: false, purpose: 'rung', number, ...links },
  ).text;
}

/** The answer page's link, where the channel may hold one. Who gets an SMS answers by writing back, and may use the page as well. */
function linksOf(
  { channel: port, keys, publicUrl, agreedUrl = publicUrl }: Composing,
  channel: Channel,
  { address, synthetic }: Pick<ClaimedDelivery, 'address' | 'synthetic'>,
  deliveryId: number,
): { link: string | null; orLink: string | null } {
  const may = address !== null && (port.links?.(address, synthetic) ?? channel === 'email');
  const link = may ? `${synthetic ? publicUrl : agreedUrl}/a/${answerToken(keys, deliveryId)}` : null;
  return channel === 'sms' ? { link: null, orLink: link } : { link, orLink: null };
}

/** What leaves: text and subject in the recipient's language, the number or the link that answers it, and what else goes along. */
export function composeMessage(
  composing: Composing,
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
): OutgoingMessage {
  const { page, warning } = slice;
  const number = answerNumber(
    composing.keys,
    page.warningId,
    recipientName(page.audience, delivery.recipientId),
  );
  const links = linksOf(composing, page.channel, delivery, delivery.deliveryId);
  const { subject, text: own } = render(
    { ...warning, warningId: page.warningId, superseded: warning.status === 'superseded' },
    { ...delivery, purpose: page.purpose, number, ...links },
  );
  const whole = [
    own,
    ...delivery.companions.map((companion) => alongside(composing, slice, delivery, companion)),
  ].join('\n\n');
  const text = page.channel === 'sms' ? inParts(warning, delivery.language, whole) : whole;
  return {
    deliveryId: String(delivery.deliveryId),
    attempt: delivery.attempt,
    warningId: String(page.warningId),
    level: warning.level,
    kind: warning.kind,
    synthetic: delivery.synthetic,
    expiresAt: warning.expiresAt,
    ...(delivery.earlierAt !== null && { earlierAt: delivery.earlierAt }),
    ...(delivery.otherIds && { otherIds: delivery.otherIds }),
    address: delivery.address ?? '',
    language: delivery.language,
    subject,
    text,
    parameters: { text, number },
    exercise:
      warning.kind === 'exercise' ? { step: `${page.purpose} ${page.step}`, speed: warning.speed } : null,
  };
}
