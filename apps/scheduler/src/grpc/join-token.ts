import { createHash, timingSafeEqual } from 'node:crypto';

import { type CallContext, ServerError, type ServerMiddleware, Status } from 'nice-grpc';

import type { OnRefused } from './worker-certificate.js';

/**
 * Refuses every call of who does not present the join token, before anything of it is read. Compared by hash, in
 * constant time. Without a token configured everybody may join. `tokens`: those that hold now, any of them; asked for at
 * each call.
 */
export function joinTokenMiddleware(tokens: () => readonly string[], onRefused: OnRefused): ServerMiddleware {
  return async function* joinToken(call, context) {
    const given = hash(presented(context));
    const expected = tokens().map((token) => hash(`Bearer ${token}`));
    if (expected.length > 0 && !expected.some((one) => timingSafeEqual(one, given))) {
      onRefused({ peer: context.peer, reason: 'the join token is missing or wrong' });
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
