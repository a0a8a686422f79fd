/** What must be true of a chain of warnings, read from the engine's tables and compared with what was seen from outside. */
import type { Database } from '../../db/database.ts';
import { judge } from '../../operations/referee.ts';
import {
  concerns,
  misread,
  standingWords,
  UNITS,
  type Heard,
  type Link,
  type RevisionFacts,
} from './revision-facts.ts';

/** While it is open and at rest: whoever's last word is an answer stands answered, and nobody else. */
export async function checkStanding(database: Database, { chain, said }: RevisionFacts): Promise<string[]> {
  const newest = chain.at(-1) as Link;
  const rows = await database.query<{ name: string; status: string }>(
    'select u.name, s.status from unit_states s join units u on u.id = s.unit_id where s.warning_id = $1',
    [newest.warningId],
  );
  const faults: string[] = [];
  for (const unit of UNITS.filter((one) => concerns(newest, one))) {
    const last = standingWords(chain, said, unit).at(-1)?.kind;
    const answered = last !== undefined && last !== 'cannot act';
    const status = rows.find(({ name }) => name === unit)?.status;
    if (answered !== (status === 'answered'))
      faults.push(`${unit} said ${last ?? 'nothing'} and is ${status ?? 'not opened'}`);
  }
  return faults;
}

/** When it is over and at rest. */
export async function checkEnd(database: Database, facts: RevisionFacts): Promise<string[]> {
  const faults = [...(await findLeft(database, facts)), ...(await findMisread(database, facts))];
  for (const { warningId } of facts.chain) faults.push(...(await findJudged(database, facts, warningId)));
  return faults;
}

async function findLeft(database: Database, { chain, over }: RevisionFacts): Promise<string[]> {
  const [left] = await database.query<{ count: number; statuses: string }>(
    `select ((select count(*) from cells where warning_id = any($1) and status = 'open')
       + (select count(*) from pages where warning_id = any($1) and ended_at is null)
       + (select count(*) from unit_states where warning_id = any($1) and ended is null)
       + (select count(*) from inbox i join cells c on c.id = i.cell_id where c.warning_id = any($1)))::int as count,
       (select string_agg(status, ', ' order by id) from warnings where id = any($1)) as statuses`,
    [chain.map(({ warningId }) => warningId)],
  );
  const expected = chain.map((_, place) => (place < chain.length - 1 ? 'superseded' : over)).join(', ');
  return [
    ...(left?.count === 0 ? [] : [`${left?.count} cells, pages, units and letters are left`]),
    ...(left?.statuses === expected ? [] : [`the chain is ${left?.statuses}, and should be ${expected}`]),
  ];
}

async function findMisread(database: Database, { chain, heard, over }: RevisionFacts): Promise<string[]> {
  const newest = chain.at(-1) as Link;
  const owners = await database.query<{ address: string; units: string[] }>(
    `select c.address, array_agg(u.name) as units from person_channels c join posts p using (person_id)
       join units u on u.id = p.unit_id group by c.address
     union all select h.address, array[u.name] from households h join units u on u.id = h.unit_id`,
  );
  return owners.flatMap(({ address, units }) => {
    const own = heard.filter((message) => message.address === address);
    const leftOut = !units.some((unit) => concerns(newest, unit));
    return misread(own, over === 'cancelled' || leftOut).map(
      (fault) => `${units.join('+')} ${address} ${fault}: ${own.map(lineOf).join(' ')}`,
    );
  });
}

/** The referee, but for deadlines, which were made due by hand, and for the ledger of people, which is kept in another way here. */
async function findJudged(
  database: Database,
  { messages, arrivals }: RevisionFacts,
  warningId: number,
): Promise<string[]> {
  const attempts = new Map<string, number>();
  for (const { deliveryId, attempt } of messages.filter((one) => one.warningId === String(warningId))) {
    const reference = `${deliveryId}.${attempt}`;
    attempts.set(reference, (attempts.get(reference) ?? 0) + 1);
  }
  const invariants = await judge(database, warningId, { attempts, arrivals, acts: [] });
  return invariants.flatMap(({ number, holds, counts, first }) => {
    const wrong =
      number === 3
        ? counts['carriedFalsely'] !== 0
        : number === 7
          ? counts['chased'] !== 0 || counts['waiting'] !== 0
          : !holds;
    return wrong ? [`W${warningId} ${number}: ${JSON.stringify(counts)} ${first.join('; ')}`] : [];
  });
}

const lineOf = ({ warningId, over }: Heard) => `W${warningId}${over ? ' over' : ''}`;
