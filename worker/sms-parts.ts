import { SegmentedMessage } from 'sms-segments-calculator';

/** What a text comes to: providers count parts, and the gateway's signature is part of the text. */
export function smsParts(issuer: string): (text: string) => number {
  return (text) => new SegmentedMessage(`【${issuer}】${text}`).segmentsCount;
}
