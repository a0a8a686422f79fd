/** The web process: answer pages and what providers push to us. It needs only PostgreSQL. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Config } from '../config.ts';
import { isUnreachable, openDatabase } from '../db/database.ts';
import { beat } from '../db/liveness.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { answerPageRoutes } from './answer-page.ts';
import { gatewayRoutes } from './gateway.ts';

const LIVENESS_EVERY_MS = 1_000;

export type RunningWeb = { readonly url: string; stop(): Promise<void> };

/** Starts listening; resolves when requests are taken. */
export async function startWeb(input: {
  config: Config;
  keys: AnswerKeys;
  log: (line: string) => void;
}): Promise<RunningWeb> {
  const { config, keys, log } = input;
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 20,
  });
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    context.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    );
    context.header('referrer-policy', 'no-referrer');
    context.header('cache-control', 'no-store');
    context.header('x-content-type-options', 'nosniff');
  });
  app.route('/', answerPageRoutes({ database, keys }));
  app.route('/', gatewayRoutes({ database, keys, secret: config.FENGHUO_GATEWAY_SECRET }));
  app.get('/healthz', async (context) => {
    await database.query('select 1');
    return context.json({ ok: true });
  });
  app.onError((error, context) => {
    const away = isUnreachable(error);
    if (!away) log(`web: ${error.name} at ${context.req.method} ${context.req.routePath}`);
    return context.text(
      '暂时无法处理,请稍后再试或致电上级。 / Not possible right now. Try again, or call your superior.',
      away ? 503 : 500,
    );
  });
  const server = await listen(app, config);
  const pulse = setInterval(() => void beat(database, 'web').catch(() => undefined), LIVENESS_EVERY_MS);
  return {
    url: `http://${config.FENGHUO_WEB_HOST}:${config.FENGHUO_WEB_PORT}`,
    stop: async () => {
      clearInterval(pulse);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      });
      await database.close();
    },
  };
}

function listen(app: Hono, config: Config): Promise<ReturnType<typeof serve>> {
  return new Promise((resolve, reject) => {
    const server = serve(
      { fetch: app.fetch, hostname: config.FENGHUO_WEB_HOST, port: config.FENGHUO_WEB_PORT },
      () => resolve(server),
    );
    server.once('error', reject);
  });
}
