/** What `doctor` says of log-in by a provider: whether it is set up here, whether the provider answers, and what is wrong. */
import { loginProviderOf, type Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { inspectService } from '../operations/logins.ts';
import type { Finding } from '../runtime/doctor.ts';
import type { Context } from './context.ts';
import { minuteOf } from './times.ts';

/** The log-in service's own token is renewed by hand: it is said before it ends. */
const SOON_MS = 7 * 86_400_000;

export async function loginFinding(database: Database, config: Config, context: Context): Promise<Finding> {
  const { say } = context;
  const name = say('doctor.login');
  const configured = loginProviderOf(config);
  if (!configured) return { name, status: 'ok', found: say('doctor.loginNone') };
  const { openProvider } = await import('../web/oidc.ts');
  const provider = await openProvider(configured).inspect().catch(refused);
  const issuer = provider instanceof FenghuoError ? configured.issuer : provider.issuer;
  const service = await inspectService(database, configured.serviceToken, issuer);
  const who = {
    name: service.name ?? '?',
    made: service.issuer ?? '?',
    until: minuteOf(service.until ?? 0),
    issuer,
  };
  if (service.fault !== null) {
    const found = say(`doctor.loginService.${service.fault}`, who);
    return { name, status: 'fail', found, advice: say('doctor.loginServiceAdvise', who) };
  }
  if (provider instanceof FenghuoError) {
    const found = say('doctor.loginAway', { issuer, reason: provider.message });
    return { name, status: 'warn', found, advice: say('doctor.loginAwayAdvise') };
  }
  if ((service.until ?? 0) - Date.now() < SOON_MS) {
    const found = say('doctor.loginSoon', who);
    return { name, status: 'warn', found, advice: say('doctor.loginServiceAdvise', who) };
  }
  if (!provider.devices) {
    const found = say('doctor.loginNoDevices', who);
    return { name, status: 'warn', found, advice: say('doctor.loginNoDevicesAdvise') };
  }
  return { name, status: 'ok', found: say('doctor.loginReady', who) };
}

function refused(error: unknown): FenghuoError {
  if (error instanceof FenghuoError) return error;
  throw error;
}
