/**
 * Anchors: the end of the chain of seals, kept where the database cannot reach: a file, a mailbox. One line of JSON each, so that a
 * file can be read, and compared with what came by e-mail, without any program.
 */
import { z } from 'zod';
import type { AuditFault } from './audit.ts';

const schema = z.object({
  fenghuo: z.literal('anchor'),
  /** When it was written: ISO. */
  at: z.string(),
  /** Position in the chain of seals, and the hash of the seal there (hex). */
  seal: z.number().int().positive(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of the installation when it was sealed. */
  incarnation: z.number().int(),
});

export type Anchor = Omit<z.infer<typeof schema>, 'fenghuo'>;

export function anchorLine(anchor: Anchor): string {
  const { at, seal, hash, incarnation } = anchor;
  return JSON.stringify({ fenghuo: 'anchor', at, seal, hash, incarnation });
}

/** How every anchor begins; nothing in it has braces of its own. */
const BEGINNING = '{"fenghuo":"anchor"';

/**
 * The anchors in a text: a file of them, or e-mails with all that stands around the line, also as they were sent (quoted-printable). What
 * begins like one and cannot be read to its end is `broken`: a write was cut off, and the next one may follow on the same line.
 */
export function readAnchors(text: string): { anchors: Anchor[]; broken: number } {
  const pieces = text
    .replaceAll(/=\r?\n/g, '')
    .split(BEGINNING)
    .slice(1);
  const read = pieces.map((piece) => readAnchor(BEGINNING + piece.slice(0, piece.indexOf('}') + 1)));
  const anchors = read.filter((anchor) => anchor !== null);
  return { anchors, broken: read.length - anchors.length };
}

function readAnchor(text: string): Anchor | null {
  try {
    const { at, seal, hash, incarnation } = schema.parse(JSON.parse(text));
    return { at, seal, hash, incarnation };
  } catch {
    return null;
  }
}

/** A seal that is on record. */
export type KnownSeal = { hash: string; incarnation: number };

export type AnchorVerdict = {
  matched: number;
  /** Anchors of seals that are not here because the database was restored since: what they covered is lost. */
  lost: Anchor[];
  faults: AuditFault[];
};

/**
 * Compares anchors with the seals that are here (`seals[0]` is the first). An anchor of an earlier incarnation whose seal is not here
 * was made in the time that a restore lost. Whether there was such a restore the record cannot prove: who verifies has to know it.
 */
export function judgeAnchors(anchors: readonly Anchor[], seals: readonly KnownSeal[]): AnchorVerdict {
  const verdict: AnchorVerdict = { matched: 0, lost: [], faults: [] };
  const now = seals.at(-1)?.incarnation ?? 0;
  for (const anchor of anchors) {
    const known = seals[anchor.seal - 1];
    if (known?.hash === anchor.hash) verdict.matched += 1;
    else if ((known?.incarnation ?? now) > anchor.incarnation) verdict.lost.push(anchor);
    else
      verdict.faults.push({
        kind: known ? 'rewritten' : 'cut off',
        chain: 'seals',
        place: String(anchor.seal),
        detail: `the anchor of ${anchor.at} names ${known ? 'another hash' : 'a seal that is not here'}`,
      });
  }
  return verdict;
}
