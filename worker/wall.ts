/**
 * The wall between Exercises and actual warnings, where processes are configured. A process serves one kind. Before it may have senders,
 * everything in its configuration that leads outside is bound to that kind in PostgreSQL: an address or a secret that the other kind has
 * used is refused, so that variables which were swapped, copied or mixed up send nothing.
 */
import { createHmac } from 'node:crypto';
import {
  kindServed,
  marksKeyOf,
  namespaceOf,
  SENDER_ADDRESSES,
  SENDER_CREDENTIALS,
  sideOf,
  type Config,
} from '../config.ts';
import type { Database } from '../db/database.ts';
import { realOnlyByAgreement } from '../db/drill-participants.ts';
import { bindMarks, type Mark } from '../db/kinds.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { WarningKind } from '../domain/kinds.ts';

/** A configuration whose senders were bound to their side: channels are made of nothing else. */
export type BoundConfig = Config & { readonly serves: WarningKind };

/**
 * Binds what leads outside to the side whose senders this process has.
 * @throws FenghuoError `other-kind` (not permitted), naming each variable that belongs to another side; nothing is bound then
 */
export async function bindToKind(config: Config, database: Database): Promise<BoundConfig> {
  if (sideOf(config) === 'drill' && !(await realOnlyByAgreement(database))) {
    throw new FenghuoError({
      code: 'other-kind',
      refusal: 'notPermitted',
      sentence:
        'FENGHUO_CHANNELS=drill is the account that reaches people who agreed to a drill, and it works in the schema of that drill alone. ' +
        'Nothing was started. `fenghuo drill run --with-people` starts its processes.',
    });
  }
  return bindSenders(config, database);
}

/** The same without asking which schema it is: by this the account of drills is kept from both kinds of the installation. */
export async function bindSenders(config: Config, database: Database): Promise<BoundConfig> {
  const serves = kindServed(config);
  const side = sideOf(config);
  const foreign = await bindMarks(database, side, marksOf(config, serves));
  if (foreign.length === 0) return { ...config, serves };
  const what =
    side === 'drill'
      ? 'The account of drills was given what belongs to actual warnings or to Exercises of this installation. Nothing was started. Give it'
      : `This process serves ${serves} warnings, and was given what belongs to the other kind, or to drills. Nothing was started. Give each kind`;
  throw new FenghuoError({
    code: 'other-kind',
    refusal: 'notPermitted',
    sentence: `${what} senders, secrets and a Temporal namespace of its own (docs/operations.md, Going live):`,
    details: foreign,
  });
}

/** Keyed hashes, so that the table gives nothing away. */
function marksOf(config: Config, serves: WarningKind): Mark[] {
  const key = marksKeyOf(config);
  const mark = (variable: string, value: string): Mark => ({
    variable,
    mark: createHmac('sha256', key).update(`kind\n${value}`).digest('hex'),
  });
  const given = (names: readonly (keyof Config)[], of: (value: string) => string) =>
    names.flatMap((name) => {
      const value = config[name];
      return typeof value === 'string' ? [mark(name, of(value))] : [];
    });
  const namespace = `namespace ${config.TEMPORAL_ADDRESS} ${namespaceOf(config, serves)}`;
  return [
    ...given(SENDER_ADDRESSES, placeOf),
    ...given(SENDER_CREDENTIALS, (value) => `secret ${value}`),
    // The account of drills sends for the workers of Exercises: it has no namespace.
    ...(sideOf(config) === 'drill' ? [] : [mark('TEMPORAL_NAMESPACE', namespace)]),
  ];
}

/** The place an address leads to, and the account there: two accounts of one provider may serve one kind each. */
function placeOf(address: string): string {
  const { hostname, port, protocol, username, pathname, search } = new URL(address);
  return `address ${hostname}:${port === '' ? protocol : port} ${username} ${pathname} ${search}`;
}
