import fastify from 'fastify';
import { Redis } from 'ioredis';

import { serve } from '../ipc/serve.js';

// What the single POST is compared with: Fastify with the same schema, and one script for each request, or none at all.

const [, , kind = '', redisPort = ''] = process.argv;

/** A job as small as it can be: a hash, a place in a list, a counter. */
const ENQUEUE = `
local id = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2] .. id, 'name', ARGV[1], 'handler', ARGV[2], 'data', ARGV[3], 'state', 'queued')
redis.call('LPUSH', KEYS[3], id)
return id`;

interface Posted {
  name: string;
  handler: string;
  data: unknown;
}

interface WithEnqueue extends Redis {
  enqueue(counter: string, prefix: string, list: string, name: string, handler: string, data: string): Promise<number>;
}

const redis = new Redis(Number(redisPort), { maxRetriesPerRequest: null }) as WithEnqueue;
redis.defineCommand('enqueue', { numberOfKeys: 3, lua: ENQUEUE });

/** All that came in one turn of the event loop is answered in the next one, as a batch of writes would be. */
let waiting: (() => void)[] = [];
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) {
      setImmediate(() => {
        const all = waiting;
        waiting = [];
        all.forEach((each) => each());
      });
    }
  });
}

let served = 0;
async function submit({ name, handler, data }: Posted): Promise<number> {
  if (kind === 'script') {
    return redis.enqueue('post:ids', 'post:j:', 'post:queued', name, handler, JSON.stringify(data));
  }
  await nextTurn();
  served += 1;
  return served;
}

const app = fastify();
app.post<{ Body: Posted }>(
  '/api/v1/jobs',
  {
    schema: {
      body: {
        type: 'object',
        required: ['name', 'handler'],
        additionalProperties: false,
        properties: { name: { type: 'string' }, handler: { type: 'string' }, data: {} },
      },
      response: { 201: { type: 'object', properties: { id: { type: 'number' } } } },
    },
  },
  async (request, reply) => {
    const id = await submit(request.body);
    return reply.code(201).send({ id });
  },
);

serve(
  {
    listen: async () => app.listen({ host: '127.0.0.1', port: 0 }),
    served: async () => (kind === 'script' ? redis.llen('post:queued') : served),
  },
  async () => {
    await app.close();
    redis.disconnect();
  },
);
