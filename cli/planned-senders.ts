/** Which senders a plan counts on: those of the kind that is planned, wherever they are configured. */
import { configuredSenders, kindServed } from '../config.ts';
import type { WarningKind } from '../domain/kinds.ts';
import { sendersOfKind } from '../operations/kinds.ts';
import type { Context } from './context.ts';

/** Of the other kind than this command's configuration they are known from its living workers. */
export async function plannedSenders(context: Context, kind: WarningKind): Promise<readonly string[]> {
  const config = await context.config();
  const own = { serves: kindServed(config), senders: configuredSenders(config) };
  return sendersOfKind(await context.database(), kind, own);
}
