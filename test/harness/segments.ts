/** Parts of an SMS, as the library counts them. */
import { SegmentedMessage } from 'sms-segments-calculator';

export function segmentsOf(text: string): number {
  return new SegmentedMessage(text).segmentsCount;
}
