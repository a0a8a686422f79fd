/**
 * Gathers the lines of a file of people into people: one person may stand in several lines, one for each post.
 * Known by staff number, else by telephone, else by e-mail. Pure.
 */
import type { LineError } from './organisation-csv.ts';

/** One line, its cells already parsed: one post of one person. */
export type PersonLine = {
  line: number;
  unitId: number;
  name: string;
  title: string;
  rank: number;
  phone: string | null;
  email: string | null;
  staffNumber: string | null;
  language: 'zh' | 'en' | null;
};

/** A person as the file tells of them, over all their lines. */
export type FilePerson = {
  reference: string;
  name: string;
  phone: string | null;
  email: string | null;
  staffNumber: string | null;
  language: 'zh' | 'en' | null;
  lines: PersonLine[];
};

export type PersonHeaders = Record<
  'unit' | 'name' | 'title' | 'rank' | 'phone' | 'email' | 'staffNumber' | 'language',
  string
>;

const MERGED = ['name', 'phone', 'email', 'staffNumber', 'language'] as const;

const CALLED: Record<(typeof MERGED)[number], string> = {
  name: 'name',
  phone: 'telephone number',
  email: 'e-mail address',
  staffNumber: 'staff number',
  language: 'language',
};

/** People in the order of their first lines, and what contradicts itself within the file. */
export function gatherPeople(
  lines: readonly PersonLine[],
  headers: PersonHeaders,
  landlines: ReadonlySet<string>,
): { people: FilePerson[]; errors: LineError[] } {
  const errors: LineError[] = [];
  const people = new Map<string, FilePerson>();
  const references = findReferences(lines);
  for (const line of lines) {
    const reference = references.get(line) ?? '';
    const known = people.get(reference);
    if (!known) {
      people.set(reference, { ...line, reference, lines: [line] });
      continue;
    }
    for (const key of MERGED) {
      if (line[key] !== null && known[key] !== null && line[key] !== known[key]) {
        const sentence = `line ${known.lines[0]?.line ?? 0} gives the same person another ${CALLED[key]}`;
        errors.push({ line: line.line, column: headers[key], sentence });
      }
    }
    known.lines.push(line);
    known.phone ??= line.phone;
    known.email ??= line.email;
    known.language ??= line.language;
  }
  const gathered = [...people.values()];
  errors.push(
    ...doubledRanks(lines, headers),
    ...withoutChannel(gathered),
    ...sharedNumbers(gathered, headers, landlines),
  );
  return { people: gathered, errors };
}

/**
 * A line without a staff number means the person whose number it gives, wherever that stands in the file; one with an
 * e-mail address only means the person of that address and name, because offices share addresses.
 */
function findReferences(lines: readonly PersonLine[]): Map<PersonLine, string> {
  const references = new Map<PersonLine, string>();
  const byPhone = new Map<string, string>();
  const byEmail = new Map<string, string>();
  const settle = (line: PersonLine, reference: string) => {
    references.set(line, reference);
    if (line.phone !== null && !byPhone.has(line.phone)) byPhone.set(line.phone, reference);
    const address = `${line.email ?? ''} ${line.name}`;
    if (line.email !== null && !byEmail.has(address)) byEmail.set(address, reference);
  };
  for (const line of lines) if (line.staffNumber !== null) settle(line, line.staffNumber);
  for (const line of lines) {
    if (line.staffNumber === null && line.phone !== null) settle(line, byPhone.get(line.phone) ?? line.phone);
  }
  for (const line of lines) {
    if (line.staffNumber !== null || line.phone !== null) continue;
    const address = `${line.email ?? ''} ${line.name}`;
    settle(line, line.email === null ? `line ${line.line}` : (byEmail.get(address) ?? line.email));
  }
  return references;
}

function doubledRanks(lines: readonly PersonLine[], headers: PersonHeaders): LineError[] {
  const first = new Map<string, PersonLine>();
  return lines.flatMap((line) => {
    const key = `${line.unitId} ${line.rank}`;
    const other = first.get(key);
    if (!other) {
      first.set(key, line);
      return [];
    }
    const which = line.rank === 0 ? 'principal' : `deputy ${line.rank}`;
    return [
      {
        line: line.line,
        column: headers.rank,
        sentence: `line ${other.line} names the ${which} of this unit already`,
      },
    ];
  });
}

function withoutChannel(people: readonly FilePerson[]): LineError[] {
  return people
    .filter(({ phone, email }) => phone === null && email === null)
    .flatMap(({ lines }) => lines)
    .map(({ line }) => ({
      line,
      column: null,
      sentence: 'the person can be reached by nothing; give a telephone number or an e-mail address',
    }));
}

/** A reply by text message is known by its number: two people cannot share one. A landline belongs to an office. */
function sharedNumbers(
  people: readonly FilePerson[],
  headers: PersonHeaders,
  landlines: ReadonlySet<string>,
): LineError[] {
  const owners = new Map<string, FilePerson>();
  return people.flatMap((person) => {
    if (person.phone === null || landlines.has(person.phone)) return [];
    const owner = owners.get(person.phone);
    if (!owner) {
      owners.set(person.phone, person);
      return [];
    }
    const sentence = `line ${owner.lines[0]?.line ?? 0} gives this number to another person`;
    return [{ line: person.lines[0]?.line ?? 0, column: headers.phone, sentence }];
  });
}
