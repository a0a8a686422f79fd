/**
 * A CAP message becomes what it asks for, once: an Exercise goes out, updates or ends a warning; an Actual becomes a draft that a second
 * person releases; Test, System and Draft are kept and go nowhere. Verdict, warning and the reply to the sender are one
 * transaction.
 */
import { createHash } from 'node:crypto';
import {
  lockSender,
  putMessage,
  putReply,
  readHead,
  readMessageByHash,
  readMessagesNamed,
  readMessagesNaming,
  readSender,
  type CapMessage,
  type CapSender,
  type CapVerdict,
  type NamingMessage,
  type WarningHead,
} from '../db/cap.ts';
import { appendRecord } from '../db/audit.ts';
import { readWarning } from '../db/warnings.ts';
import type { Database, Sql } from '../db/database.ts';
import { isIdentifierTaken } from '../db/drafts.ts';
import type { CapAlert } from '../domain/cap/alert.ts';
import { buildCap, referenceText } from '../domain/cap/build.ts';
import { CAP_BYTES_MAX } from '../domain/cap/decode.ts';
import { finding, isError, type Finding } from '../domain/cap/findings.ts';
import { replyTo, type CapIdentity } from '../domain/cap/from-warning.ts';
import { understand } from '../domain/cap/meaning.ts';
import { namesOf, saidBefore } from '../domain/cap/order.ts';
import { parseCap, parseCapText, type ParsedCap } from '../domain/cap/parse.ts';
import { isSigned, verifySignature } from '../domain/cap/signature.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { RulePack } from '../domain/rules.ts';
import { endByCancel } from './updates.ts';
import { draftOf, publishExercise, requestOf, type CapRequest } from './cap-request.ts';
import { IDENTIFIER_CHARACTERS_MAX, type DraftContent } from './draft-content.ts';

/** A warning lasts at most so long (operations/cap-request.ts): what ended one earlier has nothing left to end. */
const LATE_DAYS_MOST = 30;
/** Messages that name something, and names that are looked for. Product choices, far above what is seen. */
const NAMING_MOST = 20;
const NAMES_MOST = 100;

export type CapSettings = {
  /** Whether somebody stands behind the file: then an unknown sender is taken, as a draft at most. */
  trusted: boolean;
  rulePackFile?: string;
  /** Exercises only. @default 1 */
  speed?: number;
  /** Who we are, for Ack and Error; null sends none. */
  identity: CapIdentity | null;
  /**
   * Writes a draft on the word of whoever runs this, in the transaction given; null where nobody is logged in. A message that
   * needs it is held until somebody is.
   */
  draft:
    | ((
        database: Database,
        draft: { content: DraftContent; pack?: RulePack },
      ) => Promise<{ draftId: number }>)
    | null;
};

export type Received = {
  verdict: CapVerdict;
  /** It came before: nothing was done. */
  repeated: boolean;
  messageId: number | null;
  warningId: number | null;
  draftId: number | null;
  alert: Pick<CapAlert, 'sender' | 'identifier' | 'sent' | 'status' | 'msgType'> | null;
  findings: readonly Finding[];
};

/** Takes one message. It never throws for what is in the message; only where the database or the disk fails. */
export async function receiveCap(
  database: Database,
  input: { bytes: Buffer; origin: string },
  settings: CapSettings,
): Promise<Received> {
  const sha256 = createHash('sha256').update(input.bytes).digest();
  const before = await readMessageByHash(database, sha256);
  if (before && before.verdict !== 'refused' && before.verdict !== 'held') return repeatedOf(before);
  const parsed = parseCap(input.bytes);
  const judged = await judgeSender(database, parsed, settings.trusted);
  const arrival = { ...input, sha256, before: before?.verdict ?? null, ...judged };
  try {
    return await database.transaction((sql) => take(database, sql, arrival, settings));
  } catch (error) {
    if (!(error instanceof FenghuoError) || error.refusal === 'unreachable') throw error;
    // Authority is missing, or the rules have changed: the message waits for somebody who may.
    const reason = finding('CAP-722', null, { reason: error.message });
    return database.transaction((sql) =>
      settle(sql, arrival, settings, { verdict: 'held', findings: [...judged.findings, reason] }),
    );
  }
}

type Judged = {
  alert: CapAlert | null;
  /** Who it says it is, also where it was refused: only a configured sender is ever answered. */
  sender: CapSender | null;
  claimed: CapAlert | null;
  findings: Finding[];
};

type Arrival = Judged & {
  bytes: Buffer;
  origin: string;
  sha256: Buffer;
  /** What was decided of these very bytes the last time. */
  before: CapVerdict | null;
};

/** Whether it comes from whom it says. After a valid signature only what was signed counts. */
async function judgeSender(sql: Sql, parsed: ParsedCap, trusted: boolean): Promise<Judged> {
  const { alert, findings, text, root } = parsed;
  if (!alert || text === null || !root)
    return { alert: null, sender: null, claimed: null, findings: [...findings] };
  const sender = await readSender(sql, alert.sender);
  const told = (more: Finding[]): Judged => ({
    alert: more.some(isError) ? null : alert,
    sender,
    claimed: alert,
    findings: [...findings, ...more],
  });
  if (!sender) {
    if (!trusted) return told([finding('CAP-606', root.place, { sender: alert.sender })]);
    return told(isSigned(root) ? [finding('CAP-412', root.place)] : []);
  }
  if (sender.publicKey === null) return told([finding('CAP-607', root.place, { sender: alert.sender })]);
  const verified = verifySignature(text, root, sender.publicKey, alert.sender);
  if ('fault' in verified) return told([verified.fault]);
  const signed = parseCapText(verified.signed);
  return { alert: signed.alert, sender, claimed: alert, findings: [...signed.findings] };
}

async function take(
  database: Database,
  sql: Sql,
  arrival: Arrival,
  settings: CapSettings,
): Promise<Received> {
  const { alert, findings } = arrival;
  if (!alert) return settle(sql, arrival, settings, { verdict: 'refused', findings });
  await lockSender(sql, alert.sender);
  const named = await readMessagesNamed(sql, alert.sender, alert.identifier);
  const same = named.find(({ sent }) => sent === alert.sent);
  if (same) return repeatedOf(same);
  if (named.length > 0) {
    const { sender, identifier } = alert;
    findings.push(finding('CAP-718', null, { sender, identifier }));
  }
  const goesNowhere = !['Actual', 'Exercise'].includes(alert.status);
  if (goesNowhere || alert.msgType === 'Ack' || alert.msgType === 'Error') {
    return settle(sql, arrival, settings, { verdict: 'recorded', findings });
  }
  const over = await overtaken(sql, alert);
  if (over) {
    findings.push(finding('CAP-725', null, { msgType: over.msgType, identifier: over.identifier }));
    return settle(sql, arrival, settings, { verdict: 'recorded', findings });
  }
  return act({ database, sql, arrival, alert, settings });
}

type Act = { database: Database; sql: Sql; arrival: Arrival; alert: CapAlert; settings: CapSettings };

async function act({ database, sql, arrival, alert, settings }: Act): Promise<Received> {
  const { findings } = arrival;
  const head = alert.msgType === 'Alert' ? null : await predecessor(sql, alert, findings);
  const request = await requestOf(sql, { alert, head, ...packOf(settings) }, findings);
  if (!request || findings.some(isError)) {
    return settle(sql, arrival, settings, { verdict: 'refused', findings });
  }
  if (alert.status === 'Exercise') {
    const done = await exercise(sql, request, { speed: settings.speed ?? 1, sender: alert.sender });
    return settle(sql, arrival, settings, { ...done, findings });
  }
  if (!settings.draft) {
    const reason = 'Nobody is logged in: fenghuo login, or FENGHUO_TOKEN.';
    return settle(sql, arrival, settings, {
      verdict: 'held',
      findings: [...findings, finding('CAP-722', null, { reason })],
    });
  }
  // The draft joins this transaction: message and draft stand together or not at all.
  const joined: Database = { ...database, query: sql.query.bind(sql), transaction: (work) => work(sql) };
  const { identifier } = alert;
  const free =
    identifier.length <= IDENTIFIER_CHARACTERS_MAX && !(await isIdentifierTaken(sql, identifier, null));
  const { draftId } = await settings.draft(joined, draftOf(request, free ? identifier : null));
  return settle(sql, arrival, settings, { verdict: 'drafted', draftId, findings });
}

/** The message that came before this one and says what became of it; null where none does. */
async function overtaken(sql: Sql, alert: CapAlert): Promise<NamingMessage | null> {
  if (alert.msgType === 'Cancel') return null;
  for (const later of await readNaming(sql, alert, [alert.identifier, ...namesOf(alert)])) {
    const said = saidBefore(later, alert);
    if (said === 'names it' || (said && !(await standsBeside(sql, later, alert)))) return later;
  }
  return null;
}

async function readNaming(
  sql: Sql,
  { sender, status }: CapAlert,
  names: readonly string[],
): Promise<NamingMessage[]> {
  const identifiers = names.slice(0, NAMES_MOST);
  return readMessagesNaming(sql, {
    ...{ sender, status, identifiers },
    ...{ days: LATE_DAYS_MOST, most: NAMING_MOST },
  });
}

/**
 * Whether a late Update would have outlived a Cancel of what it updates, had they come in their order: it updates something that is
 * still open, what was cancelled was over already, or it is of another hazard and so a warning of its own.
 */
async function standsBeside(sql: Sql, cancel: NamingMessage, update: CapAlert): Promise<boolean> {
  const hazard = understand(update, Date.now()).meaning?.hazard.code;
  for (const name of namesOf(update).slice(0, NAMES_MOST)) {
    const named = await readMessagesNamed(sql, update.sender, name);
    const warningId = named.find((one) => one.warningId !== null)?.warningId ?? null;
    if (warningId === null) continue;
    if ((await readHead(sql, warningId))?.status === 'open') return true;
    if (!cancel.names.includes(name)) continue;
    if (cancel.verdict === 'refused' || (await readWarning(sql, warningId))?.hazard !== hazard) return true;
  }
  return false;
}

function packOf(settings: CapSettings): { rulePackFile?: string } {
  return settings.rulePackFile === undefined ? {} : { rulePackFile: settings.rulePackFile };
}

async function exercise(
  sql: Sql,
  request: CapRequest,
  { speed, sender }: { speed: number; sender: string },
): Promise<{ verdict: CapVerdict; warningId: number }> {
  if (request.act === 'cancel') {
    const { head, reason, textZh, textEn } = request;
    const texts = { ...(textZh === null ? {} : { textZh }), ...(textEn === null ? {} : { textEn }) };
    await endByCancel(sql, head.warningId, { reason, retracted: false, ...texts, actor: sender });
    return { verdict: 'cancelled', warningId: head.warningId };
  }
  const warningId = await publishExercise(sql, request, { speed, sender });
  return { verdict: request.head ? 'updated' : 'issued', warningId };
}

/**
 * The open warning that an Update or Cancel is about: by sender and identifier. A time that does not match is reported and
 * never loses an update: a real message of Baoding had one. Where what a Cancel names never became a warning, it ends
 * the Update of it that did.
 */
async function predecessor(sql: Sql, alert: CapAlert, findings: Finding[]): Promise<WarningHead | null> {
  for (const reference of alert.references) {
    if (reference.sender !== alert.sender) {
      findings.push(finding('CAP-720', null, { sender: reference.sender }));
      return null;
    }
    const named = await readMessagesNamed(sql, reference.sender, reference.identifier);
    const message = named.find(({ sent }) => sent === reference.sent) ?? named[0];
    if (alert.msgType === 'Cancel' && (message?.warningId ?? null) === null) {
      const updated = await openUpdateOf(sql, alert, reference.identifier);
      if (updated) return updated;
    }
    if (!message) continue;
    if (message.status !== alert.status) {
      findings.push(finding('CAP-715', null, { status: alert.status }));
      return null;
    }
    if (message.sent !== reference.sent && reference.sent !== '') {
      const { identifier, sent: said } = reference;
      findings.push(finding('CAP-710', null, { identifier, said, sent: message.sent ?? '' }));
    }
    if (message.warningId === null && message.draftId !== null)
      findings.push(finding('CAP-723', null, { draft: `D${message.draftId}` }));
    const head = message.warningId === null ? null : await readHead(sql, message.warningId);
    if (head?.status === 'open') return head;
  }
  const references = alert.references.map(referenceText).join(' ');
  findings.push(finding(alert.msgType === 'Cancel' ? 'CAP-714' : 'CAP-709', null, { references }));
  return null;
}

/** The open warning of an Update that names what this Cancel names, and was sent before it. */
async function openUpdateOf(sql: Sql, cancel: CapAlert, identifier: string): Promise<WarningHead | null> {
  for (const { msgType, sent, warningId } of await readNaming(sql, cancel, [identifier])) {
    if (msgType !== 'Update' || warningId === null || Date.parse(sent) > Date.parse(cancel.sent)) continue;
    const head = await readHead(sql, warningId);
    if (head?.status === 'open') return head;
  }
  return null;
}

type Settled = {
  verdict: CapVerdict;
  findings: readonly Finding[];
  warningId?: number;
  draftId?: number;
};

async function settle(
  sql: Sql,
  arrival: Arrival,
  settings: CapSettings,
  settled: Settled,
): Promise<Received> {
  const { verdict, findings, warningId = null, draftId = null } = settled;
  const said = arrival.claimed;
  const messageId = await putMessage(sql, {
    sha256: arrival.sha256,
    raw: arrival.bytes.length > CAP_BYTES_MAX ? null : arrival.bytes,
    origin: arrival.origin,
    sender: said?.sender ?? null,
    identifier: said?.identifier ?? null,
    sent: said?.sent ?? null,
    status: said?.status ?? null,
    msgType: said?.msgType ?? null,
    verdict,
    findings: [...findings],
    warningId,
    draftId,
    names: said ? namesOf(said) : [],
  });
  // A poller looks at what is held every minute: what is decided again as before was said, and is on record.
  if (messageId !== null && verdict !== arrival.before) {
    await answerSender(sql, arrival, settings, { messageId, verdict, findings });
    await appendRecord(sql, {
      kind: 'cap',
      warningId,
      actor: said?.sender ?? null,
      body: {
        origin: arrival.origin,
        identifier: said?.identifier ?? null,
        verdict,
        draftId,
        codes: findings.map(({ code }) => code),
      },
    });
  }
  return { verdict, repeated: messageId === null, messageId, warningId, draftId, alert: said, findings };
}

/** Ack for what was taken, Error for what was refused; never for an Ack or Error, and only to the address we have on file. */
async function answerSender(
  sql: Sql,
  arrival: Arrival,
  settings: CapSettings,
  about: { messageId: number; verdict: CapVerdict; findings: readonly Finding[] },
): Promise<void> {
  const { sender, claimed } = arrival;
  const { identity } = settings;
  if (!claimed || !identity || !sender?.replyUrl || about.verdict === 'held') return;
  if (claimed.msgType === 'Ack' || claimed.msgType === 'Error') return;
  const msgType = about.verdict === 'refused' ? 'Error' : 'Ack';
  const at = Date.now();
  const identifier = `fenghuo-${msgType}-${about.messageId}`;
  const reply = replyTo(claimed, { msgType, findings: about.findings, identifier, at }, identity);
  await putReply(sql, { messageId: about.messageId, msgType, url: sender.replyUrl, body: buildCap(reply) });
}

function repeatedOf(message: CapMessage): Received {
  const { sender, identifier, sent, status, msgType } = message;
  return {
    ...message,
    repeated: true,
    alert: sender === null ? null : ({ sender, identifier, sent, status, msgType } as Received['alert']),
  };
}
