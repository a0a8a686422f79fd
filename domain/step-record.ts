/**
 * Letters as the audit keeps them: flat, the addressee as `unitId`. A message that is about another unit has that one as `about`, or
 * it would stand in the addressee's place and nobody could replay the run.
 */
import type { Letter } from './cascade.ts';
import type { Message, UnitId } from './unit.ts';

export type RecordedLetter = {
  unitId: UnitId;
  kind: Message['kind'];
  about?: UnitId;
  [field: string]: unknown;
};

/** A letter for the audit. */
export function recordLetter({ unitId, message }: Letter): RecordedLetter {
  return 'unitId' in message ? { ...message, unitId, about: message.unitId } : { unitId, ...message };
}

/** The letter again. What is no message the machine will refuse. */
export function readLetter({ unitId, about, ...message }: RecordedLetter): Letter {
  return { unitId, message: (about === undefined ? message : { ...message, unitId: about }) as Message };
}
