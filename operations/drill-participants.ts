/**
 * Drills with some real people: a list says who agreed and when, every problem by its line. They are told by an account of drills alone,
 * at the speed of life; what their channels prove goes back to the live register.
 */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  findByReference,
  insertParticipants,
  markStopped,
  readOtherWithPeople,
  readParticipantNews,
  type KnownPerson,
  type Participant,
} from '../db/drill-participants.ts';
import { keepProofs } from '../db/proving.ts';
import type { Channel } from '../domain/rules.ts';
import { isoWithOffset, type Instant } from '../domain/time.ts';
import { checkDrill, drillName, requireDrill, writeDrill, type Drill, type DrillRequest } from './drills.ts';
import {
  decodeFile,
  describe,
  halfWidth,
  ImportRefused,
  readTable,
  type Column,
  type LineError,
  type Table,
} from './organisation-csv.ts';
import { parseEmail, parsePhone } from './organisation-person.ts';
import { readStory } from './scenario-files.ts';
import { refuse } from './warning-request.ts';

const COLUMNS: readonly Column[] = [
  { key: 'reference', headers: ['reference', '工号', '人员', '编号'], required: true },
  { key: 'agreedOn', headers: ['agreed_on', 'agreed on', '同意日期'], required: true },
];

/** Whom an account of drills asks by name. More is a mistake of the list: nobody collects so many consents for one drill. */
const PARTICIPANTS_MOST = 2_000;

/** The account that reaches those who agreed. */
export type DrillAccount = {
  /** Whether one of its senders takes messages of the channel to this address. */
  carries(channel: Channel, address: string): boolean;
  /** Keeps its senders from both kinds of the installation; throws where one of them has what is the account's. */
  bind(): Promise<unknown>;
};

/** Writes down a drill that the people of this list agreed to. Everything is checked before anything is written. */
export async function createDrillWithPeople(
  live: Database,
  request: DrillRequest,
  { list, account }: { list: Uint8Array; account: DrillAccount },
): Promise<Drill> {
  if (request.speed !== 1) {
    throw refuse(
      'drill-people-speed',
      'Real people are told at the speed of life: leave --speed out, or give --speed 1.',
    );
  }
  const drill = await checkDrill(live, request, await readStory(request.scenario));
  const people = await readParticipants(live, list, drill.areaIds, account);
  await requireNoOther(live);
  await account.bind();
  const id = await live
    .transaction(async (sql) => {
      const drillId = await writeDrill(sql, drill);
      await insertParticipants(sql, drillId, people);
      const body = { drill: drillName(drillId), people: people.length };
      await appendRecord(sql, { kind: 'drill with people', warningId: null, actor: null, body });
      return drillId;
    })
    .catch(async (error: unknown) => {
      // Somebody else was quicker.
      await requireNoOther(live);
      throw error;
    });
  return requireDrill(live, id);
}

async function requireNoOther(live: Sql): Promise<void> {
  const other = await readOtherWithPeople(live);
  if (other === null) return;
  const name = drillName(other);
  throw refuse(
    'drill-with-people',
    `${name} is with real people and is not over. They are told by one account with one limit, so one such drill runs at a time. ` +
      `End it first: \`fenghuo drill stop ${name}\`.`,
    [],
    'conflict',
  );
}

/** The people of a list, all of whom may take part; throws with every problem by its line. */
export async function readParticipants(
  live: Sql,
  list: Uint8Array,
  areaIds: readonly number[],
  account: Pick<DrillAccount, 'carries'>,
): Promise<Participant[]> {
  const table = readList(list);
  const lines = table.rows.map((row) => ({
    line: row.line,
    words: wordsOf(row.cell('reference')),
    agreedOn: dayOf(row.cell('agreedOn')),
  }));
  const known = await findByReference(
    live,
    lines.flatMap(({ words }) => words),
    areaIds,
  );
  const byReference = new Map(known.map((person) => [person.reference, person]));
  const lineOf = new Map<number, number>();
  const errors: LineError[] = [...table.errors];
  const people = lines.flatMap(({ line, words, agreedOn }): Participant[] => {
    const person = words.map((word) => byReference.get(word)).find((one) => one !== undefined);
    const faults: (readonly [column: string, sentence: string | null])[] = [
      ['reference', personFault(person, words, account)],
      ['agreedOn', agreementFault(agreedOn, person)],
    ];
    const before = person && lineOf.get(person.personId);
    if (before !== undefined) faults.push(['reference', `stands in line ${before} already`]);
    for (const [key, sentence] of faults)
      if (sentence !== null) errors.push({ line, column: table.headerOf(key), sentence });
    if (!person) return [];
    lineOf.set(person.personId, line);
    return agreedOn === null ? [] : [{ personId: person.personId, agreedOn }];
  });
  if (errors.length > 0) throw refusedList(errors);
  if (people.length === 0) throw refuse('drill-people-none', 'The list names nobody. Nothing was started.');
  if (people.length > PARTICIPANTS_MOST) {
    throw refuse(
      'drill-people-many',
      `The list names ${people.length} people; ${PARTICIPANTS_MOST} at most.`,
    );
  }
  return people;
}

function readList(list: Uint8Array): Table {
  try {
    return readTable(decodeFile(list), COLUMNS);
  } catch (error) {
    if (error instanceof ImportRefused) throw refusedList(error.errors);
    throw error;
  }
}

function refusedList(errors: readonly LineError[]) {
  const inOrder = [...errors].sort((one, other) => one.line - other.line);
  return refuse(
    'drill-people',
    'The list of people who agreed has faults. Nothing was started, and nobody was told:',
    inOrder.map(describe),
  );
}

/** How somebody is known: a staff number, else a telephone number or a mail address in the register's own spelling. */
function wordsOf(cell: string): string[] {
  const word = halfWidth(cell);
  if (word === '') return [];
  const [phone, email] = [parsePhone(word), parseEmail(word)];
  return [
    word,
    ...('value' in phone && phone.value ? [phone.value.number] : []),
    ...('value' in email && email.value ? [email.value] : []),
  ];
}

/** No sentence repeats the reference: it may be a telephone number. */
function personFault(
  person: KnownPerson | undefined,
  words: readonly string[],
  account: Pick<DrillAccount, 'carries'>,
): string | null {
  if (words.length === 0) return 'is empty';
  if (!person) return 'nobody is known by it; `fenghuo people list UNIT` shows people';
  if (person.synthetic) return 'this person is made up: nobody is there to be told';
  if (!person.concerned)
    return 'holds no post in the places of this scenario, so nothing of it would reach them';
  const usable = person.channels.filter(({ fault }) => fault === null);
  if (usable.length === 0) return 'has no address that can be used';
  return usable.some(({ channel, address }) => account.carries(channel, address))
    ? null
    : `has no address that the account of drills can reach: only ${usable.map(({ channel }) => channel).join(', ')}`;
}

/** `2026-11-20` of `2026-11-20` and `2026/11/20`; null for what is no day. */
function dayOf(cell: string): string | null {
  const [, year = '', month = '', day = ''] =
    /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})$/.exec(halfWidth(cell)) ?? [];
  const iso = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`;
  const at = new Date(`${iso}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(iso) ? iso : null;
}

function agreementFault(agreedOn: string | null, person: KnownPerson | undefined): string | null {
  if (agreedOn === null) return 'is no day such as 2026-11-20';
  if (agreedOn > dayAt(Date.now())) return 'lies in the future';
  if (person?.stoppedAt == null) return null;
  const stoppedOn = dayAt(person.stoppedAt);
  return agreedOn > stoppedOn ? null : `wrote STOP to a drill on ${stoppedOn}: ask them again`;
}

const dayAt = (at: Instant) => isoWithOffset(at).slice(0, 10);

/**
 * At the end of a drill: which addresses of those who agreed have proven themselves, by an answer or by a receipt that they arrived, and
 * who wrote STOP. Simulated people prove nothing. Doing it twice changes nothing.
 */
export async function keepWhatPeopleProved(live: Database, own: Sql, drillId: number): Promise<void> {
  const news = await readParticipantNews(own);
  const proofs = news.flatMap(({ provenAt, ...address }) =>
    provenAt === null ? [] : [{ ...address, provenAt }],
  );
  await keepProofs(live, proofs);
  const stopped = news.filter((one) => one.stopped);
  await markStopped(
    live,
    drillId,
    stopped.map(({ personId }) => personId),
  );
}
