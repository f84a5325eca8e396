import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

import type { Attack } from './attackers.js';

/** A process of its own, so that who measures is not slowed by what is measured. Connects until it is ended. */
const AT_ONCE = 250;
/** Each address of 127.0.0.0/8 is another client. */
const ATTACKER = '127.0.0.2';

async function main(attacks: readonly Attack[]): Promise<void> {
  for (const { port, connections, says } of attacks) {
    for (let index = 0; index < connections; index += 1) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: ATTACKER });
      socket.on('error', () => undefined).resume();
      const text = says?.[index % says.length] ?? '';
      if (text !== '') {
        socket.write(text);
      }
      if (index % AT_ONCE === 0) {
        await pause(10);
      }
    }
  }
  process.stdout.write('done\n');
}

process.stdin.on('end', () => process.exit(0)).resume();
void main(JSON.parse(process.argv[2] ?? '[]') as Attack[]);
