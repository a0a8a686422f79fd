/**
 * What goes wrong on purpose: a code for machines, a sentence for people, and the exit code the command line promises.
 * The sentence says what to do next. Everything else that is thrown is a defect.
 */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notPermitted: 4,
  conflict: 5,
  unreachable: 6,
  belowCoverage: 7,
  deadlinePassed: 8,
} as const;

export type Refusal = keyof Omit<typeof EXIT_CODES, 'done'>;

/** A refusal with its reason. `details` are further lines, such as each faulty line of a file. */
export class FenghuoError extends Error {
  readonly code: string;
  readonly refusal: Refusal;
  readonly details: readonly string[];

  constructor(input: {
    code: string;
    refusal: Refusal;
    sentence: string;
    details?: readonly string[];
    cause?: unknown;
  }) {
    super(input.sentence, input.cause === undefined ? undefined : { cause: input.cause });
    this.name = 'FenghuoError';
    this.code = input.code;
    this.refusal = input.refusal;
    this.details = input.details ?? [];
  }
}
