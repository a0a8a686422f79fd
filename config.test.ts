import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  loginProviderOf,
  readConfig,
  SECRETS,
  temporalOf,
  twilioOf,
  withSecrets,
  type Config,
} from './config.ts';
import { FenghuoError } from './domain/errors.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** What a refused environment is told. */
function refusal(
  environment: Record<string, string>,
  read: (config: Config) => unknown = () => null,
): string {
  try {
    read(readConfig(environment));
  } catch (error) {
    if (error instanceof FenghuoError) return [error.message, ...error.details].join('\n');
  }
  throw new Error('was not refused');
}

const WHOLE = {
  DATABASE_URL: 'postgres://fenghuo:word@db.example/fenghuo',
  FENGHUO_SECRET: 'x'.repeat(32),
};

describe('secrets by file', () => {
  it.each(SECRETS)('%s may lie in a file', (name) => {
    expect(withSecrets({ [`${name}_FILE`]: file(name, 'from a file\n') })).toEqual({ [name]: 'from a file' });
  });

  it('puts the password of a file into the address of the database, whatever characters it has', () => {
    const { DATABASE_URL } = readConfig({
      ...WHOLE,
      DATABASE_URL: 'postgres://fenghuo@db.example/fenghuo',
      FENGHUO_DATABASE_PASSWORD_FILE: file('password', 'a b@c/d%:e\n'),
    });
    expect(decodeURIComponent(new URL(DATABASE_URL).password)).toBe('a b@c/d%:e');
    expect(new URL(DATABASE_URL).host).toBe('db.example');
  });

  it('refuses a secret that is given twice, and a file that is not there, without showing anything', () => {
    const twice = refusal({ ...WHOLE, FENGHUO_SECRET_FILE: file('secret', 'y'.repeat(32)) });
    expect(twice).toContain('FENGHUO_SECRET and FENGHUO_SECRET_FILE');
    expect(twice).not.toMatch(/xxx|yyy/);
    expect(refusal({ ...WHOLE, TEMPORAL_API_KEY_FILE: join(folder, 'nowhere') })).toContain('ENOENT');
  });
});

describe('log-in by a provider', () => {
  const LOGIN = {
    FENGHUO_OIDC_ISSUER: 'https://login.example/realm',
    FENGHUO_OIDC_CLIENT_ID: 'fenghuo',
    FENGHUO_LOGIN_SERVICE_TOKEN: 'fenghuo_of-the-tests',
  };
  const of = (change: Record<string, string>) => loginProviderOf(readConfig({ ...WHOLE, ...change }));

  it('is there with all of it, the client secret or none, and not there with nothing', () => {
    expect(of({})).toBeNull();
    expect(of(LOGIN)).toMatchObject({ issuer: 'https://login.example/realm', clientSecret: undefined });
    expect(of({ ...LOGIN, FENGHUO_OIDC_CLIENT_SECRET: 'word' })).toMatchObject({ clientSecret: 'word' });
  });

  it.each(Object.keys(LOGIN))('is refused without %s, which is named', (name) => {
    expect(refusal({ ...WHOLE, ...LOGIN, [name]: '' }, loginProviderOf)).toContain(`${name}: is missing`);
  });

  it('is refused with a client secret alone', () => {
    const alone = { ...WHOLE, FENGHUO_OIDC_CLIENT_SECRET: 'word' };
    expect(refusal(alone, loginProviderOf)).toContain('FENGHUO_OIDC_ISSUER');
  });

  it('stops nobody who logs nobody in: a worker of actual warnings starts with half of it', () => {
    expect(readConfig({ ...WHOLE, FENGHUO_OIDC_CLIENT_SECRET: 'word' })).toMatchObject({
      FENGHUO_OIDC_CLIENT_SECRET: 'word',
    });
  });

  it.each([
    'http://login.example',
    'ftp://127.0.0.1',
    'login.example',
    'https://login.example/?a=1',
    'http://127.0.0.1.example',
  ])('takes no issuer like %s', (issuer) => {
    expect(refusal({ ...WHOLE, ...LOGIN, FENGHUO_OIDC_ISSUER: issuer })).toContain('FENGHUO_OIDC_ISSUER');
  });

  it.each(['http://127.0.0.1:9000', 'http://localhost:9000', 'http://[::1]:9000/realm'])(
    'takes %s: on this machine nobody listens in',
    (issuer) => {
      expect(of({ ...LOGIN, FENGHUO_OIDC_ISSUER: issuer })).toMatchObject({ issuer });
    },
  );
});

describe('Twilio', () => {
  const ACCOUNT = {
    FENGHUO_TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    FENGHUO_TWILIO_AUTH_TOKEN: 'a token of the tests',
    FENGHUO_TWILIO_FROM: '+15005550006',
  };
  const API = { FENGHUO_TWILIO_API_URL: 'http://127.0.0.1:1' };
  const of = (change: Record<string, string>) => twilioOf(readConfig({ ...WHOLE, ...change }));

  it('is there with account, token and number, and in the sandbox only with a stand-in', () => {
    expect(of({ ...ACCOUNT, ...API })).toMatchObject({ from: '+15005550006', apiUrl: 'http://127.0.0.1:1' });
    expect(of(ACCOUNT)).toBeNull();
    expect(of({ ...ACCOUNT, FENGHUO_CHANNELS: 'live' })).toMatchObject({ apiUrl: undefined });
    for (const name of Object.keys(ACCOUNT)) expect(of({ ...ACCOUNT, ...API, [name]: '' }), name).toBeNull();
  });

  it.each([
    ['FENGHUO_TWILIO_ACCOUNT_SID', 'SK1'],
    ['FENGHUO_TWILIO_AUTH_TOKEN', 'short'],
    ['FENGHUO_TWILIO_FROM', '2125550100'],
    ['FENGHUO_TWILIO_API_URL', 'nowhere'],
  ])('names a faulty %s without showing it', (name, value) => {
    const told = refusal({ ...WHOLE, ...ACCOUNT, ...API, [name]: value });
    expect(told).toContain(name);
    expect(told).not.toContain(value);
  });
});

describe('Temporal', () => {
  const profile = () =>
    file(
      'temporal.toml',
      `[profile.city]
address = "temporal.example:7233"
namespace = "warnings"
api_key = "a-key"
[profile.city.tls]
server_name = "temporal.internal.example"
`,
    );

  it('is taken from the profile of temporal.toml, with TLS and key', () => {
    const config = readConfig({
      ...WHOLE,
      TEMPORAL_CONFIG_FILE: profile(),
      TEMPORAL_PROFILE: 'city',
    });
    expect(config).toMatchObject({
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'warnings',
    });
    expect(temporalOf(config)).toMatchObject({
      address: 'temporal.example:7233',
      apiKey: 'a-key',
      tls: { serverNameOverride: 'temporal.internal.example' },
    });
  });

  it('is taken from the variables first, and is the usual local one without either', () => {
    const config = readConfig({
      ...WHOLE,
      TEMPORAL_CONFIG_FILE: profile(),
      TEMPORAL_PROFILE: 'city',
      TEMPORAL_ADDRESS: 'other.example:7233',
    });
    expect(temporalOf(config).address).toBe('other.example:7233');
    expect(temporalOf(readConfig(WHOLE))).toEqual({ address: '127.0.0.1:7233' });
  });

  it('names a file that cannot be read', () => {
    expect(refusal({ ...WHOLE, TEMPORAL_CONFIG_FILE: file('broken.toml', '[[[') })).toContain(
      'temporal.toml',
    );
  });
});

it.each([
  ['0.0.0.0:9464', true],
  ['[::1]:9464', true],
  ['9464', false],
  ['metrics.example:9464', false],
])('takes %s as an address for metrics: %s', (FENGHUO_METRICS_ADDRESS, taken) => {
  const read = () => readConfig({ ...WHOLE, FENGHUO_METRICS_ADDRESS });
  if (taken) expect(read()).toMatchObject({ FENGHUO_METRICS_ADDRESS });
  else expect(read).toThrow('not complete');
});
