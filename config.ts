/**
 * The environment, parsed once. Secrets are read here and never reach an error or a log: a faulty value is named, not shown.
 */
import { z } from 'zod';
import { FenghuoError } from './domain/errors.ts';

const port = z.coerce.number().int().min(0).max(65_535);

const schema = z.object({
  DATABASE_URL: z.string().min(1),
  FENGHUO_SCHEMA: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,50}$/)
    .default('fenghuo'),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  /** Keys the links and numbers of answers. Every worker and web process of an installation shares it. */
  FENGHUO_SECRET: z.string().min(32),
  /** Where answer pages are reached from outside; never taken from a request. */
  FENGHUO_PUBLIC_URL: z.url().default('http://127.0.0.1:8080'),
  FENGHUO_WEB_HOST: z.string().default('127.0.0.1'),
  FENGHUO_WEB_PORT: port.default(8080),
  /** Who says so, at the head of every message. */
  FENGHUO_ISSUER: z.string().default('重庆市气象台'),
  FENGHUO_SMTP_URL: z.url().optional(),
  FENGHUO_SMTP_FROM: z.string().default('warning@fenghuo.example'),
  FENGHUO_GATEWAY_URL: z.url().optional(),
  /** Shared with the SMS gateway: signs what it pushes to us. */
  FENGHUO_GATEWAY_SECRET: z.string().min(16).optional(),
  /** `sandbox`: the channels above are stand-ins. `live`: real people are at the other end. */
  FENGHUO_CHANNELS: z.enum(['sandbox', 'live']).default('sandbox'),
});

export type Config = z.infer<typeof schema>;

/** Reads the configuration; throws a FenghuoError that names each missing or faulty variable. */
export function readConfig(environment: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new FenghuoError({
    code: 'configuration',
    refusal: 'usage',
    sentence:
      'The configuration is not complete. Start with `npx fenghuo up`, which sets it, or set these variables:',
    details: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  });
}
