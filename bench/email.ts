/**
 * E-mail: a real warning to 5,000 people, against nodemailer alone and against two queues on PostgreSQL that send the same mails
 * and store the same durable row for each.
 */
import type { Bench } from './bench.ts';
import { compare } from './compare.ts';

const FULL = { messages: 5_000, rounds: 5 };
const QUICK = { messages: 2_000, rounds: 3 };

export const bench: Bench = {
  name: 'email',
  question: 'How fast are e-mails sent, against nodemailer alone, Graphile Worker and pg-boss?',
  async run(context) {
    const { against, perSecond, ...rest } = await compare(context, {
      name: 'email',
      channel: 'email',
      ...(context.quick ? QUICK : FULL),
      rivals: ['bare', 'graphile-worker', 'pg-boss', 'smtp-limit'],
    });
    const smtp = {
      engineVsBare: against.bare,
      engineVsGraphileWorker: against['graphile-worker'],
      engineVsPgBoss: against['pg-boss'],
    };
    return { ...rest, figures: { ratios: { smtp }, rates: { smtp: perSecond } } };
  },
};
