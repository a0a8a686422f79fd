/** How large a body may be. */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';

/**
 * Passes on bodies of at most `maxSize` bytes; what `onError` gives answers the others. Hono's own limit opens every body as a web
 * stream, which took a third of the web process under a flood of answers; a body that states its length is judged by
 * that, and Node lets none be longer.
 */
export function limitBody(maxSize: number, onError: (context: Context) => Response): MiddlewareHandler {
  const measured = bodyLimit({ maxSize, onError });
  return async (context, next) => {
    const length = context.req.header('content-length');
    if (length === undefined || context.req.header('transfer-encoding') !== undefined)
      return measured(context, next);
    return Number(length) > maxSize ? onError(context) : next();
  };
}
