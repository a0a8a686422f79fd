/**
 * What Prometheus reads of the web process: its requests, and what PostgreSQL shows of the whole installation. On an address of
 * its own, since the public one is the world's. Routes are named by their pattern: a link belongs to one person.
 */
import { serve } from '@hono/node-server';
import { Hono, type MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import { INTAKE_SIGNS } from '../db/liveness.ts';
import { readBacklog } from '../db/metrics.ts';
import { readWatchFacts } from '../db/watchdog.ts';
import { DRILL_SERVER_SIGN, WATCH_WINDOW_S, type WatchFacts } from '../domain/watchdog.ts';

/** Seconds; the promise for an answer is 50 ms, 350 ms beside a city-wide cascade. */
const ANSWER_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.35, 0.5, 1, 2.5, 5, 10];

export type WebMetrics = {
  /** Counts and times each request. */
  measure: MiddlewareHandler;
  stop(): Promise<void>;
};

/** Serves `/metrics` at `address` (host:port). */
export async function startWebMetrics(input: { address: string; database: Database }): Promise<WebMetrics> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'fenghuo_web_requests_total',
    help: 'Requests by route and status.',
    labelNames: ['method', 'route', 'status'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'fenghuo_web_request_seconds',
    help: 'From the request to its answer, by route.',
    labelNames: ['method', 'route'],
    buckets: ANSWER_SECONDS,
    registers: [registry],
  });
  const readInstallation = installationGauges(registry, input.database);
  const app = new Hono();
  app.get('/metrics', async (context) => {
    await readInstallation();
    return context.text(await registry.metrics(), 200, { 'content-type': registry.contentType });
  });
  const close = await listen(app, input.address);
  return {
    measure: async (context, next) => {
      const from = performance.now();
      await next();
      const labels = { method: context.req.method, route: routePath(context, -1) };
      seconds.observe(labels, (performance.now() - from) / 1_000);
      requests.inc({ ...labels, status: context.res.status });
    },
    stop: close,
  };
}

/** Gauges that are read from PostgreSQL at each scrape. While it is away, `fenghuo_database_up` is all that is said. */
function installationGauges(registry: Registry, database: Database): () => Promise<void> {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `fenghuo_${name}`, help, labelNames, registers: [registry] });
  const up = gauge('database_up', '1 where PostgreSQL answered this scrape.');
  const warnings = gauge('open_warnings', 'Warnings with work left, by kind.', ['kind']);
  const signs = gauge('sign_age_seconds', 'Since the last sign of life.', ['of']);
  const standing = gauge('standing_warnings', 'Warnings whose work waits while nothing moves.');
  const waiting = gauge('waiting', 'What waits: letters, retries, pages, dead letters.', ['what']);
  return async () => {
    try {
      const facts = await readWatchFacts(database, WATCH_WINDOW_S.default * 1_000);
      for (const [kind, count] of Object.entries(facts.openWarnings)) warnings.set({ kind }, count);
      for (const [of, at] of signsOf(facts)) if (at !== null) signs.set({ of }, (facts.now - at) / 1_000);
      standing.set(new Set(facts.standing.map(({ warningId }) => warningId)).size);
      for (const [what, count] of Object.entries(await readBacklog(database))) waiting.set({ what }, count);
      up.set(1);
    } catch {
      for (const one of [warnings, signs, standing, waiting]) one.reset();
      up.set(0);
    }
  };
}

function signsOf(facts: WatchFacts): [string, number | null][] {
  const workers = Object.entries(facts.workerAt).map(([kind, at]): [string, number | null] => [
    `worker ${kind}`,
    at,
  ]);
  const webs = Object.entries(facts.intakeAt).map(([kind, at]): [string, number | null] => [
    INTAKE_SIGNS[kind as keyof typeof facts.intakeAt],
    at,
  ]);
  // Without a schedule nobody has to be there.
  const drills = facts.scheduledSince === null ? null : facts.drillServerAt;
  return [...workers, ['temporal', facts.temporalAt], ...webs, [DRILL_SERVER_SIGN, drills]];
}

function listen(app: Hono, address: string): Promise<() => Promise<void>> {
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve, reject) => {
    const server = serve(
      { fetch: app.fetch, hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port) },
      () => {
        resolve(
          () =>
            new Promise((closed) => {
              server.close(() => closed());
              if ('closeAllConnections' in server) server.closeAllConnections();
            }),
        );
      },
    );
    server.once('error', reject);
  });
}
