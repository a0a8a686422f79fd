/**
 * Telephone numbers that cannot exist. No range of the mainland plan is reserved for fiction, so these lie outside it:
 * +86 100 and eight digits. Written at home that is 100XXXXXXXX, eleven digits as a mobile number has, but
 * mobile numbers begin with 13 to 19; read as a Beijing number (area code 10) it has a digit too many, and its
 * subscriber part would begin with 0, the trunk prefix. libphonenumber's isValid() is false for each (a test).
 * The fourth digit is 2 to 7: no number begins with an operator's service code such as 10000, 10010, 10086 or 10099.
 */
import { draws } from './generate-draws.ts';

export const SYNTHETIC_NUMBER_PREFIX = '+86100';

/** Each kind of bearer has numbers of its own, so that adding households never changes a person's number. */
const FIRST_NUMBER = { person: 20_000_000, household: 50_000_000 } as const;

const NUMBERS_PER_KIND = 30_000_000;

/** Above this share of numbers taken, drawing a free one takes too many tries. */
const TAKEN_SHARE_MOST = 0.8;

/** Hands out numbers by seed and key, each at most once; a key whose number is taken draws again. */
export class SyntheticNumbers {
  /** One bit a number. */
  private readonly taken = new Uint8Array(NUMBERS_PER_KIND / 8);
  private count = 0;
  private readonly seed: string;
  private readonly kind: 'person' | 'household';

  constructor(seed: string, kind: 'person' | 'household') {
    this.seed = seed;
    this.kind = kind;
  }

  /** Marks an address that is in use already; one outside the range is passed over. */
  take(address: string): void {
    const place = Number(address.slice(SYNTHETIC_NUMBER_PREFIX.length)) - FIRST_NUMBER[this.kind];
    if (place >= 0 && place < NUMBERS_PER_KIND) this.mark(place);
  }

  /** An address in E.164 that nobody has. */
  next(key: string): string {
    if (this.count > NUMBERS_PER_KIND * TAKEN_SHARE_MOST) {
      throw new RangeError(
        `more than ${NUMBERS_PER_KIND * TAKEN_SHARE_MOST} synthetic numbers for a ${this.kind}`,
      );
    }
    const draw = draws(this.seed, `number ${key}`);
    for (;;) {
      const place = Math.floor(draw() * NUMBERS_PER_KIND);
      if (this.mark(place)) return `${SYNTHETIC_NUMBER_PREFIX}${FIRST_NUMBER[this.kind] + place}`;
    }
  }

  private mark(place: number): boolean {
    const byte = this.taken[place >> 3] ?? 0;
    const bit = 1 << (place & 7);
    if (byte & bit) return false;
    this.taken[place >> 3] = byte | bit;
    this.count += 1;
    return true;
  }
}
