/** The floor: nodemailer's pool and nothing else. Texts are ready before the clock starts, and nothing is written down. */
import { CONNECTIONS, createMailer } from './mailer.ts';
import type { Sender, SenderInput } from './sender.ts';

export async function bare({ config }: SenderInput): Promise<Sender> {
  const mailer = createMailer(config);
  return {
    channel: 'email',
    settings: { connections: CONNECTIONS },
    keepsOutcomes: false,
    send: async (messages) => {
      await Promise.all(messages.map((message) => mailer.send(message)));
    },
    close: async () => mailer.close(),
  };
}
