/** SMS through a gateway on this machine: a real warning against the same sends without Temporal. */
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';

const FULL = { messages: 20_000, rounds: 5 };
const QUICK = { messages: 10_000, rounds: 3 };

export const bench: Bench = {
  name: 'gateway',
  question: 'How fast are SMS handed to a gateway, against a plain loop without Temporal?',
  async run(context) {
    const { against, perSecond, ...rest } = await compare(context, {
      name: 'gateway',
      channel: 'sms',
      ...(context.quick ? QUICK : FULL),
      rivals: ['loop', 'gateway-limit'],
    });
    const gateway = { engineVsLoop: against.loop };
    return { ...rest, figures: { ratios: { gateway }, rates: { gateway: perSecond } } };
  },
};
