/** Messages do not come in the order in which they were sent: feeds begin with the newest, and what fails comes later. Pure. */
import type { CapAlert } from './alert.ts';

/**
 * Whether a message that came before this one already says what became of it: an Update or Cancel that names it, or a Cancel of what it
 * updates. What was sent earlier overtakes nothing: senders use identifiers again. An Update of the same message does not either: some
 * split a warning into several.
 */
export function overtakes(later: CapAlert, alert: CapAlert): boolean {
  if (later.sender !== alert.sender || later.status !== alert.status) return false;
  if (Date.parse(later.sent) < Date.parse(alert.sent)) return false;
  const names = (identifier: string) =>
    later.references.some((one) => one.sender === alert.sender && one.identifier === identifier);
  if (later.msgType !== 'Update' && later.msgType !== 'Cancel') return false;
  if (names(alert.identifier)) return true;
  return later.msgType === 'Cancel' && alert.references.some(({ identifier }) => names(identifier));
}
