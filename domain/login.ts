/** Log-in by a provider (OpenID Connect): who somebody is there, and for how long its word is taken. */
import { MINUTE_MS } from './time.ts';

/** Whom a provider knows: its own name, and its name for them, which never changes. OpenID Connect Core 1.0, 2: iss and sub. */
export type Identity = { issuer: string; subject: string };

/** A log-in lasts a shift; `require_login` of migration 0014 lets none last longer. Product choice, no source. */
export const LOGIN_MS = 12 * 60 * MINUTE_MS;

/** True for what leads to this machine: only there plain HTTP gives nothing away. */
export function isLoopback(url: URL): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
}

/** True for https, or http on this machine, where a token may travel. */
export function isPrivate(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}

/** An issuer is a private address without query and fragment. OpenID Connect Discovery 1.0, 3; http is for tests on this machine. */
export function isIssuer(address: string): boolean {
  return isPrivate(address) && !/[?#]/.test(address);
}

/**
 * A subject as somebody may type it into a shell: a provider's `auth0|7` would be two commands there. What no terminal should be sent
 * becomes `?`.
 */
export function subjectWord(subject: string): string {
  const shown = subject.replace(/[^\x20-\x7e]/g, '?');
  return /^[\w.@:-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}
