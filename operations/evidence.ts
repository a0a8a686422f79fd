/** The evidence of one warning: what was said to whom, when, on whose word, by which rule, and who did not answer. */
import { readOneMoment } from '../db/audit-read.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  countHouseholds,
  readActs,
  readAnchorsSince,
  readEndTexts,
  readEscalations,
  readHeardAnswers,
  readRulePack,
  readSent,
  readUnitStories,
  type ActLine,
  type EndTexts,
  type Escalation,
  type HeardAnswer,
  type Sent,
  type UnitStory,
  type WrittenAnchor,
} from '../db/evidence.ts';
import { readWarning, type WarningRow } from '../db/warnings.ts';
import type { Purpose } from '../domain/guard.ts';
import type { Channel, RulePack } from '../domain/rules.ts';
import { inParts, render, type Language } from '../domain/texts.ts';
import { verifyMoment, type Verification } from './audit-verify.ts';
import { requireWarning } from './warnings.ts';

/** One rung of the ladder as it was frozen into the warning, and what the rule pack gives as its source. */
export type RuledRung = {
  rung: number;
  name: string;
  who: string;
  by: readonly Channel[];
  waitMs: number;
  /** The key of the source in the rule pack, and its text; null where the pack is not kept. */
  source: string | null;
  citation: string | null;
};

/** A text as it went out. What is in braces was the recipient's own: names of units, number, link. */
export type SentText = {
  purpose: string;
  language: Language;
  channels: readonly Channel[];
  subject: string | null;
  text: string;
};

export type Evidence = {
  /** When it was put together, in milliseconds. */
  at: number;
  warning: WarningRow;
  acts: readonly ActLine[];
  rungs: readonly RuledRung[];
  units: readonly UnitStory[];
  escalations: readonly Escalation[];
  sent: readonly Sent[];
  texts: readonly SentText[];
  answers: readonly HeardAnswer[];
  households: { told: number; answered: number };
  anchors: readonly WrittenAnchor[];
  verification: Verification;
};

/** Gathers it as of one moment, and calls `more` in that same moment with what reads on: the data that go along. */
export async function gatherEvidence(
  database: Database,
  warningId: number,
  more: (sql: Sql, evidence: Evidence) => Promise<void> = () => Promise.resolve(),
): Promise<Evidence> {
  const found = await requireWarning(database, warningId);
  return database.transaction(async (sql) => {
    await readOneMoment(sql);
    const warning = (await readWarning(sql, warningId)) ?? found;
    const pack = await readRulePack(sql, warning.rules.pack);
    const sent = await readSent(sql, warningId);
    const evidence: Evidence = {
      at: Date.now(),
      warning,
      acts: await readActs(sql, warningId),
      rungs: ruledRungs(warning, pack),
      units: await readUnitStories(sql, warningId),
      escalations: await readEscalations(sql, warningId),
      sent,
      texts: sentTexts({ ...warning, ...(await readEndTexts(sql, warningId)) }, sent),
      answers: await readHeardAnswers(sql, warningId),
      households: await countHouseholds(sql, warningId),
      anchors: await readAnchorsSince(sql, 1),
      verification: await verifyMoment(sql, { warningId }),
    };
    await more(sql, evidence);
    return evidence;
  });
}

/** A rung that is tried several times in a row is several in the frozen ladder, and one in the pack. */
function ruledRungs(warning: WarningRow, pack: RulePack | null): RuledRung[] {
  const packed = pack?.levels[warning.level].ladder.flatMap((rung) =>
    Array.from({ length: rung.times?.value ?? 1 }, () => rung.waitMinutes.source),
  );
  return warning.rules.ladder.map(({ name, who, by, waitMs }, rung) => {
    const source = packed?.[rung] ?? null;
    return {
      rung,
      name,
      who,
      by,
      waitMs,
      source,
      citation: source === null ? null : (pack?.sources[source] ?? null),
    };
  });
}

/** What stands for a recipient's own words in a text that is shown for all. */
const OWN: Readonly<Record<Language, { unit: string; number: string; link: string; superior: string }>> = {
  zh: { unit: '{单位}', number: '{编号}', link: '{链接}', superior: '{上级}' },
  en: { unit: '{unit}', number: '{number}', link: '{link}', superior: '{superior}' },
};

/** All others are answered by writing back, or by a key (activities/send-page.ts). */
const CHANNEL_WITH_LINKS: Channel = 'email';

/** Each text that went out, rendered again from the warning as it stands on record by the very function that sends. */
function sentTexts(warning: WarningRow & EndTexts, sent: readonly Sent[]): SentText[] {
  const texts = new Map<string, SentText & { channels: Channel[] }>();
  for (const { purpose, language, channel } of sent) {
    const links = channel === CHANNEL_WITH_LINKS;
    const own = OWN[language];
    const rendered = render(
      { ...warning, superseded: warning.status === 'superseded' },
      {
        purpose: purpose as Purpose,
        language,
        units: [own.unit],
        number: own.number,
        link: links ? own.link : null,
        bridge: purpose === 'bridge notice' ? { silent: own.superior, reportsTo: own.unit } : null,
        digest: { count: 1, names: [own.unit] },
        doors: { count: 1, names: [own.unit] },
        report: { units: 0, answered: 0, silent: 0 },
      },
    );
    const text = channel === 'sms' ? inParts(warning, language, rendered.text) : rendered.text;
    const key = `${purpose} ${language} ${text}`;
    const known = texts.get(key);
    if (known) {
      if (!known.channels.includes(channel)) known.channels.push(channel);
    } else
      texts.set(key, {
        purpose,
        language,
        channels: [channel],
        subject: links ? rendered.subject : null,
        text,
      });
  }
  return [...texts.values()];
}
