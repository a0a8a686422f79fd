/** What is refused for want of authority: PostgreSQL gives a code, here is the sentence that says what to do. */
import type { Database, Sql } from '../db/database.ts';
import { REFUSED, showToken } from '../db/operators.ts';
import type { Operator } from '../domain/authority.ts';
import { FenghuoError, type Refusal } from '../domain/errors.ts';

const REFUSALS: Readonly<Record<string, { refusal?: Refusal; sentence: string }>> = {
  'no-operator': {
    sentence: 'Nobody is logged in. Log in with `fenghuo login`, or set FENGHUO_TOKEN.',
  },
  'token-unknown': {
    sentence: 'This token is not known here. Log in again, or ask an administrator for a new one.',
  },
  'token-expired': {
    sentence: 'This token has expired. Ask an administrator for a new one (`fenghuo operator token NAME`).',
  },
  'token-revoked': { sentence: 'This token was taken back. Ask an administrator for a new one.' },
  'token-not-shown': {
    sentence:
      'What would be written names an operator whose token is not good any more, or was not shown. Log in again with `fenghuo login`.',
  },
  'token-of-service': {
    sentence:
      'This token belongs to a log-in service: it stands in FENGHUO_LOGIN_SERVICE_TOKEN of the web process, and logs nobody in by itself.',
  },
  'login-service': {
    refusal: 'failed',
    sentence:
      'The log-in service of this installation is not set up right. `fenghuo doctor` says what is wrong; until then log in by a token.',
  },
  'login-makes-no-token': {
    sentence:
      'Whoever has logged in by a provider gets no other token by it. Log in again when it ends, or ask an administrator for a token.',
  },
  'not-login-service': {
    sentence: 'Only a log-in service gives tokens to whom a provider knows.',
  },
  'not-linked': {
    sentence: 'The provider knows you, but no operator is linked to you. Ask an administrator to link you.',
  },
  'not-to-be-linked': {
    sentence:
      'An administrator, a log-in service and who was revoked are linked to nobody at a provider: they log in by a token. Link an operator with a role.',
  },
  'login-service-has-no-authority': {
    sentence: 'A log-in service logs in others and has no authority. Grant it to those whom it logs in.',
  },
  'no-authority': {
    sentence:
      'The operator has no authority for this area, level or hazard. `fenghuo whoami` shows what there is; an administrator grants more.',
  },
  'not-administrator': {
    sentence: 'Only an administrator hands out authority. `fenghuo whoami` says who you are.',
  },
  'not-first-operator': {
    sentence:
      'There is an administrator already. Ask them: `fenghuo operator list` shows who it is. --first is for installations without one.',
  },
  'administrator-has-no-authority': {
    sentence:
      'An administrator hands out authority and has none. Add an operator for this person and grant it there.',
  },
  'self-approval': {
    sentence:
      'Whoever has written at a draft neither reviews nor releases it. Ask somebody else with the right.',
  },
  'not-approved': {
    sentence: 'Nobody has reviewed and released this version yet. Ask for `fenghuo warning approve`.',
  },
  'not-released': {
    sentence: 'An actual warning goes out and ends only by a release. Write a draft and have it released.',
  },
  'approval-expired': {
    sentence:
      'The approval is older than 15 minutes. Have it looked at again (`fenghuo warning approve`), then publish at once.',
  },
  'release-used': { refusal: 'conflict', sentence: 'This release was used before. Write a new draft.' },
  'draft-changed': {
    refusal: 'conflict',
    sentence:
      'The draft was edited meanwhile. Read it again (`fenghuo warning drafts D…`), then approve what it says now.',
  },
  'draft-ended': {
    refusal: 'conflict',
    sentence: 'The draft does not wait any more. `fenghuo warning drafts --all` shows what became of it.',
  },
  'no-such-draft': {
    refusal: 'notFound',
    sentence: 'There is no such draft. `fenghuo warning drafts` lists those that wait.',
  },
  'draft-act': {
    refusal: 'conflict',
    sentence:
      'The draft does not fit the warning it concerns: an update keeps the hazard of an actual warning.',
  },
  'after-review-open': {
    sentence:
      'An earlier emergency of yours waits for its after-review. Have somebody look at it (`fenghuo warning review-after`), or ask a second person now.',
  },
  'nothing-to-review': {
    refusal: 'conflict',
    sentence: 'This was released by two persons: there is nothing to look at afterwards.',
  },
  'not-what-was-released': {
    sentence:
      'What would be written is not what was released. Nothing was written; write a draft and have it released.',
  },
  'not-open': {
    refusal: 'conflict',
    sentence: 'The warning is not open. `fenghuo warning list` shows how it stands.',
  },
  'append-only': { sentence: 'This is kept as it was written: nobody changes or deletes it.' },
};

/** The refusal of this code. `said` replaces its sentence where more is known. */
export function refusalOf(code: string, said?: string): FenghuoError {
  const known = REFUSALS[code] ?? { sentence: 'This is not permitted.' };
  return new FenghuoError({
    code,
    refusal: known.refusal ?? 'notPermitted',
    sentence: said ?? known.sentence,
  });
}

/** Runs `work`; what PostgreSQL refuses for want of authority comes as a FenghuoError. */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === REFUSED && typeof message === 'string') throw refusalOf(message);
    throw error;
  }
}

/** Runs one act of an operator in one transaction, their token shown; what PostgreSQL refuses comes with its sentence. */
export function acting<T>(
  database: Database,
  operator: Operator,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  return refusing(() =>
    database.transaction(async (sql) => {
      await showToken(sql, operator.token);
      return work(sql);
    }),
  );
}
