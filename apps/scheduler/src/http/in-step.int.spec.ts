import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';

import Fastify, { type FastifyInstance } from 'fastify';

import { answerInStep, goInStep } from './in-step.js';

describe('requests that come together', () => {
  let app: FastifyInstance;
  let seen: string[];
  beforeEach(async () => {
    seen = [];
    app = Fastify({ forceCloseConnections: true });
    goInStep(app);
    const mark = (what: string, url: string): void => void seen.push(`${what} ${url}`);
    app.addHook('onRequest', (request, _reply, done) => {
      mark('begins', request.url);
      done();
    });
    app.addHook('onSend', (request, _reply, _payload, done) => {
      mark('is answered', request.url);
      done();
    });
    answerInStep(app);
    app.addHook('onSend', (request, _reply, _payload, done) => {
      mark('is written', request.url);
      done();
    });
    app.get('/:name', async (request, reply) => {
      mark('is handled', request.url);
      if (request.url === '/unwritable') {
        void reply.header('x-broken', 'two\nlines'); // Node throws when it is written
      }
      return 'here\n';
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => app.close());

  it('go through the server in step, and are answered each', async () => {
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    // In one packet, so they are read in one turn.
    const last = 'Connection: close\r\n';
    socket.write(['', '', last].map((more, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n${more}\r\n`).join(''));
    const answers = await text(socket);

    expect(answers.match(/200 OK/g)).toHaveLength(3);
    expect(answers.match(/here/g)).toHaveLength(3);
    const each = (what: string): string[] => [0, 1, 2].map((i) => `${what} /${i}`);
    expect(seen).toEqual(['begins', 'is handled', 'is answered', 'is written'].flatMap(each));
  });

  it('do not suffer from one whose answer cannot be written', async () => {
    const urlOf = (name: string): string => `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/${name}`;
    const statuses = await Promise.all(['0', 'unwritable', '2'].map(async (name) => (await fetch(urlOf(name))).status));

    expect(statuses).toEqual([200, 500, 200]);
  });

  it('are not handled for who has hung up meanwhile', async () => {
    const gone = { destroyed: true, url: '/gone' } as never;
    app.server.emit('request', gone, {} as never);
    await new Promise((resolve) => setImmediate(resolve));

    expect(seen).toEqual([]);
  });
});
