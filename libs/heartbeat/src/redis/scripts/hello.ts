import { defineScript } from '@orchestrator/redis';

import type { HelloReply, HelloRequest } from '../../registry.js';
import * as lua from '../lua.js';

/** Registers a session, or one more Hello of it. */
export const hello = defineScript<{ base: string; request: HelloRequest }, HelloReply>({
  name: 'hello',
  lua: lua.hello,
  keys: ({ base }) => [base],
  args: ({ request }) => [
    request.session,
    request.worker,
    request.number,
    request.hasRun ? '1' : '0',
    request.leaseMs,
    request.scheduler,
    JSON.stringify(request.info),
    request.info.slots,
  ],
  reply(raw) {
    const [status, first = '', second = ''] = raw as [string, string?, string?];
    switch (status) {
      case 'welcome':
        return { status, epoch: Number(first), draining: second === '1' };
      case 'session_dead':
        return { status, reason: first };
      case 'superseded':
        return { status, bySession: first };
      case 'stale_hello':
        return { status, highest: Number(first) };
      case 'foreign':
        return { status };
      default:
        throw new TypeError(`hello.lua answered "${status}"`);
    }
  },
});
