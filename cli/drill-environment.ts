/**
 * The environment of a drill's processes. It is built from nothing: what is not named here, whatever the parent's environment holds of
 * senders, secrets and tokens, is not there.
 */
import { createHmac } from 'node:crypto';
import { marksKeyOf } from '../config.ts';
import type { Environment } from './context.ts';

/** What any process needs of its machine, and what leads to the same Temporal server. */
const TAKEN_OVER: readonly RegExp[] = [
  /^(PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|SSL_CERT_DIR)$/,
  /^TEMPORAL_(ADDRESS|PROFILE|CONFIG_FILE|API_KEY|TLS|TLS_[A-Z_]+|GRPC_META_[A-Z_]+)$/,
  /^FENGHUO_ISSUER$/,
];

/** The Temporal namespace of all drills of an installation; the schema in queues and workflow ids tells them apart. */
export function drillNamespace(namespace: string): string {
  return `${namespace}-drills`;
}

export type DrillEnvironmentInput = {
  /** The installation's, in which the command was given. */
  parent: Environment;
  /** Of the installation. */
  namespace: string;
  secret: string;
  drillId: number;
  schema: string;
  /** With the drill's own login. */
  databaseUrl: string;
  webPort: number;
  /** Of the stand-ins. */
  standIns: Readonly<Record<string, string>>;
};

export function drillEnvironment(input: DrillEnvironmentInput): Record<string, string> {
  const { parent, webPort, schema } = input;
  const taken = Object.entries(parent).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && TAKEN_OVER.some((names) => names.test(entry[0])),
  );
  return {
    ...Object.fromEntries(taken),
    ...input.standIns,
    DATABASE_URL: input.databaseUrl,
    FENGHUO_SCHEMA: schema,
    TEMPORAL_NAMESPACE: drillNamespace(input.namespace),
    // Links of a drill open nothing of the installation, and none of another drill.
    FENGHUO_SECRET: createHmac('sha256', input.secret)
      .update(`drill ${schema} ${input.drillId}`)
      .digest('hex'),
    // By this they know what belongs to actual warnings, and refuse it.
    FENGHUO_MARKS_KEY: marksKeyOf({ FENGHUO_SECRET: input.secret }),
    FENGHUO_PUBLIC_URL: `http://127.0.0.1:${webPort}`,
    FENGHUO_WEB_PORT: String(webPort),
    FENGHUO_CHANNELS: 'sandbox',
  };
}

/** The same server and database by another login. */
export function loginUrl(url: string, login: string, password: string): string {
  const whole = new URL(url);
  whole.username = login;
  whole.password = password;
  // By a socket there is no host, and names of logins stand elsewhere.
  if (whole.username !== login) {
    whole.searchParams.set('user', login);
    whole.searchParams.set('password', password);
  }
  return whole.href;
}
