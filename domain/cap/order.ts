/** Messages do not come in the order in which they were sent: feeds begin with the newest, and what fails comes later. Pure. */
import type { CapAlert } from './alert.ts';
import { NAME_BYTES_MOST } from './values.ts';

/** An Update or Cancel of the same sender and status that came before; `names`: `namesOf` it. */
export type Later = { msgType: string; sent: string; names: readonly string[] };

/** The identifiers of its own sender's messages that it refers to. What is too long to be an identifier names nothing. */
export function namesOf(alert: CapAlert): string[] {
  const own = alert.references.filter(({ sender }) => sender === alert.sender);
  return own.map(({ identifier }) => identifier).filter((name) => Buffer.byteLength(name) <= NAME_BYTES_MOST);
}

/**
 * What a message that came before this one says of it: it names it, or it cancels what this one updates; null where it says nothing. What
 * was sent earlier says nothing: senders use identifiers again. An Update of the same message does not either: some split a warning
 * into several. A plain Alert stands for itself, whatever it refers to.
 */
export function saidBefore(later: Later, alert: CapAlert): 'names it' | 'cancels what it updates' | null {
  if (!(Date.parse(later.sent) >= Date.parse(alert.sent))) return null;
  if (later.names.includes(alert.identifier)) return 'names it';
  const cancels = later.msgType === 'Cancel' && alert.msgType === 'Update';
  return cancels && namesOf(alert).some((name) => later.names.includes(name))
    ? 'cancels what it updates'
    : null;
}
