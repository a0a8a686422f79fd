/** The durable row that each rival owes for each message, as the engine's `deliveries` have it: recipient, outcome, provider's id, time. */
import type { Database } from '../../db/database.ts';

export type Outcome = { recipientId: number; providerId: string; at: number };

export type Outcomes = {
  /** One row, one commit. */
  put(outcome: Outcome): Promise<void>;
  /** Many rows, one commit. */
  putAll(outcomes: readonly Outcome[]): Promise<void>;
  count(): Promise<number>;
  clear(): Promise<void>;
};

/** Makes the table; the bench calls it once, before any rival starts. */
export async function makeOutcomesTable(database: Database): Promise<void> {
  await database.query(
    `create table bench_outcomes (
       recipient_id bigint primary key, outcome text not null, provider_id text not null, at timestamptz not null)`,
  );
}

export function createOutcomes(database: Database): Outcomes {
  return {
    put: async ({ recipientId, providerId, at }) => {
      await database.query(
        `insert into bench_outcomes (recipient_id, outcome, provider_id, at)
         values ($1, 'handed off', $2, to_timestamp($3::float8 / 1000))`,
        [recipientId, providerId, at],
        'bench-put-outcome',
      );
    },
    putAll: async (outcomes) => {
      await database.query(
        `insert into bench_outcomes (recipient_id, outcome, provider_id, at)
         select o.recipient_id, 'handed off', o.provider_id, to_timestamp(o.at / 1000)
         from unnest($1::bigint[], $2::text[], $3::float8[]) as o (recipient_id, provider_id, at)`,
        [
          outcomes.map((outcome) => outcome.recipientId),
          outcomes.map((outcome) => outcome.providerId),
          outcomes.map((outcome) => outcome.at),
        ],
        'bench-put-outcomes',
      );
    },
    count: async () => {
      const [row] = await database.query<{ count: number }>('select count(*)::int from bench_outcomes');
      return row?.count ?? 0;
    },
    clear: async () => {
      await database.query('truncate bench_outcomes');
    },
  };
}
