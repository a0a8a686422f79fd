/** Who does something: the name that is given, else that of the operator who is logged in. */
import { FenghuoError } from '../domain/errors.ts';
import type { Context } from './context.ts';

/**
 * The name for the record. Whoever is logged in stands there under their own name: another one that is given is refused. Exercises
 * need nobody to be logged in, but then a name.
 */
export async function requireActor(
  context: Context,
  given: string | undefined,
  option: string,
): Promise<string> {
  // A token that has expired keeps nobody from the desk, or from stopping everything.
  const operator = await context.operator().catch((error: unknown) => {
    if (given === undefined) throw error;
    return null;
  });
  if (operator === null && given !== undefined) return given;
  if (operator !== null && (given === undefined || given.trim() === operator.name)) return operator.name;
  throw new FenghuoError(
    operator === null
      ? { code: 'actor', refusal: 'usage', sentence: context.say('actor.needed', { option }) }
      : {
          code: 'other-actor',
          refusal: 'notPermitted',
          sentence: context.say('actor.other', { option, name: operator.name }),
        },
  );
}

/** The name for the record of what nobody needs to be logged in for; null where nobody is, or their token is not good any more. */
export async function actorIfKnown(context: Context): Promise<string | null> {
  const operator = await context.operator().catch(() => null);
  return operator?.name ?? null;
}
