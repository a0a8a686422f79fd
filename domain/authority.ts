/**
 * Who may do what: roles by area, highest level and hazard. Pure; `may_act` of migration 0007 is the same rule inside PostgreSQL, and
 * a test holds the two together.
 *
 * 制作 → 审核 → 签发 → 发布, and an emergency path: DB45/T 2427-2021. Which role may do what is a product choice.
 */
import { LEVELS, type LevelId } from './levels.ts';
import { MINUTE_MS } from './time.ts';

export const ROLES = ['author', 'reviewer', 'releaser', 'duty officer', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

export const ACTIONS = [
  'draft',
  'review',
  'release',
  'publish',
  'cancel',
  'retract',
  'emergency',
  'read numbers',
  'audit',
] as const;
export type Action = (typeof ACTIONS)[number];

/** What each role may do within its grant. Handing out authority is in none of them: an administrator has no other. */
export const PERMITTED: Readonly<Record<Role, readonly Action[]>> = {
  author: ['draft', 'publish', 'cancel'],
  reviewer: ['review'],
  releaser: ['draft', 'review', 'release', 'publish', 'cancel', 'retract', 'emergency'],
  'duty officer': ['draft', 'publish', 'cancel', 'retract', 'emergency', 'read numbers'],
  auditor: ['read numbers', 'audit'],
};

/** An approval is good for so long; whoever looks again after a quarter of an hour looks at another sky. Product choice. */
export const APPROVAL_MS = 15 * MINUTE_MS;

/** A role in a unit and all below it, up to a level, for some hazards. */
export type Grant = { role: Role; areaId: number; highestLevel: LevelId; hazards: string[] | 'all' };

/** Somebody with authority. */
export type Authority = { name: string; grants: Grant[] };

/** Who is logged in. The token goes with every act: PostgreSQL lets nobody write under a name without it. */
export type Operator = Authority & { operatorId: number; token: string };

/** What an act concerns: each area by its path of unit ids, from the root down to itself. */
export type Target = { areaPaths: number[][]; level: LevelId; hazard: string };

export type Verdict = { allowed: true } | { allowed: false; because: string };

/**
 * Each of the areas must lie in a grant that permits the action, reaches the level and covers the hazard; they need not all be the
 * same grant. Without an area nothing is allowed.
 */
export function mayAct(operator: Authority, action: Action, target: Target): Verdict {
  const { areaPaths, level, hazard } = target;
  if (areaPaths.length === 0) return refused('no area is named');
  const permitting = operator.grants.filter(({ role }) => PERMITTED[role].includes(action));
  if (permitting.length === 0) return refused(`none of the roles of ${operator.name} may ${VERBS[action]}`);
  for (const path of areaPaths) {
    const here = permitting.filter(({ areaId }) => path.includes(areaId));
    if (here.length === 0) return refused(`${operator.name} may not ${VERBS[action]} in one of these areas`);
    const high = here.filter(({ highestLevel }) => reaches(highestLevel, level));
    if (high.length === 0)
      return refused(`${operator.name} may not ${VERBS[action]} at level ${level} in one of these areas`);
    if (!high.some(({ hazards }) => hazards === 'all' || hazards.includes(hazard)))
      return refused(`${operator.name} may not ${VERBS[action]} for hazard ${hazard}`);
  }
  return { allowed: true };
}

const VERBS: Readonly<Record<Action, string>> = {
  draft: 'write warnings',
  review: 'review warnings',
  release: 'release warnings',
  publish: 'publish warnings',
  cancel: 'cancel warnings',
  retract: 'retract warnings',
  emergency: 'publish alone in an emergency',
  'read numbers': 'read telephone numbers',
  audit: 'audit',
};

/** The higher of two levels: what an update concerns, so that nobody lifts a red warning by way of a blue one. */
export function higherLevel(one: LevelId, other: LevelId): LevelId {
  return reaches(one, other) ? one : other;
}

function reaches(highest: LevelId, level: LevelId): boolean {
  return rank(highest) <= rank(level);
}

/** 0 is the highest. */
function rank(level: LevelId): number {
  return LEVELS.findIndex(({ id }) => id === level);
}

function refused(because: string): Verdict {
  return { allowed: false, because };
}
