/**
 * The environment, parsed once. Secrets are read here and never reach an error or a log: a faulty value is named, not shown.
 * Each of {@link SECRETS} may lie in a file instead, named by the same variable with `_FILE` at its end.
 */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FenghuoError } from './domain/errors.ts';
import type { SenderSide, WarningKind } from './domain/kinds.ts';
import { isIssuer } from './domain/login.ts';
import { WATCH_WINDOW_S } from './domain/watchdog.ts';
import {
  temporalConnection,
  temporalProfile,
  type TemporalConnection,
  type TemporalProfile,
} from './temporal-connection.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What may be given by file, as container engines and systemd hand secrets over. */
export const SECRETS = [
  'DATABASE_URL',
  'FENGHUO_DATABASE_PASSWORD',
  'FENGHUO_SECRET',
  'FENGHUO_MARKS_KEY',
  'FENGHUO_GATEWAY_SECRET',
  'FENGHUO_VOICE_GATEWAY_SECRET',
  'FENGHUO_LOUDSPEAKER_SECRET',
  'FENGHUO_CHAT_ROBOT_URL',
  'FENGHUO_CHAT_ROBOT_SECRET',
  'FENGHUO_NTFY_TOKEN',
  'FENGHUO_SMTP_URL',
  'FENGHUO_TWILIO_AUTH_TOKEN',
  'FENGHUO_CAP_KEY',
  'FENGHUO_OIDC_CLIENT_SECRET',
  'FENGHUO_LOGIN_SERVICE_TOKEN',
  'TEMPORAL_API_KEY',
] as const;

/** Where messages go. An address serves one kind of warning. */
export const SENDER_ADDRESSES = [
  'FENGHUO_SMTP_URL',
  'FENGHUO_GATEWAY_URL',
  'FENGHUO_VOICE_GATEWAY_URL',
  'FENGHUO_LOUDSPEAKER_URL',
  'FENGHUO_CHAT_ROBOT_URL',
  'FENGHUO_NTFY_URL',
  'FENGHUO_TWILIO_API_URL',
] as const;

/** By what senders are let in; each serves one kind of warning. */
export const SENDER_CREDENTIALS = [
  'FENGHUO_GATEWAY_SECRET',
  'FENGHUO_VOICE_GATEWAY_SECRET',
  'FENGHUO_LOUDSPEAKER_SECRET',
  'FENGHUO_CHAT_ROBOT_SECRET',
  'FENGHUO_NTFY_TOKEN',
  'FENGHUO_TWILIO_ACCOUNT_SID',
  'FENGHUO_TWILIO_AUTH_TOKEN',
] as const;

/** What else processes of one kind do not share with those of the other. */
const OTHERS_OF_KIND = [
  'FENGHUO_CHANNELS',
  'FENGHUO_PUBLIC_URL',
  'FENGHUO_WEB_HOST',
  'FENGHUO_WEB_PORT',
  'FENGHUO_WEB_PROXIES',
  'FENGHUO_METRICS_ADDRESS',
  'FENGHUO_SMTP_FROM',
  'FENGHUO_GATEWAY_TEMPLATES',
  'FENGHUO_GATEWAY_RECALL_PATH',
  'FENGHUO_VOICE_GATEWAY_RECALL_PATH',
  'FENGHUO_VOICE_GATEWAY_LIST_PATH',
  'FENGHUO_CHAT_ROBOT_SHAPE',
  'FENGHUO_TWILIO_FROM',
] as const;

/** How much a sender takes; see `perSecond`. */
export const SENDER_RATES = [
  'FENGHUO_SMTP_PER_SECOND',
  'FENGHUO_GATEWAY_PER_SECOND',
  'FENGHUO_TWILIO_PER_SECOND',
  'FENGHUO_VOICE_GATEWAY_PER_SECOND',
  'FENGHUO_LOUDSPEAKER_PER_SECOND',
  'FENGHUO_CHAT_ROBOT_PER_SECOND',
  'FENGHUO_NTFY_PER_SECOND',
] as const;

/** Every variable that is said for one kind alone, a secret also by its file. */
export const VARIABLES_OF_KIND: readonly string[] = [
  ...SENDER_ADDRESSES,
  ...SENDER_CREDENTIALS,
  ...OTHERS_OF_KIND,
  ...SENDER_RATES,
].flatMap((name) => ((SECRETS as readonly string[]).includes(name) ? [name, `${name}_FILE`] : [name]));

const LOCAL_TEMPORAL = '127.0.0.1:7233';

const port = z.coerce.number().int().min(0).max(65_535);

/** Messages a second that a provider takes, of SMS parts; without it there is no limit. */
const perSecond = z.coerce.number().min(0.01).max(100_000).optional();

const gatewayPath = z
  .string()
  .regex(/^(\/[\w.~-]+)+$/, 'must be a path like /sms/recall')
  .optional();

/** JSON in a variable: names of templates by what they say. */
const templates = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: 'must be JSON like {"actual-zh":"SMS_123"}' });
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string().regex(/^((call-)?(exercise|actual)-(zh|en)|back)$/), z.string().min(1)));

const schema = z.object({
  DATABASE_URL: z.string().min(1),
  FENGHUO_SCHEMA: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,50}$/)
    .default('fenghuo'),
  /** The password of DATABASE_URL, where that holds none. */
  FENGHUO_DATABASE_PASSWORD: z.string().min(1).optional(),
  TEMPORAL_ADDRESS: z.string().default(LOCAL_TEMPORAL),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  /** The namespace of actual warnings; without it, the other one's name with `-actual` at its end. */
  FENGHUO_ACTUAL_NAMESPACE: z.string().min(1).optional(),
  /** Keys the links and numbers of answers. Every worker and web process of an installation shares it. */
  FENGHUO_SECRET: z.string().min(32),
  /**
   * Keys the marks by which it is known whose a sender is (worker/wall.ts); without it, a key made of FENGHUO_SECRET. The processes of a
   * drill have a secret of their own and are given this, so that they know what belongs to actual warnings.
   */
  FENGHUO_MARKS_KEY: z.string().min(32).optional(),
  /** Where answer pages are reached from outside; never taken from a request. */
  FENGHUO_PUBLIC_URL: z.url().default('http://127.0.0.1:8080'),
  FENGHUO_WEB_HOST: z.string().default('127.0.0.1'),
  FENGHUO_WEB_PORT: port.default(8080),
  /** Reverse proxies of our own in front of the web process: so many addresses of X-Forwarded-For, from the right, are theirs. */
  FENGHUO_WEB_PROXIES: z.coerce.number().int().min(0).max(5).default(0),
  /** Log-in by OpenID Connect: the provider, who we are there, and the token of our own log-in service. All of them or none. */
  FENGHUO_OIDC_ISSUER: z
    .string()
    .refine(isIssuer, 'must be an https address, as the provider writes it')
    .optional(),
  FENGHUO_OIDC_CLIENT_ID: z.string().min(1).optional(),
  /** Where the provider wants one. */
  FENGHUO_OIDC_CLIENT_SECRET: z.string().min(1).optional(),
  FENGHUO_LOGIN_SERVICE_TOKEN: z.string().startsWith('fenghuo_', 'must be a token of ours').optional(),
  /** Who says so, at the head of every message. */
  FENGHUO_ISSUER: z.string().default('重庆市气象台'),
  /** Who we are in CAP messages of ours. */
  FENGHUO_CAP_SENDER: z
    .string()
    .regex(/^[^\s,<&]+$/, 'must hold no space, comma, < or &')
    .default('fenghuo@fenghuo.example'),
  /** The fourteen digits that begin our identifiers after GB/T 35965.1. */
  FENGHUO_CAP_AGENCY: z
    .string()
    .regex(/^\d{14}$/, 'must be fourteen digits')
    .optional(),
  /** RSA private key in PEM: signs CAP messages of ours. */
  FENGHUO_CAP_KEY: z.string().min(1).optional(),
  FENGHUO_SMTP_URL: z.url().optional(),
  FENGHUO_SMTP_FROM: z.string().default('warning@fenghuo.example'),
  FENGHUO_GATEWAY_URL: z.url().optional(),
  /** Shared with the SMS gateway: signs what it pushes to us. */
  FENGHUO_GATEWAY_SECRET: z.string().min(16).optional(),
  /**
   * What the templates of the SMS gateway (`actual-zh`) and the voice gateway (`call-actual-zh`) are called there, and that of what is
   * said back to people (`back`). What is left out is called `fenghuo-actual-zh`, `fenghuo-call-actual-zh`, and so on.
   */
  FENGHUO_GATEWAY_TEMPLATES: templates.default({}),
  /** Where the gateways take messages and calls back, behind their addresses; without it they do not. */
  FENGHUO_GATEWAY_RECALL_PATH: gatewayPath,
  FENGHUO_VOICE_GATEWAY_RECALL_PATH: gatewayPath,
  /** Where the voice gateway lists its calls by our reference; without it a call of unknown outcome is made again. */
  FENGHUO_VOICE_GATEWAY_LIST_PATH: gatewayPath,
  FENGHUO_VOICE_GATEWAY_URL: z.url().optional(),
  /** Signs both ways, as for the SMS gateway. */
  FENGHUO_VOICE_GATEWAY_SECRET: z.string().min(16).optional(),
  /** The broadcast platform of the village loudspeakers. */
  FENGHUO_LOUDSPEAKER_URL: z.url().optional(),
  FENGHUO_LOUDSPEAKER_SECRET: z.string().min(16).optional(),
  /** The robot's own address with its token, and what signs to it; WeCom has no signature. */
  FENGHUO_CHAT_ROBOT_URL: z.url().optional(),
  FENGHUO_CHAT_ROBOT_SECRET: z.string().min(1).optional(),
  FENGHUO_CHAT_ROBOT_SHAPE: z.enum(['dingtalk', 'wecom', 'feishu']).default('dingtalk'),
  /** An ntfy server, and the token to publish there where it wants one. */
  FENGHUO_NTFY_URL: z.url().optional(),
  FENGHUO_NTFY_TOKEN: z.string().min(1).optional(),
  FENGHUO_SMTP_PER_SECOND: perSecond,
  FENGHUO_GATEWAY_PER_SECOND: perSecond,
  FENGHUO_TWILIO_PER_SECOND: perSecond,
  FENGHUO_VOICE_GATEWAY_PER_SECOND: perSecond,
  FENGHUO_LOUDSPEAKER_PER_SECOND: perSecond,
  FENGHUO_CHAT_ROBOT_PER_SECOND: perSecond,
  FENGHUO_NTFY_PER_SECOND: perSecond,
  /** The account's id, token and number: with all three, Twilio carries SMS and calls. */
  FENGHUO_TWILIO_ACCOUNT_SID: z
    .string()
    .regex(/^AC[0-9a-f]{32}$/, 'must be AC and 32 hex digits')
    .optional(),
  /** Proves us to Twilio, and what Twilio sends to us. */
  FENGHUO_TWILIO_AUTH_TOKEN: z.string().min(16).optional(),
  /** A number like +15005550006; for SMS alone also a messaging service, MG and 32 hex digits. */
  FENGHUO_TWILIO_FROM: z
    .string()
    .regex(
      /^(\+[1-9][0-9]{6,14}|MG[0-9a-f]{32})$/,
      'must be a number like +15005550006, or MG and 32 hex digits',
    )
    .optional(),
  /** Where Twilio's API is, if not at Twilio: the stand-in. */
  FENGHUO_TWILIO_API_URL: z.url().optional(),
  /** Whom the watchdog tells by e-mail; without it, its log is all. */
  FENGHUO_WATCHDOG_EMAIL: z.email().optional(),
  /** How long, in seconds, the watchdog lets a silence or a standstill last. The bounds keep its promise of a minute. */
  FENGHUO_WATCHDOG_SECONDS: z.coerce
    .number()
    .min(WATCH_WINDOW_S.least)
    .max(WATCH_WINDOW_S.most)
    .default(WATCH_WINDOW_S.default),
  /** How often, in minutes, it shouts again of what lasts. */
  FENGHUO_WATCHDOG_AGAIN_MINUTES: z.coerce.number().min(1).max(1_440).default(15),
  /** Where anchors of the record are written, outside of the database: a file that is only appended to, and an address. */
  FENGHUO_ANCHOR_FILE: z.string().min(1).optional(),
  FENGHUO_ANCHOR_EMAIL: z.email().optional(),
  /** How often, in minutes, as long as something is recorded. */
  FENGHUO_ANCHOR_MINUTES: z.coerce.number().min(1).max(1_440).default(60),
  /**
   * `sandbox`: the channels above are stand-ins, and the process serves Exercises. `live`: real people are at the other end, and it
   * serves actual warnings. Never both: each kind has processes of its own. `drill`: the account by which a drill reaches people who
   * agreed, in the processes of that drill alone.
   */
  FENGHUO_CHANNELS: z.enum(['sandbox', 'live', 'drill']).default('sandbox'),
  /** Where worker and web answer Prometheus; nowhere without it. Keep it inside: it asks for no password. */
  FENGHUO_METRICS_ADDRESS: z
    .string()
    .regex(
      /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]):\d{1,5}$/i,
      'must be an IP address and a port, like 127.0.0.1:9464',
    )
    .optional(),
});

/** The variables of our own, for whoever checks what is written in other files. */
export const VARIABLES: readonly string[] = Object.keys(schema.shape);

export type Config = z.infer<typeof schema> & {
  /** TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are taken from it. */
  temporal: TemporalProfile;
};

/** Reads the configuration; throws a FenghuoError that names each missing or faulty variable. */
export function readConfig(environment: Environment = process.env): Config {
  const given = withSecrets(environment);
  const temporal = readTemporal(given);
  const parsed = schema.safeParse({
    ...given,
    ...(temporal.address === undefined ? {} : { TEMPORAL_ADDRESS: temporal.address }),
    ...(temporal.namespace === undefined ? {} : { TEMPORAL_NAMESPACE: temporal.namespace }),
  });
  if (!parsed.success) {
    throw incomplete(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  }
  const { TEMPORAL_NAMESPACE: exercise, FENGHUO_ACTUAL_NAMESPACE: actual } = parsed.data;
  if (exercise === actual)
    throw incomplete(['FENGHUO_ACTUAL_NAMESPACE: must be another one than TEMPORAL_NAMESPACE']);
  return { ...parsed.data, temporal };
}

const LOGIN_NEEDS = ['FENGHUO_OIDC_ISSUER', 'FENGHUO_OIDC_CLIENT_ID', 'FENGHUO_LOGIN_SERVICE_TOKEN'] as const;

/** With half of them nobody could log in, and nobody would know why. Whoever logs nobody in needs none of them: workers start all the same. */
function refuseHalfOfLogin(config: Config): void {
  const missing = LOGIN_NEEDS.filter((name) => config[name] === undefined);
  const none = missing.length === LOGIN_NEEDS.length && config.FENGHUO_OIDC_CLIENT_SECRET === undefined;
  if (missing.length === 0 || none) return;
  throw incomplete(missing.map((name) => `${name}: is missing for log-in by OpenID Connect`));
}

/** By what people log in at a provider. */
export type LoginProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string | undefined;
  serviceToken: string;
};

/** Null where none is configured; throws a FenghuoError that names what is missing. */
export function loginProviderOf(config: Config): LoginProvider | null {
  refuseHalfOfLogin(config);
  const {
    FENGHUO_OIDC_ISSUER: issuer,
    FENGHUO_OIDC_CLIENT_ID: clientId,
    FENGHUO_OIDC_CLIENT_SECRET: clientSecret,
    FENGHUO_LOGIN_SERVICE_TOKEN: serviceToken,
  } = config;
  return issuer && clientId && serviceToken ? { issuer, clientId, clientSecret, serviceToken } : null;
}

/** Which warnings a process of this configuration may carry: live senders never see an Exercise, stand-ins nothing else. */
export function kindServed(config: Config): WarningKind {
  return config.FENGHUO_CHANNELS === 'live' ? 'actual' : 'exercise';
}

/** Whose the senders of this configuration are. */
export function sideOf(config: Config): SenderSide {
  return config.FENGHUO_CHANNELS === 'drill' ? 'drill' : kindServed(config);
}

/** The key of marks; whoever has it can make no link and no number of answers. */
export function marksKeyOf(config: {
  FENGHUO_SECRET: string;
  FENGHUO_MARKS_KEY?: string | undefined;
}): string {
  return (
    config.FENGHUO_MARKS_KEY ??
    createHmac('sha256', config.FENGHUO_SECRET).update('marks of kinds').digest('hex')
  );
}

/** The Temporal namespace of one kind: Exercises and actual warnings never share one. */
export function namespaceOf(config: Config, kind: WarningKind): string {
  if (kind === 'exercise') return config.TEMPORAL_NAMESPACE;
  return config.FENGHUO_ACTUAL_NAMESPACE ?? `${config.TEMPORAL_NAMESPACE}-actual`;
}

/** What clients and workers connect to Temporal by, TLS and API key included. */
export function temporalOf(config: Config): TemporalConnection {
  return temporalConnection(config.temporal, LOCAL_TEMPORAL);
}

/**
 * The Twilio account of this installation; null where none is configured. The sandbox's messages must never reach the real one, so
 * there it takes the stand-in's address as well.
 */
export function twilioOf(config: Config): {
  accountSid: string;
  authToken: string;
  from: string;
  apiUrl: string | undefined;
} | null {
  const {
    FENGHUO_TWILIO_ACCOUNT_SID: accountSid,
    FENGHUO_TWILIO_AUTH_TOKEN: authToken,
    FENGHUO_TWILIO_FROM: from,
    FENGHUO_TWILIO_API_URL: apiUrl,
  } = config;
  if (!accountSid || !authToken || !from) return null;
  if (config.FENGHUO_CHANNELS === 'sandbox' && !apiUrl) return null;
  return { accountSid, authToken, from, apiUrl };
}

/** The senders that this configuration has, by their ids, in the order in which those of one channel are tried. */
export function configuredSenders(config: Config): string[] {
  const twilio = twilioOf(config);
  const has: [id: string, configured: unknown][] = [
    ['smtp', config.FENGHUO_SMTP_URL],
    // Twilio does not serve the mainland, and hears replies elsewhere, where the gateway does not.
    ['twilio-sms', twilio],
    ['sms-gateway', config.FENGHUO_GATEWAY_URL && config.FENGHUO_GATEWAY_SECRET],
    // A messaging service makes no calls.
    ['twilio-voice', twilio && !twilio.from.startsWith('MG')],
    ['voice-gateway', config.FENGHUO_VOICE_GATEWAY_URL && config.FENGHUO_VOICE_GATEWAY_SECRET],
    ['loudspeaker', config.FENGHUO_LOUDSPEAKER_URL && config.FENGHUO_LOUDSPEAKER_SECRET],
    ['chat-robot', config.FENGHUO_CHAT_ROBOT_URL],
    ['ntfy', config.FENGHUO_NTFY_URL],
  ];
  return has.filter(([, configured]) => configured).map(([id]) => id);
}

/**
 * The environment with its secrets read from their files, and without empty variables. Doing it twice is harmless. The password
 * goes into DATABASE_URL, so that whoever connects needs only that.
 */
export function withSecrets(environment: Environment): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && value !== '') given[name] = value;
  }
  for (const name of SECRETS) {
    const file = given[`${name}_FILE`];
    if (file === undefined) continue;
    if (given[name] !== undefined) throw incomplete([`${name} and ${name}_FILE: give one of them`]);
    delete given[`${name}_FILE`];
    given[name] = readSecret(`${name}_FILE`, file);
  }
  const { DATABASE_URL: url, FENGHUO_DATABASE_PASSWORD: password } = given;
  if (url === undefined || password === undefined || !URL.canParse(url)) return given;
  const whole = new URL(url);
  if (whole.password === '') whole.password = encodeURIComponent(password);
  return { ...given, DATABASE_URL: whole.href };
}

function readSecret(variable: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw incomplete([`${variable}: the file cannot be read (${(error as NodeJS.ErrnoException).code})`]);
  }
}

function readTemporal(environment: Environment): TemporalProfile {
  try {
    return temporalProfile(environment);
  } catch (cause) {
    throw new FenghuoError({
      code: 'temporal-settings',
      refusal: 'usage',
      sentence:
        "Temporal's settings cannot be read. Correct TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or the file temporal.toml.",
      details: [cause instanceof Error ? cause.message : String(cause)],
    });
  }
}

function incomplete(details: string[]): FenghuoError {
  return new FenghuoError({
    code: 'configuration',
    refusal: 'usage',
    sentence:
      'The configuration is not complete. Start with `npx fenghuo up`, which sets it, or set these variables:',
    details,
  });
}
