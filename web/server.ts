/** The web process: answer pages and what providers push to us. It needs only PostgreSQL. */
import { serve } from '@hono/node-server';
import type { ServerResponse } from 'node:http';
import { Hono } from 'hono';
import {
  configuredSenders,
  kindServed,
  loginProviderOf,
  namespaceOf,
  sideOf,
  type Config,
} from '../config.ts';
import { isUnreachable, openDatabase, type Database, type Sql } from '../db/database.ts';
import { sayServing } from '../db/kinds.ts';
import { beatIntake, INTAKE_SIGNS } from '../db/liveness.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { answerPageRoutes, codeOf } from './answer-page.ts';
import { deadPage } from './answer-view.ts';
import { deskRoutes } from './desk-page.ts';
import { gatewayRoutes, type GatewayDoor } from './gateway.ts';
import { startWebMetrics } from './metrics.ts';
import { startCatchUp } from './catch-up.ts';
import type { TwilioDoor, TwilioInput } from './twilio.ts';

const LIVENESS_EVERY_MS = 1_000;

/** Long enough for a form over 2G; who holds a connection longer than this without asking anything loses it. */
const REQUEST_MS_MAX = 60_000;
const HEADERS_MS_MAX = 20_000;
/** Longer than reverse proxies keep an idle connection (nginx: 60 s): whoever sends the next request on it is the one who closes it. */
const KEEP_ALIVE_MS = 75_000;

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  // For browsers that are older than frame-ancestors.
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export type RunningWeb = { readonly url: string; stop(): Promise<void> };

/** Starts listening; resolves when requests are taken. */
export async function startWeb(input: {
  config: Config;
  keys: AnswerKeys;
  log: (line: string) => void;
  /** How a gateway's reports are read and answered. @default receipts are not taken, and nothing is said back */
  gateway?: GatewayDoor;
  /** @default Twilio finds nothing here */
  twilio?: TwilioDoor | null;
}): Promise<RunningWeb> {
  const { config, keys, log, gateway = null, twilio = null } = input;
  const serves = kindServed(config);
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 20,
    indexesOnly: true,
  });
  const metrics =
    config.FENGHUO_METRICS_ADDRESS === undefined
      ? null
      : await startWebMetrics({ address: config.FENGHUO_METRICS_ADDRESS, database });
  const app = new Hono();
  if (metrics) app.use(metrics.measure);
  app.route('/', answerPageRoutes({ database, keys, log, proxies: config.FENGHUO_WEB_PROXIES }));
  const provider = await serveLogin(app, { database, config, log });
  app.route('/', deskRoutes({ database, keys, publicUrl: config.FENGHUO_PUBLIC_URL, provider }));
  const secrets = { sms: config.FENGHUO_GATEWAY_SECRET, voice: config.FENGHUO_VOICE_GATEWAY_SECRET };
  app.route('/', gatewayRoutes({ database, keys, secrets, serves, door: gateway }));
  const catchUp =
    twilio &&
    (await serveTwilio(
      app,
      { database, keys, log, serves, side: sideOf(config), ...spoken(config) },
      twilio,
    ));
  app.get('/healthz', async (context) => {
    await database.query('select 1');
    return context.json({ ok: true });
  });
  app.notFound((context) => context.html(deadPage(), 404));
  app.onError((error, context) => {
    const away = isUnreachable(error);
    if (!away) log(`web: ${error.name} ${codeOf(error)} at ${context.req.method} ${context.req.path}`);
    return context.json({ error: 'not possible right now: try again' }, away ? 503 : 500);
  });
  const server = await listen(app, config);
  // At once: the end of an outage is written down by the first sign after it.
  const showLife = () => {
    void beatIntake(database, serves).catch(() => undefined);
  };
  void sayWhatIsServed(database, config).catch(() => undefined);
  showLife();
  const pulse = setInterval(showLife, LIVENESS_EVERY_MS);
  return {
    url: `http://${config.FENGHUO_WEB_HOST}:${config.FENGHUO_WEB_PORT}`,
    stop: async () => {
      clearInterval(pulse);
      await catchUp?.stop();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      });
      await metrics?.stop();
      await database.close();
    },
  };
}

/** Only of actual warnings somebody asks whether their providers are heard. */
async function sayWhatIsServed(sql: Sql, config: Config): Promise<void> {
  const kind = kindServed(config);
  if (kind === 'exercise') return;
  const [namespace, publicUrl] = [namespaceOf(config, kind), config.FENGHUO_PUBLIC_URL];
  const senders = configuredSenders(config);
  await sayServing(sql, { name: INTAKE_SIGNS[kind], kind, part: 'web', senders, namespace, publicUrl });
}

/** Log-in by a provider, loaded where it is configured; gives back the host that people know it by. */
async function serveLogin(
  app: Hono,
  input: { database: Database; config: Config; log: (line: string) => void },
): Promise<string | null> {
  const { database, config, log } = input;
  const configured = loginProviderOf(config);
  if (!configured) return null;
  const [{ openProvider }, { loginRoutes }] = await Promise.all([import('./oidc.ts'), import('./login.ts')]);
  const provider = openProvider(configured);
  const { serviceToken } = configured;
  const [publicUrl, proxies] = [config.FENGHUO_PUBLIC_URL, config.FENGHUO_WEB_PROXIES];
  app.route('/', loginRoutes({ database, provider, serviceToken, publicUrl, proxies, log }));
  return provider.name;
}

/** What Twilio's door must know of us. */
const spoken = (config: Config) => ({ publicUrl: config.FENGHUO_PUBLIC_URL, issuer: config.FENGHUO_ISSUER });

/** Its routes, and the listing of what was not pushed. Loaded where it is configured: the library is large. */
async function serveTwilio(app: Hono, input: Omit<TwilioInput, 'door'>, door: TwilioDoor) {
  const { twilioRoutes } = await import('./twilio.ts');
  app.route('/', twilioRoutes({ ...input, door }));
  return startCatchUp({ ...input, inbound: door.inbound });
}

function listen(app: Hono, config: Config): Promise<ReturnType<typeof serve>> {
  return new Promise((resolve, reject) => {
    const server = serve(
      {
        fetch: app.fetch,
        hostname: config.FENGHUO_WEB_HOST,
        port: config.FENGHUO_WEB_PORT,
        serverOptions: {
          requestTimeout: REQUEST_MS_MAX,
          headersTimeout: HEADERS_MS_MAX,
          keepAliveTimeout: KEEP_ALIVE_MS,
        },
      },
      () => resolve(server),
    );
    // Before anything else, so that every answer carries them, one for a broken request too. In Hono's middleware they cost
    // more than the rest of the request: it makes a copy of the headers for each.
    server.prependListener('request', (_request: unknown, response: ServerResponse) => {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    });
    server.once('error', reject);
  });
}
