/** `fenghuo sandbox`: the stand-ins as a process of their own, as `up --sandbox` starts them. */
import type { Config } from '../config.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { sayReady, untilToldToStop } from './life.ts';

/** Runs the stand-ins for the channels of this configuration until told to stop. */
export async function runSandbox(input: {
  config: Config;
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
}): Promise<void> {
  const { config, env, log } = input;
  const sandbox = await startSandbox({
    directory: env['FENGHUO_LEDGER_DIR'] ?? 'ledger',
    repliesUrl: `${config.FENGHUO_PUBLIC_URL}/gateway/replies`,
    secret: config.FENGHUO_GATEWAY_SECRET ?? '',
    seed: env['FENGHUO_SANDBOX_SEED'] ?? '1',
    smtpPort: Number(new URL(config.FENGHUO_SMTP_URL ?? 'smtp://x:0').port),
    gatewayPort: Number(new URL(config.FENGHUO_GATEWAY_URL ?? 'http://x:0').port),
    faults: JSON.parse(env['FENGHUO_SANDBOX_FAULTS'] ?? '{}') as NonNullable<
      Parameters<typeof startSandbox>[0]['faults']
    >,
    model: JSON.parse(env['FENGHUO_SANDBOX_MODEL'] ?? '{}') as NonNullable<
      Parameters<typeof startSandbox>[0]['model']
    >,
    log,
  });
  sayReady({ smtpUrl: sandbox.smtpUrl, gatewayUrl: sandbox.gatewayUrl });
  await untilToldToStop();
  await sandbox.stop();
}
