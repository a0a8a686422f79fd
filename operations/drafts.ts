/**
 * Actual warnings before they go out: 制作 written, 审核 reviewed, 签发 released, 发布 published, by two persons at least. PostgreSQL holds
 * the rule itself (migration 0007); what is checked here as well is checked for the sake of a sentence that says what to do.
 */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  insertApproval,
  insertDraft,
  insertDraftVersion,
  insertRelease,
  isIdentifierTaken,
  lockWaitingDraft,
  readApprovers,
  readDraft,
  readDrafts,
  readKeptRulePack,
  readNow,
  type ApprovalStep,
  type DraftRow,
} from '../db/drafts.ts';
import { keepRulePack, readWarning } from '../db/warnings.ts';
import { higherLevel, mayAct, type Action, type Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import { resolveRules, rulePackSchema, type RulePack } from '../domain/rules.ts';
import type { Instant } from '../domain/time.ts';
import { readPaths } from '../db/operators.ts';
import {
  canonicalText,
  contentOf,
  draftName,
  draftOf,
  hashOf,
  IDENTIFIER_CHARACTERS_MAX,
  requiredReason,
  type Draft,
  type DraftContent,
  type ReleasedContent,
} from './draft-content.ts';
import { requireReady } from './kinds.ts';
import { requireMayAct } from './operators.ts';
import { publishWarning } from './publish.ts';
import { acting, refusalOf } from './refusals.ts';
import { readRulePack } from './rule-packs.ts';
import { endByCancel, requireOpen, updateWarning } from './updates.ts';

export { contentHash, draftName, parseDraftId, type Draft, type DraftContent } from './draft-content.ts';

/** Writes a draft. Its rules are those of the kept pack of this id and version, or of `pack`. */
export async function createDraft(
  database: Database,
  operator: Operator,
  content: DraftContent,
  pack?: RulePack,
): Promise<{ draftId: number; hash: string }> {
  return acting(database, operator, async (sql) => {
    await requireMayActOn(sql, operator, content.act === 'cancel' ? 'cancel' : 'draft', content);
    await requireSensible(sql, content, null);
    const draftId = await insertDraft(sql, content.act);
    return writeVersion(sql, operator, { draftId, content, kind: 'draft', ...(pack && { pack }) });
  });
}

/** Edits: a new version, with a new hash; every approval of the one before is void. */
export async function editDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  content: DraftContent,
  pack?: RulePack,
): Promise<{ draftId: number; hash: string }> {
  return acting(database, operator, async (sql) => {
    await lockWaitingDraft(sql, draftId);
    await requireMayActOn(sql, operator, content.act === 'cancel' ? 'cancel' : 'draft', content);
    await requireSensible(sql, content, draftId);
    return writeVersion(sql, operator, { draftId, content, kind: 'edit', ...(pack && { pack }) });
  });
}

/** 审核: the version of this hash is right. */
export async function reviewDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  hash: string,
): Promise<{ validUntil: Instant }> {
  return acting(database, operator, (sql) => approve(sql, operator, { draftId, hash, steps: ['review'] }));
}

/** 签发: the version of this hash goes out. Whoever may review does so with it, where nobody else has. */
export async function approveDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  hash: string,
): Promise<{ validUntil: Instant; reviewed: boolean }> {
  return acting(database, operator, async (sql) => {
    const draft = await requireDraft(sql, draftId);
    const now = await readNow(sql);
    const reviewed = draft.approvals.some(
      ({ step, version, validUntil }) => step === 'review' && version === draft.version && validUntil > now,
    );
    const mayReview = mayAct(operator, 'review', await targetOf(sql, contentOf(draft.content))).allowed;
    const steps: ApprovalStep[] = !reviewed && mayReview ? ['review', 'release'] : ['release'];
    return { ...(await approve(sql, operator, { draftId, hash, steps })), reviewed: reviewed || mayReview };
  });
}

/**
 * 发布: from the commit on it goes out. `confirm` is the draft's name, typed. With `emergency` one person alone, who says why; somebody
 * else looks at it afterwards, and until then that person has no second emergency.
 */
export async function publishDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  confirm: string,
  options: { emergency?: string } = {},
): Promise<{ warningId: number }> {
  const name = draftName(draftId);
  if (confirm.trim().toUpperCase() !== name) {
    throw refuse(
      'confirm',
      'notPermitted',
      `To publish ${name} type its name: --confirm=${name}. Nothing was published.`,
    );
  }
  const emergencyReason = options.emergency === undefined ? null : requiredReason(options.emergency);
  return acting(database, operator, async (sql) => {
    const { version, hash, content: text, authorId } = await lockWaitingDraft(sql, draftId);
    const content = contentOf(text);
    await requireMayActOn(sql, operator, emergencyReason === null ? 'publish' : 'emergency', content);
    await requireAhead(sql, content);
    // A cancel stops what would be sent, whoever lives.
    if (content.act !== 'cancel') await requireReady(sql, 'actual');
    const { reviewerId, releaserId } =
      emergencyReason === null ? await readApprovers(sql, draftId, version) : NOBODY;
    const releaseId = await insertRelease(sql, {
      ...{ draftId, version, hash, authorId, reviewerId, releaserId, emergencyReason },
      publisherId: operator.operatorId,
    });
    const warningId = await carryOut(sql, content, { releaseId, actor: operator.name });
    await appendRecord(sql, {
      kind: emergencyReason === null ? 'publish' : 'emergency',
      warningId,
      actor: operator.name,
      body: { draft: name, act: content.act, hash, releaseId, reviewerId, releaserId, emergencyReason },
    });
    return { warningId };
  });
}

/** Drafts that wait, the longest waiting first; with `all` also those that have ended, newest first. */
export async function listDrafts(
  database: Database,
  input: { all: boolean; most: number },
): Promise<Draft[]> {
  return (await readDrafts(database, input)).map(draftOf);
}

/** The draft, or the sentence that it is not there. */
export async function requireDraft(sql: Sql, draftId: number): Promise<DraftRow> {
  const draft = await readDraft(sql, draftId);
  if (draft) return draft;
  throw refusalOf(
    'no-such-draft',
    `There is no draft ${draftName(draftId)}. \`fenghuo warning drafts --all\` lists all.`,
  );
}

export async function viewDraft(database: Database, draftId: number): Promise<Draft> {
  return draftOf(await requireDraft(database, draftId));
}

const NOBODY = { reviewerId: null, releaserId: null };

async function writeVersion(
  sql: Sql,
  operator: Operator,
  input: { draftId: number; content: DraftContent; kind: string; pack?: RulePack },
): Promise<{ draftId: number; hash: string }> {
  const { draftId, content, kind } = input;
  const pack = input.pack ?? (await packOf(sql, content.rulePack));
  if (!(await keepRulePack(sql, pack))) {
    throw refuse(
      'rule-pack-changed',
      'conflict',
      `Rule pack ${pack.id} version ${pack.version} was used before with other content. Raise its version and try again.`,
    );
  }
  const rulePack = { id: pack.id, version: pack.version };
  const text = canonicalText({ ...content, rulePack, rules: resolveRules(pack, content.level) });
  const hash = hashOf(text);
  await insertDraftVersion(sql, { draftId, hash, content: text, authorId: operator.operatorId });
  await appendRecord(sql, {
    kind,
    warningId: content.supersedesId,
    actor: operator.name,
    body: { draft: draftName(draftId), hash, content: JSON.parse(text) as unknown },
  });
  return { draftId, hash };
}

async function approve(
  sql: Sql,
  operator: Operator,
  input: { draftId: number; hash: string; steps: readonly ApprovalStep[] },
): Promise<{ validUntil: Instant }> {
  const { draftId, hash, steps } = input;
  const newest = await lockWaitingDraft(sql, draftId);
  if (hash !== newest.hash) throw refusalOf('draft-changed');
  if (newest.authorId === operator.operatorId) throw refusalOf('self-approval');
  const content = contentOf(newest.content);
  let validUntil = 0;
  for (const step of steps) {
    await requireMayActOn(sql, operator, step, content);
    const approval = { draftId, version: newest.version, hash, step, operatorId: operator.operatorId };
    validUntil = await insertApproval(sql, approval);
    await appendRecord(sql, {
      kind: step,
      warningId: content.supersedesId,
      actor: operator.name,
      body: { draft: draftName(draftId), version: newest.version, hash },
    });
  }
  return { validUntil };
}

/** Publishes, updates or cancels, on the word of this release. */
async function carryOut(
  sql: Sql,
  content: ReleasedContent,
  { releaseId, actor }: { releaseId: number; actor: string },
): Promise<number> {
  const { act, supersedesId, textZh, textEn } = content;
  if (act === 'cancel' && supersedesId !== null) {
    await endByCancel(sql, supersedesId, {
      reason: content.reason ?? null,
      retracted: false,
      textZh,
      textEn,
      actor,
    });
    return supersedesId;
  }
  const pack = await packOf(sql, content.rulePack);
  const lastsMs = Math.max(1, content.expiresAt - (await readNow(sql)));
  const warning = { ...content, kind: 'actual' as const, speed: 1, lastsMs, releaseId };
  return act === 'update' && supersedesId !== null
    ? updateWarning(sql, pack, supersedesId, warning, actor)
    : publishWarning(sql, pack, warning);
}

/** The pack that is kept under this id and version, or the default one where it is that. */
async function packOf(sql: Sql, wanted: { id: string; version: number }): Promise<RulePack> {
  const kept = await readKeptRulePack(sql, wanted.id, wanted.version);
  if (kept !== null) return rulePackSchema.parse(kept);
  const standard = await readRulePack();
  if (standard.id === wanted.id && standard.version === wanted.version) return standard;
  throw refuse(
    'rule-pack',
    'usage',
    `Rule pack ${wanted.id} version ${wanted.version} is not kept here. Name its file with --rules.`,
  );
}

/** An update or cancel concerns the places and the level of the warning before as well. */
async function scopeOf(sql: Sql, content: DraftContent) {
  const { areaIds, level, hazard, supersedesId } = content;
  const before = supersedesId === null ? null : await readWarning(sql, supersedesId);
  if (!before) return { areaIds, level, hazard };
  return {
    areaIds: [...new Set([...areaIds, ...before.areaIds])],
    level: higherLevel(level, before.level),
    hazard,
  };
}

async function targetOf(sql: Sql, content: DraftContent) {
  const { areaIds, level, hazard } = await scopeOf(sql, content);
  return { areaPaths: await readPaths(sql, areaIds), level, hazard };
}

async function requireMayActOn(
  sql: Sql,
  operator: Operator,
  action: Action,
  content: DraftContent,
): Promise<void> {
  await requireMayAct(sql, operator, action, await scopeOf(sql, content));
}

/** What could never be published is refused when it is written, not when it is released. `draftId` is the draft that is edited. */
async function requireSensible(sql: Sql, content: DraftContent, draftId: number | null): Promise<void> {
  const { identifier, supersedesId } = content;
  await requireAhead(sql, content);
  const before = supersedesId === null ? null : await readWarning(sql, supersedesId);
  if (before?.kind === 'actual') await requireOpen(sql, before);
  if (identifier === null) return;
  if (identifier.length > IDENTIFIER_CHARACTERS_MAX || !/^[^\s,<&]+$/.test(identifier)) {
    throw refuse(
      'identifier',
      'usage',
      `"${identifier}" is no identifier: up to ${IDENTIFIER_CHARACTERS_MAX} characters without space, comma, < or &.`,
    );
  }
  if (await isIdentifierTaken(sql, identifier, draftId)) {
    throw refuse(
      'identifier-taken',
      'conflict',
      `Another warning or draft has the identifier ${identifier}. Give this one a name of its own.`,
    );
  }
}

/** A warning that has run out before it was released says nothing any more. */
async function requireAhead(sql: Sql, content: DraftContent): Promise<void> {
  if (content.act === 'cancel' || content.expiresAt > (await readNow(sql))) return;
  throw refuse(
    'expired',
    'usage',
    'The expiry of this draft has passed. Edit it, and have it approved again.',
  );
}

function refuse(
  code: string,
  refusal: 'usage' | 'notFound' | 'conflict' | 'notPermitted',
  sentence: string,
): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
