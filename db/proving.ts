/** Which addresses have not been proven to work for long, and what became of asking. */
import type { Channel } from '../domain/rules.ts';
import type { ProvingStore } from '../domain/store.ts';
import type { Database, Sql } from './database.ts';

/** The store of one channel's proofs. */
export function createProvingStore(database: Database, channel: Channel): ProvingStore {
  return {
    take: (input) => takeUnproven(database, { channel, ...input }),
    proven: (people) => markProven(database, channel, people),
  };
}

/** An address to be asked after. */
type Unproven = { personId: number; address: string };

/**
 * Takes addresses of one channel that nobody has proven for `olderThanMs`, the longest unproven first, each once in that time:
 * made-up people only for the stand-ins, real ones only for live senders.
 */
async function takeUnproven(
  sql: Sql,
  input: { channel: Channel; live: boolean; olderThanMs: number; most: number },
): Promise<Unproven[]> {
  return sql.query<Unproven>(
    `update person_channels c set asked_at = clock_timestamp() from (
       select c.person_id, c.channel from person_channels c join people p on p.id = c.person_id
       where c.channel = $1 and p.synthetic <> $2 and c.fault is null
         and coalesce(greatest(c.proven_at, c.asked_at), '-infinity') < clock_timestamp() - $3 * interval '1 millisecond'
       order by c.proven_at nulls first, c.person_id limit $4 for update of c skip locked) due
     where c.person_id = due.person_id and c.channel = due.channel
     returning c.person_id as "personId", c.address`,
    [input.channel, input.live, input.olderThanMs, input.most],
    'take-unproven',
  );
}

/** Notes that these people can be reached by the channel; an address that was changed meanwhile proves nothing. */
async function markProven(sql: Sql, channel: Channel, proven: readonly Unproven[]): Promise<void> {
  await sql.query(
    `update person_channels c set proven_at = clock_timestamp()
     from unnest($2::bigint[], $3::text[]) as p (person_id, address)
     where c.channel = $1 and c.person_id = p.person_id and c.address = p.address`,
    [channel, proven.map(({ personId }) => personId), proven.map(({ address }) => address)],
    'mark-proven',
  );
}

/** Notes when addresses were proven elsewhere, in milliseconds: newer proofs stand, and an address that was changed meanwhile is left. */
export async function keepProofs(
  sql: Sql,
  proofs: readonly (Unproven & { channel: Channel; provenAt: number })[],
): Promise<number> {
  const rows = await sql.query(
    `update person_channels c set proven_at = to_timestamp(p.proven_at / 1000)
     from unnest($1::bigint[], $2::text[], $3::text[], $4::float8[]) as p (person_id, channel, address, proven_at)
     where c.person_id = p.person_id and c.channel = p.channel and c.address = p.address
       and coalesce(c.proven_at, '-infinity') < to_timestamp(p.proven_at / 1000)
     returning c.person_id`,
    [
      proofs.map(({ personId }) => personId),
      proofs.map(({ channel }) => channel),
      proofs.map(({ address }) => address),
      proofs.map(({ provenAt }) => provenAt),
    ],
  );
  return rows.length;
}

/** How many addresses of each channel were proven within this time, of how many. */
export async function countProven(
  sql: Sql,
  withinMs: number,
): Promise<{ channel: Channel; addresses: number; proven: number; faulty: number }[]> {
  return sql.query(
    `select channel, count(*)::int as addresses,
       (count(*) filter (where proven_at > clock_timestamp() - $1 * interval '1 millisecond'))::int as proven,
       (count(*) filter (where fault is not null))::int as faulty
     from person_channels group by channel order by channel`,
    [withinMs],
  );
}
