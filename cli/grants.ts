/** How a grant is shown: role, area, highest level, hazards. */
import type { ListedGrant } from '../db/operators.ts';
import type { Context } from './context.ts';
import { hazardName, levelName } from './shapes.ts';

export function grantShape({ grantId, role, area, highestLevel, hazards }: ListedGrant) {
  return { grant: String(grantId), role, area, highestLevel, hazards: hazards ?? 'all' };
}

/** `#7 releaser 签发人 · 重庆市/黔江区 · up to red · all hazards`. */
export function grantLine(grant: ListedGrant, context: Pick<Context, 'say' | 'lang'>): string {
  const { lang } = context;
  const hazards = grant.hazards?.map((code) => hazardName(code, lang)).join(lang === 'zh' ? '、' : ', ');
  return context.say('grant.line', {
    id: grant.grantId,
    role: context.say(`role.${grant.role}`),
    area: grant.area,
    level: levelName(grant.highestLevel, lang),
    hazards: hazards ?? context.say('grant.allHazards'),
  });
}
