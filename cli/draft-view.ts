/** How a draft is shown: to whoever decides all of what would go out, and since when it waits. Pure. */
import type { DraftApproval } from '../db/drafts.ts';
import type { Channel } from '../domain/rules.ts';
import { isoWithOffset } from '../domain/time.ts';
import { draftName, type Draft } from '../operations/drafts.ts';
import type { Context } from './context.ts';
import { hazardName, levelName, warningId } from './shapes.ts';
import { renderTable } from './table.ts';
import { clock, isoOrNull, minuteOf, timeOfDay } from './times.ts';
import { harmless, wrap } from './width.ts';

/** So much of a hash says which version was read; it is what a reviewer types. */
export const HASH_SHOWN = 8;

/** The approvals of the newest version that still hold. */
function holding(draft: Draft, now: number): DraftApproval[] {
  return draft.approvals.filter(({ version, validUntil }) => version === draft.version && validUntil > now);
}

/** Reviewed and released, and both still hold. */
export function isApproved(draft: Draft, now: number): boolean {
  const steps = holding(draft, now).map(({ step }) => step);
  return steps.includes('review') && steps.includes('release');
}

/** How a draft stands; JSON has this for each. */
export function draftShape(draft: Draft, now: number) {
  const { content } = draft;
  return {
    id: draftName(draft.draftId),
    act: draft.act,
    status: draft.status,
    approved: draft.status === 'waiting' && isApproved(draft, now),
    writtenAt: isoWithOffset(draft.writtenAt),
    waitsSeconds: Math.round(((draft.endedAt ?? now) - draft.writtenAt) / 1_000),
    author: draft.author,
    version: draft.version,
    hash: draft.hash,
    supersedes: content.supersedesId === null ? null : warningId(content.supersedesId),
    hazard: {
      code: content.hazard,
      zh: hazardName(content.hazard, 'zh'),
      en: hazardName(content.hazard, 'en'),
    },
    level: content.level,
    areas: draft.areas,
    issuer: content.issuer,
    identifier: content.identifier,
    expiresAt: isoWithOffset(content.expiresAt),
    text: { zh: content.textZh, en: content.textEn },
    correction: { zh: content.correctionZh, en: content.correctionEn },
    reason: content.reason ?? null,
    rulePack: content.rules.pack,
    channels: channelsOf(draft),
    approvals: draft.approvals.map(({ step, version, operator, at, validUntil }) => ({
      ...{ step, version, operator, at: isoWithOffset(at), validUntil: isoWithOffset(validUntil) },
    })),
    warning: draft.warningId === null ? null : warningId(draft.warningId),
    endedAt: isoOrNull(draft.endedAt),
    endedBy: draft.endedBy,
    endReason: draft.endReason,
  };
}

/** Every channel by which its rules send anything. */
function channelsOf({ content: { rules } }: Draft): Channel[] {
  return [...new Set([...rules.ladder.flatMap(({ by }) => by), ...rules.households.by])];
}

export function renderDrafts(drafts: readonly Draft[], context: Context, now: number): string[] {
  const { lang } = context;
  return renderTable(
    drafts,
    [
      { title: context.say('list.id'), of: ({ draftId }) => draftName(draftId) },
      { title: context.say('draft.act'), of: ({ act }) => context.say(`draft.act.${act}`) },
      { title: context.say('list.level'), of: ({ content }) => levelName(content.level, lang) },
      { title: context.say('list.hazard'), of: ({ content }) => hazardName(content.hazard, lang) },
      {
        title: context.say('list.areas'),
        of: ({ areas }) => areas.join(lang === 'zh' ? '、' : ', '),
        shrinks: true,
      },
      { title: context.say('draft.author'), of: ({ author }) => harmless(author), shrinks: true },
      {
        title: context.say('draft.waits'),
        of: ({ writtenAt, endedAt }) => clock((endedAt ?? now) - writtenAt),
        align: 'right',
      },
      { title: context.say('draft.state'), of: (draft) => stateOf(draft, context, now) },
    ],
    context.columns(),
  );
}

/** What a draft waits for, or what became of it. */
function stateOf(draft: Draft, context: Context, now: number): string {
  if (draft.status !== 'waiting') return context.say(`draft.status.${draft.status}`);
  const held = holding(draft, now);
  const until = Math.min(...held.map(({ validUntil }) => validUntil));
  if (isApproved(draft, now)) return context.say('draft.state.approved', { until: timeOfDay(until) });
  return context.say(held.length > 0 ? 'draft.state.reviewed' : 'draft.state.written');
}

/** A draft as whoever decides must read it: all of what would go out, and since when it waits. */
export function renderDraft(draft: Draft, context: Context, now: number): string[] {
  const { content } = draft;
  const { lang } = context;
  const columns = context.columns() ?? 100;
  const named = { hazard: hazardName(content.hazard, lang), level: levelName(content.level, lang) };
  const block = (text: string) => wrap(harmless(text), columns - 2).map((line) => `  ${line}`);
  const said = (key: 'draft.text' | 'draft.correction', zh: string, en: string) =>
    zh === '' && en === '' ? [] : [context.say(key), ...block(zh), ...block(en)];
  return [
    context.say('draft.head', {
      id: draftName(draft.draftId),
      act: context.say(`draft.act.${draft.act}`),
      name: context.say('warning.name', named),
      of: content.supersedesId === null ? '' : ` ${warningId(content.supersedesId)}`,
    }),
    context.say('draft.waitsSince', {
      state: stateOf(draft, context, now),
      time: clock((draft.endedAt ?? now) - draft.writtenAt),
      at: minuteOf(draft.writtenAt),
    }),
    context.say('issue.areas', { areas: draft.areas.join(lang === 'zh' ? '、' : ', ') }),
    context.say('draft.expires', { at: isoWithOffset(content.expiresAt) }),
    context.say('draft.channels', {
      channels: channelsOf(draft)
        .map((channel) => context.say(`tier.${channel}`))
        .join(lang === 'zh' ? '、' : ', '),
      pack: content.rules.pack.id,
      version: content.rules.pack.version,
    }),
    ...said('draft.text', content.textZh, content.textEn),
    ...said('draft.correction', content.correctionZh, content.correctionEn),
    ...(content.reason === undefined
      ? []
      : [context.say('show.reason', { reason: harmless(content.reason) })]),
    context.say('draft.version', {
      version: draft.version,
      author: harmless(draft.author),
      hash: draft.hash.slice(0, HASH_SHOWN),
    }),
    ...draft.approvals.map(({ step, version, operator, at, validUntil }) =>
      context.say('draft.approval', {
        step: context.say(`draft.step.${step}`),
        version,
        name: harmless(operator),
        at: timeOfDay(at),
        until: timeOfDay(validUntil),
      }),
    ),
    ...(draft.endReason === null
      ? []
      : [
          context.say('draft.ended', {
            name: harmless(draft.endedBy ?? ''),
            reason: harmless(draft.endReason),
          }),
        ]),
  ];
}
