/** `fenghuo sandbox`: the stand-ins as a process of their own, as `up --sandbox` starts them. */
import type { Command } from 'commander';
import { twilioOf } from '../config.ts';
import type { SandboxOptions } from '../sandbox/sandbox.ts';
import type { Context } from './context.ts';
import { serve } from './serving.ts';

export function addSandboxCommand(program: Command, context: Context): void {
  program
    .command('sandbox')
    .description(context.say('help.sandbox'))
    .action(async () => {
      const options = await sandboxOptions(context);
      await serve(context, async () => {
        const { startSandbox } = await import('../sandbox/sandbox.ts');
        const sandbox = await startSandbox(options);
        context.tell(`${sandbox.smtpUrl} ${sandbox.gatewayUrl}`);
        return sandbox;
      });
    });
}

async function sandboxOptions(context: Context): Promise<SandboxOptions> {
  const config = await context.config();
  const environment = await context.environment();
  const portOf = (url: string | undefined) => (url === undefined ? 0 : Number(new URL(url).port));
  const twilio = twilioOf(config);
  const json = (name: string): object => JSON.parse(environment[name] ?? '{}') as object;
  return {
    directory: environment['FENGHUO_LEDGER_DIR'] ?? 'ledger',
    repliesUrl: `${config.FENGHUO_PUBLIC_URL}/gateway/replies`,
    secret: config.FENGHUO_GATEWAY_SECRET ?? '',
    seed: environment['FENGHUO_SANDBOX_SEED'] ?? '1',
    smtpPort: portOf(config.FENGHUO_SMTP_URL),
    gatewayPort: portOf(config.FENGHUO_GATEWAY_URL),
    ...(config.FENGHUO_VOICE_GATEWAY_URL !== undefined && {
      // One process stands in for all of them: whichever is configured beside the voice gateway is at its port.
      http: {
        port: portOf(config.FENGHUO_VOICE_GATEWAY_URL),
        secrets: {
          voice: config.FENGHUO_VOICE_GATEWAY_SECRET ?? '',
          loudspeaker: config.FENGHUO_LOUDSPEAKER_SECRET ?? '',
          robot: config.FENGHUO_CHAT_ROBOT_SECRET ?? '',
          ntfyToken: config.FENGHUO_NTFY_TOKEN ?? '',
        },
      },
    }),
    ...(twilio && {
      twilio: {
        ...twilio,
        // As an operator enters it for the number at Twilio, with what it takes for a push to be repeated.
        inboundUrl: `${config.FENGHUO_PUBLIC_URL}/twilio/inbound#rc=4&rp=ct,rt,5xx`,
        port: portOf(twilio.apiUrl),
      },
    }),
    faults: json('FENGHUO_SANDBOX_FAULTS'),
    model: json('FENGHUO_SANDBOX_MODEL'),
    ...(environment['FENGHUO_SANDBOX_CAST'] !== undefined && { cast: environment['FENGHUO_SANDBOX_CAST'] }),
    log: (line) => context.tell(line),
  };
}
