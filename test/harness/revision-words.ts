/** What people of a chain say, by each way they have: the number of a message, its link, or an officer who vouches for them. */
import type { Database } from '../../db/database.ts';
import { DELIVERY_ID_STRIDE } from '../../db/pages.ts';
import { answerNumber, answerToken, recipientName } from '../../domain/links.ts';
import type { AnswerKind } from '../../domain/unit.ts';
import { answerByLink } from '../../operations/answer-links.ts';
import { answerByCommand, answerByReply, type ReplyVerdict } from '../../operations/answers.ts';
import { TEST_KEYS } from './local-cascade.ts';
import {
  concerns,
  pathOf,
  UNITS,
  type Draws,
  type Link,
  type RevisionFacts,
  type Said,
} from './revision-facts.ts';
import type { SmallTree } from './small-tree.ts';

export type Speaking = { database: Database; tree: SmallTree; draws: Draws; facts: RevisionFacts };

/** What was said, of which warning by the rules as people know them, and by which way. */
export type Spoken = { words: Said[]; what: string; faults: string[] };

const REPLIES: readonly (readonly [AnswerKind, string])[] = [
  ['received', '1'],
  ['done', '2'],
  ['cannot act', '3'],
];

/** One word of somebody, of the newest warning or of any before it. */
export async function speak(speaking: Speaking): Promise<Spoken> {
  const luck = speaking.draws.random();
  if (luck < 0.35) return vouch(speaking);
  return luck < 0.65 ? reply(speaking) : press(speaking);
}

/** A number names its warning, whether or not that still counts. */
async function reply({ database, tree, draws, facts }: Speaking): Promise<Spoken> {
  const link = linkOf(draws, facts);
  const personId = tree.person(draws.any(UNITS), draws.below(2));
  const [kind, word] = draws.any(REPLIES);
  const number = answerNumber(TEST_KEYS, link.warningId, recipientName('people', personId));
  const [place] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [personId],
  );
  const id = `${link.warningId} ${draws.random()}`;
  const from = place?.address ?? '';
  const verdict = await answerByReply(database, TEST_KEYS, { id, from, text: `${word} ${number}` });
  if (verdict !== 'recorded') return { words: [], what: 'reply, not taken', faults: [] };
  return { words: await wordsOf(database, link, personId, kind), what: 'reply', faults: [] };
}

/** A household replies to a warning of the chain. */
export async function householdReplies({
  database,
  draws,
  facts,
}: Omit<Speaking, 'tree'>): Promise<ReplyVerdict> {
  const link = linkOf(draws, facts);
  const households = await database.query<{ id: number; address: string }>(
    'select id, address from households order by id',
  );
  const { id, address } = draws.any(households);
  const number = answerNumber(TEST_KEYS, link.warningId, recipientName('households', id));
  const reply = { id: `${link.warningId} h ${draws.random()}`, from: address, text: `1 ${number}` };
  return answerByReply(database, TEST_KEYS, reply);
}

/** A link counts for what counts now, where that concerns its owner. */
async function press(speaking: Speaking): Promise<Spoken> {
  const { database, draws, facts } = speaking;
  const links = facts.messages.filter(({ text }) => text.includes('answers.example'));
  const message = links.length > 0 ? draws.any(links) : null;
  const [owner] = message
    ? await database.query<{ id: number }>(
        `select recipient_id as id from pages p, unnest(p.recipients) with ordinality as r (recipient_id, place)
         where p.id = $1::bigint / ${DELIVERY_ID_STRIDE} and r.place = $1::bigint % ${DELIVERY_ID_STRIDE} + 1 and p.audience = 'people'`,
        [message.deliveryId],
      )
    : [];
  if (!message || !owner) return vouch(speaking);
  const warningId = Number(message.warningId);
  const [answer] = draws.any(REPLIES);
  const token = answerToken(TEST_KEYS, Number(message.deliveryId));
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', owner.id));
  const taken = await answerByLink(database, TEST_KEYS, { token, number, answer, doneCount: null });
  const newest = newestOf(facts);
  const own = facts.chain.find((one) => one.warningId === warningId) as Link;
  const words = await wordsOf(database, newest, owner.id, answer);
  return {
    words: words.length > 0 ? words : await wordsOf(database, own, owner.id, answer),
    what: own === newest ? 'link' : 'link of an earlier warning',
    faults: taken.kind === 'recorded' ? [] : [`a link of W${warningId} was refused: ${taken.kind}`],
  };
}

async function vouch({ database, draws, facts }: Speaking): Promise<Spoken> {
  const link = linkOf(draws, facts);
  const unit = draws.any(UNITS.filter((one) => concerns(link, one)));
  const [answer] = draws.any(REPLIES);
  await answerByCommand(database, {
    ...{ warningId: link.warningId, unit: pathOf(unit), answer, doneCount: null },
    ...{ vouchedBy: '值班员', how: '电话' },
  });
  const what = link === newestOf(facts) ? 'vouched' : 'vouched for an earlier warning';
  return { words: [{ warningId: link.warningId, unit, kind: answer }], what, faults: [] };
}

/** Mostly the newest. */
function linkOf(draws: Draws, facts: RevisionFacts): Link {
  return draws.random() < 0.7 ? newestOf(facts) : draws.any(facts.chain);
}

function newestOf({ chain }: RevisionFacts): Link {
  return chain.at(-1) as Link;
}

/** For every unit of theirs that the warning concerns. */
async function wordsOf(database: Database, link: Link, personId: number, kind: AnswerKind): Promise<Said[]> {
  const rows = await database.query<{ name: string }>(
    'select distinct u.name from posts p join units u on u.id = p.unit_id where p.person_id = $1',
    [personId],
  );
  const { warningId } = link;
  return rows.filter(({ name }) => concerns(link, name)).map(({ name: unit }) => ({ warningId, unit, kind }));
}
