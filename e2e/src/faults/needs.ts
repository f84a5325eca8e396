import { execFileSync } from 'node:child_process';

import { usesContainers } from '@orchestrator/testing';

import type { Need } from './scenario.js';

/** Of these, what this machine does not offer. */
export async function missing(needs: readonly Need[]): Promise<Need[]> {
  return needs.filter((need) => !offers(need));
}

function offers(need: Need): boolean {
  switch (need) {
    case 'a local redis-server':
      return !usesContainers();
    case 'network namespaces':
      return hasNetworkNamespaces();
  }
}

/** Root, `ip`, `iptables` and `nsenter`, and a kernel that lets us: tried once, with a namespace that is removed at once. */
function hasNetworkNamespaces(): boolean {
  const name = `orc-probe-${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'exec', name, 'iptables', '-L', '-n'], { stdio: 'ignore' });
    execFileSync('nsenter', [`--net=/var/run/netns/${name}`, '--', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    try {
      execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    } catch {
      // It was never there.
    }
  }
}
