/**
 * One marked test message to one person, by the channels they have: whether they can be reached is known before it matters. It
 * carries no warning, and the wall between made-up and real people holds for it as for everything else.
 */
import { findPeople, readLanguage, type FoundPerson } from '../db/people-check.ts';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { ChannelPort, SendResult } from '../domain/ports.ts';
import type { Language } from '../domain/texts.ts';
import { isoWithOffset } from '../domain/time.ts';
import { halfWidth, plainName } from './organisation-csv.ts';
import { maskAddress, parseEmail, parsePhone } from './organisation-person.ts';

const MARK: Readonly<Record<Language, string>> = { zh: '【测试】', en: '[TEST]' };

/** Nobody may take it for a warning, or answer it as one. */
const TEXT: Readonly<Record<Language, (issuer: string, at: string) => string>> = {
  zh: (issuer, at) => `这是${issuer}的通联测试,不是预警,不需要采取任何措施,也不需要回复。${at}`,
  en: (issuer, at) =>
    `This is a contact test by ${issuer}. It is no warning: do nothing, and do not reply. ${at}`,
};

const NAMED_MOST = 6;

function testText(language: Language, issuer: string): string {
  const mark = MARK[language];
  return `${mark}${TEXT[language](issuer, isoWithOffset(Date.now()))}${mark}`;
}

/** What is said in a call that is a test, by the reference of its message; null where it is none. */
export async function testCall(
  database: Database,
  reference: string,
  issuer: string,
): Promise<{ language: Language; text: string } | null> {
  const personId = Number(/^test-(\d{1,15})-[0-9a-z]{1,12}\.1$/.exec(reference)?.[1]);
  if (Number.isNaN(personId)) return null;
  const language = await readLanguage(database, personId);
  return language === null ? null : { language, text: testText(language, issuer) };
}

export type TestedChannel = {
  channel: string;
  /** Masked. */
  address: string;
  outcome: SendResult['outcome'] | 'not sent';
  /** The result class, or a fault that is known of the address. */
  reason: string | null;
  sender: string | null;
};

export type TestedPerson = {
  personId: number;
  name: string;
  synthetic: boolean;
  results: TestedChannel[];
};

/** Sends the test by one channel of the person, or by all they have, one after the other. Refuses who is not meant for these channels. */
export async function testPerson(
  database: Database,
  input: {
    person: string;
    channel?: string;
    channels: readonly ChannelPort[];
    live: boolean;
    issuer: string;
  },
): Promise<TestedPerson> {
  const { channels, live, issuer } = input;
  const person = await findPerson(database, input.person);
  refuseOtherWorld(person, live);
  const addresses = person.channels.filter(
    ({ channel }) => input.channel === undefined || channel === input.channel,
  );
  if (addresses.length === 0) {
    const has = person.channels.map(({ channel }) => channel).join(', ');
    throw new FenghuoError({
      code: 'no-channel',
      refusal: 'notFound',
      sentence:
        has === ''
          ? `${person.name} has no address at all. \`fenghuo people import\` adds one.`
          : `${person.name} has no address for ${input.channel ?? ''}; they have: ${has}.`,
    });
  }
  const results: TestedChannel[] = [];
  for (const { channel, address, fault } of addresses) {
    const port = channels.find((candidate) => candidate.channel === channel);
    const masked = maskAddress(address);
    if (fault !== null || !port) {
      const reason = fault ?? 'channel-not-configured';
      results.push({ channel, address: masked, outcome: 'not sent', reason, sender: null });
      continue;
    }
    const result = await sendTest(port, { person, address, live, issuer });
    results.push({
      channel,
      address: masked,
      outcome: result.outcome,
      reason: 'reason' in result ? result.reason : null,
      sender: result.sender ?? null,
    });
  }
  const { personId, name, synthetic } = person;
  return { personId, name, synthetic, results };
}

async function sendTest(
  port: ChannelPort,
  input: { person: FoundPerson; address: string; live: boolean; issuer: string },
): Promise<SendResult> {
  const { person, address, live, issuer } = input;
  const { language, synthetic } = person;
  const mark = MARK[language];
  const text = testText(language, issuer);
  // Of no delivery and of no warning, and another each time: receivers drop what they have had before.
  const deliveryId = `test-${person.personId}-${Date.now().toString(36)}`;
  try {
    return await port.send({
      ...{ deliveryId, attempt: 1, warningId: '0', level: 'blue', language, synthetic, address },
      kind: live ? 'actual' : 'exercise',
      subject: `${mark}${issuer}`,
      text,
      parameters: { text, number: '' },
      exercise: null,
    });
  } catch {
    return { outcome: 'unknown', reason: 'defect' };
  }
}

/** The one person a word names: a staff number, a telephone number, an e-mail address, or a name that only one has. */
async function findPerson(database: Database, word: string): Promise<FoundPerson> {
  const phone = parsePhone(word);
  const email = parseEmail(word);
  const words = [
    halfWidth(word),
    plainName(word),
    ...('value' in phone && phone.value ? [phone.value.number] : []),
    ...('value' in email && email.value ? [email.value] : []),
  ];
  const found = await findPeople(database, words, NAMED_MOST + 1);
  const [person] = found;
  if (person && found.length === 1) return person;
  if (!person) {
    throw new FenghuoError({
      code: 'unknown-person',
      refusal: 'notFound',
      sentence: `Nobody is known as "${word}". Give a staff number, a telephone number, an e-mail address or a name; \`fenghuo people list UNIT\` shows people.`,
    });
  }
  throw new FenghuoError({
    code: 'several-people',
    refusal: 'usage',
    sentence: `Several people are called ${word}. Give the staff number or the telephone number:`,
    details: [
      ...found.slice(0, NAMED_MOST).map(({ name, channels }) => {
        const addresses = channels.map(({ address }) => maskAddress(address));
        return `${name}  ${[...new Set(addresses)].join('  ')}`;
      }),
      ...(found.length > NAMED_MOST ? ['…'] : []),
    ],
  });
}

/** Stand-ins answer for made-up people only, and live channels reach real ones only. */
function refuseOtherWorld(person: FoundPerson, live: boolean): void {
  if (live !== person.synthetic) return;
  throw new FenghuoError({
    code: 'other-world',
    refusal: 'notPermitted',
    sentence: live
      ? `${person.name} is made up, and these channels are live: nobody is there to test.`
      : `${person.name} is a real person, and these channels are stand-ins: a test would reach nobody. Set FENGHUO_CHANNELS=live where it is meant.`,
  });
}
