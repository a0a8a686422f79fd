/**
 * The same sends without Temporal: claim rows, send, store outcomes, by the engine's own channel and at its concurrency. The
 * rows are there before the clock starts, and no person, post, rule or answer is looked up.
 */
import { createSmsGatewayChannel } from '../../channels/sms-gateway.ts';
import type { Database } from '../../db/database.ts';
import { messageMaker, type Addressee } from './messages.ts';
import type { Outcome } from './outcomes.ts';
import type { Sender, SenderInput } from './sender.ts';

/** Slices at once and their size: what the worker gives officials, and the engine's greatest slice. */
const SLICES_AT_ONCE = 4;
const SLICE = 500;

export async function loop({ config, database, outcomes }: SenderInput): Promise<Sender> {
  const channel = createSmsGatewayChannel({
    url: config.FENGHUO_GATEWAY_URL ?? '',
    secret: config.FENGHUO_GATEWAY_SECRET ?? '',
    signature: config.FENGHUO_ISSUER,
    live: false,
  });
  await database.query(
    `create table bench_queue (person_id bigint primary key, address text not null, unit_name text not null, claimed_at timestamptz)`,
  );
  return {
    channel: 'sms',
    settings: { slicesAtOnce: SLICES_AT_ONCE, slice: SLICE, concurrency: channel.concurrency },
    keepsOutcomes: true,
    prepare: async () => {
      await database.query('truncate bench_queue');
      await database.query(
        `insert into bench_queue (person_id, address, unit_name)
         select a.person_id, a.address, u.name
         from person_channels a join posts p on p.person_id = a.person_id join units u on u.id = p.unit_id
         where a.channel = 'sms'`,
      );
      await database.query('analyze bench_queue');
    },
    send: async ([sample]) => {
      const make = messageMaker({ config, channel: 'sms', word: sample?.warningId ?? '' });
      const runSlices = async () => {
        for (;;) {
          const claimed = await claim(database);
          if (claimed.length === 0) return;
          const sent: Outcome[] = [];
          const queue = claimed.values();
          const sendSome = async () => {
            for (const addressee of queue) {
              const result = await channel.send(make(addressee));
              if (result.outcome !== 'handed off') throw new Error(`the loop's send was ${result.outcome}`);
              sent.push({
                recipientId: addressee.personId,
                providerId: result.providerId,
                at: Date.now(),
              });
            }
          };
          await Promise.all(Array.from({ length: channel.concurrency }, sendSome));
          await outcomes.putAll(sent);
        }
      };
      await Promise.all(Array.from({ length: SLICES_AT_ONCE }, runSlices));
    },
    close: () => channel.close(),
  };
}

function claim(database: Database): Promise<Addressee[]> {
  return database.query<Addressee>(
    `update bench_queue q set claimed_at = clock_timestamp()
     from (select person_id from bench_queue where claimed_at is null order by person_id limit $1 for update skip locked) as c
     where q.person_id = c.person_id
     returning q.person_id as "personId", q.address, q.unit_name as "unitName"`,
    [SLICE],
    'bench-claim',
  );
}
