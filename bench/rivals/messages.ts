/** The engine's own texts for the same people, so that every rival moves the same bytes. */
import type { Config } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import { answerNumber, answerToken, recipientName } from '../../domain/links.ts';
import type { OutgoingMessage } from '../../domain/ports.ts';
import type { Channel } from '../../domain/rules.ts';
import { render, standardText } from '../../domain/texts.ts';

const WARNING = { hazard: '11B03', level: 'red', issuer: '演练气象台' } as const;

export type Addressee = { personId: number; address: string; unitName: string };

/** Everyone who has the channel, with the unit they stand for. */
export async function readAddressees(database: Database, channel: Channel): Promise<Addressee[]> {
  return database.query<Addressee>(
    `select a.person_id as "personId", a.address, u.name as "unitName"
     from person_channels a join posts p on p.person_id = a.person_id join units u on u.id = p.unit_id
     where a.channel = $1 order by a.person_id`,
    [channel],
  );
}

/** Makes the message of one person; `word` stands where the warning's number would, and tells rounds apart in the ledger. */
export function messageMaker(input: {
  config: Config;
  channel: Channel;
  word: string;
}): (addressee: Addressee) => OutgoingMessage {
  const { config, channel, word } = input;
  const keys = [{ id: '1', secret: config.FENGHUO_SECRET }];
  const wording = { ...WARNING, issuedAt: Date.now() };
  const warning = {
    ...WARNING,
    warningId: 1,
    kind: 'exercise',
    textZh: standardText('zh', { ...wording, areas: ['演练市'] }),
    textEn: standardText('en', { ...wording, areas: ['演练市'] }),
  } as const;
  return ({ personId, address, unitName }) => {
    const number = answerNumber(keys, 1, recipientName('people', personId));
    const { subject, text } = render(warning, {
      purpose: 'rung',
      language: 'zh',
      units: [unitName],
      number,
      link: channel === 'email' ? `${config.FENGHUO_PUBLIC_URL}/a/${answerToken(keys, personId)}` : null,
      bridge: null,
      digest: null,
      report: null,
    });
    return {
      deliveryId: String(personId),
      attempt: 1,
      warningId: word,
      level: 'red',
      kind: 'exercise',
      synthetic: true,
      address,
      language: 'zh',
      subject,
      text,
      parameters: { text, number },
      exercise: { step: 'rung 0', speed: 1 },
    };
  };
}

/** All messages of a round. */
export async function readMessages(input: {
  config: Config;
  database: Database;
  channel: Channel;
  word: string;
}): Promise<OutgoingMessage[]> {
  return (await readAddressees(input.database, input.channel)).map(messageMaker(input));
}
