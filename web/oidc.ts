/**
 * A provider of log-in, by OpenID Connect: the device grant for the command line (RFC 8628), the code grant with PKCE, state and nonce for
 * the browser. The library checks issuer, audience, expiry and nonce of what the provider signs, and here, by its keys, the signature too.
 * Nothing of what travels is logged.
 */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientError,
  ClientSecretBasic,
  ClientSecretPost,
  discovery,
  enableNonRepudiationChecks,
  genericGrantRequest,
  initiateDeviceAuthorization,
  None,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
  type ClientAuth,
  type Configuration,
  type IDToken,
} from 'openid-client';
import type { LoginProvider } from '../config.ts';
import { FenghuoError, type Refusal } from '../domain/errors.ts';
import { isLoopback, type Identity } from '../domain/login.ts';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

const ANSWER_SECONDS_MAX = 10;

/** How long what the provider says of itself is believed: its addresses change seldom. */
const METADATA_MS = 3_600_000;

/** RFC 8628, 3.2: without an interval, five seconds. */
const POLL_SECONDS = 5;

export type DeviceLogin = {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  expiresInSeconds: number;
  intervalSeconds: number;
};

/** What a browser keeps until it comes back: whoever has no part in it cannot end the log-in. */
export type BrowserSecrets = { state: string; nonce: string; verifier: string };

/** Each call may throw `provider-unreachable`, `provider-refuses`, `login-denied`, `login-expired` or `login-unproved`. */
export type Provider = {
  /** The host that people know it by. */
  name: string;
  /** What it calls itself, and whether it has the device grant. */
  inspect(): Promise<{ issuer: string; devices: boolean }>;
  startDevice(): Promise<DeviceLogin>;
  /** Asks once; polling is for whoever waits. */
  askDevice(deviceCode: string): Promise<Identity | 'pending' | 'slow down'>;
  startBrowser(redirectUri: string): Promise<{ url: string; secrets: BrowserSecrets }>;
  /** `returned` is the address to which the browser came back, with all of its query. */
  finishBrowser(returned: URL, secrets: BrowserSecrets): Promise<Identity>;
};

export function openProvider({ issuer, clientId, clientSecret }: LoginProvider): Provider {
  let known: { configuration: Configuration; until: number } | null = null;

  async function configuration(): Promise<Configuration> {
    if (known && performance.now() < known.until) return known.configuration;
    const server = new URL(issuer);
    const found = await discovery(server, clientId, undefined, authentication(clientSecret), {
      timeout: ANSWER_SECONDS_MAX,
      execute: [
        enableNonRepudiationChecks,
        // The configuration lets only an issuer on this machine be without TLS.
        ...(server.protocol === 'http:' && isLoopback(server) ? [allowInsecureRequests] : []),
      ],
    }).catch((error: unknown) => {
      throw away(reasonOf(error));
    });
    known = { configuration: found, until: performance.now() + METADATA_MS };
    return found;
  }

  return {
    name: new URL(issuer).host,
    inspect: async () => {
      const metadata = (await configuration()).serverMetadata();
      return { issuer: metadata.issuer, devices: metadata.device_authorization_endpoint !== undefined };
    },
    startDevice: async () => {
      const client = await configuration();
      if (client.serverMetadata().device_authorization_endpoint === undefined)
        throw refuses('no device grant');
      const started = await initiateDeviceAuthorization(client, { scope: 'openid' }).catch(translate);
      return {
        deviceCode: started.device_code,
        userCode: started.user_code,
        verificationUri: started.verification_uri,
        expiresInSeconds: started.expires_in,
        intervalSeconds: started.interval ?? POLL_SECONDS,
      };
    },
    askDevice: async (deviceCode) => {
      const client = await configuration();
      const answer = await genericGrantRequest(client, DEVICE_GRANT, { device_code: deviceCode }).catch(
        notYet,
      );
      return typeof answer === 'string' ? answer : identityOf(answer.claims());
    },
    startBrowser: async (redirectUri) => {
      const client = await configuration();
      const secrets = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() };
      const url = buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope: 'openid',
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, secrets };
    },
    finishBrowser: async (returned, { state, nonce, verifier }) => {
      const checks = {
        ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier },
        idTokenExpected: true,
      };
      const answer = await authorizationCodeGrant(await configuration(), returned, checks).catch(translate);
      return identityOf(answer.claims());
    },
  };
}

/** By the header where the provider takes that, as it must unless it says otherwise; else in the body. */
function authentication(secret: string | undefined): ClientAuth {
  if (secret === undefined) return None();
  const [header, body] = [ClientSecretBasic(secret), ClientSecretPost(secret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    return (methods.includes('client_secret_basic') ? header : body)(server, ...rest);
  };
}

function identityOf(claims: IDToken | undefined): Identity {
  if (!claims) throw unproved('no ID token');
  return { issuer: claims.iss, subject: claims.sub };
}

/** While somebody is still at the provider it answers errors that are none. */
function notYet(error: unknown): 'pending' | 'slow down' {
  const said = error instanceof ResponseBodyError ? error.error : '';
  if (said === 'authorization_pending') return 'pending';
  return said === 'slow_down' ? 'slow down' : translate(error);
}

/** What the library throws, as what it means to whoever logs in. Nothing that the provider wrote is passed on but its error codes. */
function translate(error: unknown): never {
  if (error instanceof ResponseBodyError || error instanceof AuthorizationResponseError) {
    const code = /^[a-z_]{1,40}$/.exec(error.error)?.[0] ?? 'error';
    if (code === 'access_denied') throw denied();
    // A device code that the provider has forgotten, or a code that was used before.
    if (code === 'expired_token' || code === 'invalid_grant') throw expired();
    if (code === 'temporarily_unavailable' || code === 'server_error') throw away(code);
    throw refuses(code);
  }
  if (error instanceof WWWAuthenticateChallengeError) throw refuses('invalid_client');
  // It answered, and what it said does not hold; everything else is that it did not answer as a provider does.
  const proof = error instanceof ClientError && !UNANSWERED.has(error.code ?? '');
  throw proof ? unproved(reasonOf(error)) : away(reasonOf(error));
}

/** Codes of the library for a provider that answered nothing, or something else than it should. */
const UNANSWERED: ReadonlySet<string> = new Set([
  '',
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
]);

/** A code, where there is one: messages may hold what was sent. */
function reasonOf(error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const known = [cause?.code, code].find((one) => typeof one === 'string' && one !== '');
  return typeof known === 'string' ? known : error instanceof Error ? error.name : 'unknown';
}

const away = (reason: string) =>
  refusal('provider-unreachable', 'unreachable', `The provider does not answer as it should (${reason}).`);
const refuses = (reason: string) =>
  refusal('provider-refuses', 'failed', `The provider refuses us (${reason}): how we are registered there.`);
const unproved = (reason: string) =>
  refusal('login-unproved', 'notPermitted', `What the provider said proves nobody (${reason}). Start again.`);
const denied = () => refusal('login-denied', 'notPermitted', 'The log-in was declined at the provider.');
const expired = () =>
  refusal('login-expired', 'deadlinePassed', 'The log-in has run out, or was ended before. Start again.');

function refusal(code: string, kind: Refusal, sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal: kind, sentence });
}
