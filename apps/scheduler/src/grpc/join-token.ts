import { createHash, timingSafeEqual } from 'node:crypto';

import { type CallContext, ServerError, type ServerMiddleware, Status } from 'nice-grpc';

/**
 * Refuses every call of who does not present the join token, before anything of it is read. Compared by hash, in
 * constant time. Without a token configured everybody may join.
 */
export function joinTokenMiddleware(token: string | undefined): ServerMiddleware {
  const expected = token === undefined ? undefined : hash(`Bearer ${token}`);
  return async function* joinToken(call, context) {
    if (expected !== undefined && !timingSafeEqual(expected, hash(presented(context)))) {
      throw new ServerError(Status.UNAUTHENTICATED, 'the join token is missing or wrong');
    }
    return yield* call.next(call.request, context);
  };
}

function presented(context: CallContext): string {
  return context.metadata.get('authorization') ?? '';
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
