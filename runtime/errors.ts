// What can go wrong while finding, starting and stopping the servers, as codes for machines and
// sentences that tell a person what to do next.

/** What failed. The command line turns it into an exit code through {@link RuntimeError.exitCode}. */
export type RuntimeErrorCode =
  | 'instance-busy'
  | 'no-postgres'
  | 'no-temporal'
  | 'postgres-unreachable'
  | 'temporal-unreachable'
  | 'postgres-failed'
  | 'temporal-failed'
  | 'not-ours'
  | 'bad-setting'
  | 'deadline-passed'
  | 'process-failed';

/** The documented exit codes: 2 usage, 5 conflict, 6 database or Temporal unreachable, 8 deadline passed. */
const exitCodes: Record<RuntimeErrorCode, number> = {
  'instance-busy': 5,
  'no-postgres': 6,
  'no-temporal': 6,
  'postgres-unreachable': 6,
  'temporal-unreachable': 6,
  'postgres-failed': 6,
  'temporal-failed': 6,
  'not-ours': 1,
  'bad-setting': 2,
  'deadline-passed': 8,
  'process-failed': 1,
};

/** A failure of the runtime: `message` is a sentence that names every way out, without secrets. */
export class RuntimeError extends Error {
  override readonly name: string = 'RuntimeError';
  readonly code: RuntimeErrorCode;
  readonly exitCode: number;

  constructor(code: RuntimeErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
    this.exitCode = exitCodes[code];
  }
}

/** Another living process owns this instance; nothing was touched. Exit code 5. */
export class InstanceBusy extends RuntimeError {
  override readonly name = 'InstanceBusy';
  /** The process that owns the instance. */
  readonly ownerPid: number;

  constructor(input: { purpose: string; ownerPid: number; directory: string }) {
    super(
      'instance-busy',
      `The "${input.purpose}" servers of this clone are in use by process ${input.ownerPid} (${input.directory}). ` +
        `Wait until it ends, stop it with "kill ${input.ownerPid}", or work from another clone: each has its own servers.`,
    );
    this.ownerPid = input.ownerPid;
  }
}

/** The text of anything thrown, for quoting inside a sentence. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(errorText).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
