/** What `up` says where nobody could hand out authority yet: a first administrator, whose token is shown once. */
import { openDatabase } from '../db/database.ts';
import { firstOperatorIfNone } from '../operations/operators.ts';
import type { Context } from './context.ts';
import { minuteOf } from './times.ts';

/** Adds the first administrator of an installation, where none could log in. `environment` is the installation's. */
export async function tellFirstOperator(
  context: Context,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const database = openDatabase({
    url: environment['DATABASE_URL'] ?? '',
    schema: environment['FENGHUO_SCHEMA'] ?? '',
    connectionsMost: 1,
  });
  try {
    const name = context.say('operator.firstName');
    const first = await firstOperatorIfNone(database, name);
    if (!first) return;
    const { token, expiresAt } = first;
    context.tell(
      context.say('operator.first', { name }),
      context.say('operator.token', { name, token, until: minuteOf(expiresAt) }),
    );
  } finally {
    await database.close();
  }
}
