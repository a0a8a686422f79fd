/** An office whose people log in at a provider: PostgreSQL, a web process, and the provider. 张三 is linked to `zhang`. */
import { readConfig } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import type { Operator } from '../../domain/authority.ts';
import { linkOperator } from '../../operations/logins.ts';
import { addFirstOperator, addOperator, authenticate, grantRole } from '../../operations/operators.ts';
import { freePort } from '../../runtime/processes.ts';
import { startWeb, type RunningWeb } from '../../web/server.ts';
import { testDatabase } from '../database.ts';
import { TEST_KEYS } from './local-cascade.ts';
import { openIdProvider, type OpenIdProvider } from './openid-provider.ts';
import { plantSmallTree } from './small-tree.ts';

export type LoginOffice = {
  database: Database;
  administrator: Operator;
  provider: OpenIdProvider;
  /** The web process's address. */
  url: string;
  /** Of its processes and commands. */
  environment: Record<string, string>;
  log: string[];
  stop(): Promise<void>;
};

/** `change` is set in the environment of the web process besides. */
export async function openLoginOffice(
  name: string,
  change: Record<string, string> = {},
): Promise<LoginOffice> {
  const database = await testDatabase(name);
  await plantSmallTree(database);
  const administrator = await authenticate(database, (await addFirstOperator(database, '管理员')).token);
  const url = `http://127.0.0.1:${await freePort()}`;
  const provider = await openIdProvider(`${url}/desk/oidc/callback`);
  const { issuer } = provider;
  const service = await addOperator(database, administrator, { name: '统一登录', loginIssuer: issuer });
  await addOperator(database, administrator, { name: '张三' });
  const grant = { role: 'duty officer' as const, area: '城', highestLevel: 'red', hazards: [] };
  await grantRole(database, administrator, '张三', grant);
  await linkOperator(database, administrator, '张三', { subject: 'zhang' });
  const environment = {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: 'x'.repeat(32),
    FENGHUO_PUBLIC_URL: url,
    FENGHUO_WEB_PORT: new URL(url).port,
    FENGHUO_OIDC_ISSUER: issuer,
    FENGHUO_OIDC_CLIENT_ID: provider.client.id,
    FENGHUO_OIDC_CLIENT_SECRET: provider.client.secret,
    FENGHUO_LOGIN_SERVICE_TOKEN: service.token,
    ...change,
  };
  const log: string[] = [];
  const web: RunningWeb = await startWeb({
    config: readConfig(environment),
    keys: TEST_KEYS,
    log: (line) => log.push(line),
  });
  return {
    ...{ database, administrator, provider, url, environment, log },
    async stop() {
      await web.stop();
      await provider.stop();
      await database.close();
    },
  };
}
