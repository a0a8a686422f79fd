/**
 * What importing a file of people would do to the people, addresses and posts that are there. Pure.
 *
 * The file tells all posts of the units it names: who is no longer listed there has held the post until now. Units it
 * does not name stay as they are. A column the file lacks changes nothing; an empty cell takes the address away.
 */
import type { HeldPost, PersonRow, PostRow } from '../db/organisation-people.ts';
import type { LineError } from './organisation-csv.ts';
import type { FilePerson, PersonHeaders, PersonLine } from './organisation-people-gather.ts';

export type KnownPeople = { people: readonly PersonRow[]; posts: readonly HeldPost[] };

export type PlannedPerson = {
  person: FilePerson;
  existing: PersonRow | null;
  /** What is to stand in `people`. */
  row: { reference: string; name: string; language: string; synthetic: boolean };
  put: { channel: string; address: string }[];
  remove: string[];
  kind: 'added' | 'changed' | 'unchanged';
};

export type PeoplePlan = {
  errors: LineError[];
  people: PlannedPerson[];
  ended: HeldPost[];
  begun: { line: PersonLine; person: PlannedPerson }[];
  unchangedPosts: number;
  /** Numbers that pass to a successor are taken from the people who held them. */
  freed: { personId: number; channel: string }[];
  /** People whose number or address now names somebody else: they keep their row and their past under another reference. */
  retired: number[];
};

export type PlanPeopleInput = {
  people: readonly FilePerson[];
  known: KnownPeople;
  headers: PersonHeaders;
  /** Which columns the file has. */
  has: { phone: boolean; email: boolean };
  /** Which of the file's numbers are landlines: called, and never written to. */
  landlines: ReadonlySet<string>;
  synthetic: boolean;
};

/** Compares people of a file with what is known. With errors the plan must not be carried out. */
export function planPeople(input: PlanPeopleInput): PeoplePlan {
  const errors: LineError[] = [];
  const { people, retired } = matchPeople(input, errors);
  const posts = planPosts(input, people);
  const freed = freeNumbers(input, people, posts.ended, errors);
  return { errors, people, ...posts, freed, retired };
}

function matchPeople(
  input: PlanPeopleInput,
  errors: LineError[],
): { people: PlannedPerson[]; retired: number[] } {
  const byReference = new Map(input.known.people.map((row) => [row.reference, row]));
  const byName = new Map<string, PersonRow[]>();
  for (const row of input.known.people) {
    if (row.synthetic === input.synthetic) byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  }
  const taken = new Map<number, FilePerson>();
  const retired = new Set<number>();
  const matched = input.people.map((person) => {
    const referred = byReference.get(person.reference);
    const found = findByAddress(person, byName.get(person.name) ?? []);
    // A staff number is a person whatever the name; a telephone passes from hand to hand, so there the name counts.
    const existing =
      person.staffNumber !== null
        ? (referred ?? found)
        : (found ?? (referred?.name === person.name ? referred : undefined));
    const other = existing && taken.get(existing.id);
    if (other) {
      const sentence = `this is the person of line ${other.lines[0]?.line ?? 0}, ${other.name}; give both lines the same number`;
      errors.push({ line: person.lines[0]?.line ?? 0, column: input.headers.name, sentence });
    }
    if (existing) taken.set(existing.id, person);
    else if (referred) retired.add(referred.id);
    return { person, existing: existing ?? null };
  });
  const people = matched.map(({ person, existing }) => {
    const kept = existing && !retired.has(existing.id) ? existing.reference : person.reference;
    return planPerson(person, existing, person.staffNumber ?? kept, input);
  });
  return { people, retired: [...retired] };
}

/** Someone imported before without a staff number, or now without the one they had: same name, same address. */
function findByAddress(person: FilePerson, sameName: readonly PersonRow[]): PersonRow | undefined {
  const found = sameName.filter((row) => {
    if (person.staffNumber !== null && isStaffNumber(row.reference)) return false;
    const number = numberOf(row);
    if (person.phone !== null && number !== undefined) return number === person.phone;
    return person.email !== null && row.addresses['email'] === person.email;
  });
  return found.length === 1 ? found[0] : undefined;
}

function planPerson(
  person: FilePerson,
  existing: PersonRow | null,
  reference: string,
  input: PlanPeopleInput,
): PlannedPerson {
  const row = {
    reference,
    name: person.name,
    language: person.language ?? existing?.language ?? 'zh',
    synthetic: input.synthetic,
  };
  const put: PlannedPerson['put'] = [];
  const remove: string[] = [];
  const mobile = person.phone !== null && !input.landlines.has(person.phone) ? person.phone : null;
  const wanted = [
    { channel: 'sms', address: mobile, told: input.has.phone },
    { channel: 'voice', address: person.phone, told: input.has.phone },
    { channel: 'email', address: person.email, told: input.has.email },
  ];
  for (const { channel, address, told } of wanted) {
    const present = existing?.addresses[channel];
    if (address !== null && address !== present) put.push({ channel, address });
    if (address === null && told && present !== undefined) remove.push(channel);
  }
  if (existing === null) return { person, existing, row, put, remove, kind: 'added' };
  const same =
    put.length + remove.length === 0 &&
    row.reference === existing.reference &&
    row.name === existing.name &&
    row.language === existing.language &&
    row.synthetic === existing.synthetic;
  return { person, existing, row, put, remove, kind: same ? 'unchanged' : 'changed' };
}

function planPosts(input: PlanPeopleInput, people: readonly PlannedPerson[]) {
  const units = new Set(input.people.flatMap(({ lines }) => lines.map(({ unitId }) => unitId)));
  const held = new Map<string, HeldPost>();
  const ended: HeldPost[] = [];
  for (const post of input.known.posts) {
    if (!units.has(post.unitId)) continue;
    const key = postKey(post, post.personId);
    // The same post held twice at once is put right by ending one of them.
    if (held.has(key)) ended.push(post);
    else held.set(key, post);
  }
  const begun: PeoplePlan['begun'] = [];
  let unchangedPosts = 0;
  for (const person of people) {
    for (const line of person.person.lines) {
      const key = postKey(line, person.existing?.id ?? 0);
      if (held.delete(key)) unchangedPosts += 1;
      else begun.push({ line, person });
    }
  }
  ended.push(...held.values());
  return { ended, begun, unchangedPosts };
}

/** A number given to a new holder: free where the former one keeps no post, refused where they are still on duty. */
function freeNumbers(
  input: PlanPeopleInput,
  people: readonly PlannedPerson[],
  ended: readonly HeldPost[],
  errors: LineError[],
): PeoplePlan['freed'] {
  const told = new Set(people.map(({ existing }) => existing?.id));
  const endedIds = new Set(ended.map(({ id }) => id));
  const onDuty = new Set(
    input.known.posts.filter(({ id }) => !endedIds.has(id)).map(({ personId }) => personId),
  );
  const holders = new Map<string, PersonRow[]>();
  for (const row of input.known.people) {
    const number = numberOf(row);
    // Whom the file names as well gets there what number they have now.
    if (number !== undefined && !told.has(row.id)) holders.set(number, [...(holders.get(number) ?? []), row]);
  }
  return people.flatMap(({ person }) =>
    (input.landlines.has(person.phone ?? '') ? [] : (holders.get(person.phone ?? '') ?? [])).flatMap(
      (holder) => {
        if (!onDuty.has(holder.id))
          return ['sms', 'voice'].map((channel) => ({ personId: holder.id, channel }));
        const sentence = `this number belongs to ${holder.name}, who holds a post elsewhere`;
        errors.push({ line: person.lines[0]?.line ?? 0, column: input.headers.phone, sentence });
        return [];
      },
    ),
  );
}

/** Somebody's telephone number, a mobile or else a landline. */
function numberOf(row: PersonRow): string | undefined {
  return row.addresses['sms'] ?? row.addresses['voice'];
}

function postKey(post: Pick<PostRow, 'unitId' | 'rank' | 'title'>, personId: number): string {
  return `${post.unitId} ${post.rank} ${personId} ${post.title}`;
}

/** Telephone numbers begin with +, addresses contain @; what has neither is a staff number. */
function isStaffNumber(reference: string): boolean {
  return !reference.startsWith('+') && !reference.includes('@');
}
