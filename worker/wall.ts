/**
 * The wall between Exercises and actual warnings, where processes are configured. A process serves one kind. Before it may have senders,
 * everything in its configuration that leads outside is bound to that kind in PostgreSQL: an address or a secret that the other kind has
 * used is refused, so that variables which were swapped, copied or mixed up send nothing.
 */
import { createHmac } from 'node:crypto';
import { kindServed, namespaceOf, SENDER_ADDRESSES, SENDER_CREDENTIALS, type Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import { bindMarks, type Mark } from '../db/kinds.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { WarningKind } from '../domain/kinds.ts';

/** A configuration whose senders were bound to the kind it serves: channels are made of nothing else. */
export type BoundConfig = Config & { readonly serves: WarningKind };

/**
 * Binds what leads outside to the kind that this process serves.
 * @throws FenghuoError `other-kind` (not permitted), naming each variable that belongs to the other kind; nothing is bound then
 */
export async function bindToKind(config: Config, database: Database): Promise<BoundConfig> {
  const serves = kindServed(config);
  const foreign = await bindMarks(database, serves, marksOf(config, serves));
  if (foreign.length === 0) return { ...config, serves };
  throw new FenghuoError({
    code: 'other-kind',
    refusal: 'notPermitted',
    sentence:
      `This process serves ${serves} warnings, and was given what belongs to the other kind. Nothing was started. ` +
      'Give each kind senders, secrets and a Temporal namespace of its own (docs/operations.md, Going live):',
    details: foreign,
  });
}

/** Keyed hashes, so that the table gives nothing away. */
function marksOf(config: Config, serves: WarningKind): Mark[] {
  const mark = (variable: string, value: string): Mark => ({
    variable,
    mark: createHmac('sha256', config.FENGHUO_SECRET).update(`kind\n${value}`).digest('hex'),
  });
  const given = (names: readonly (keyof Config)[], of: (value: string) => string) =>
    names.flatMap((name) => {
      const value = config[name];
      return typeof value === 'string' ? [mark(name, of(value))] : [];
    });
  return [
    ...given(SENDER_ADDRESSES, placeOf),
    ...given(SENDER_CREDENTIALS, (value) => `secret ${value}`),
    mark('TEMPORAL_NAMESPACE', `namespace ${config.TEMPORAL_ADDRESS} ${namespaceOf(config, serves)}`),
  ];
}

/** The place an address leads to, and the account there: two accounts of one provider may serve one kind each. */
function placeOf(address: string): string {
  const { hostname, port, protocol, username, pathname, search } = new URL(address);
  return `address ${hostname}:${port === '' ? protocol : port} ${username} ${pathname} ${search}`;
}
