import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { usesContainers } from '@orchestrator/testing';

import { hasPreviousCommit } from './cluster/previous-build.js';
import type { Need } from './scenario.js';

export const MEMORY_CGROUPS = '/sys/fs/cgroup/memory';

/** Of these, what this machine does not offer. */
export function missing(needs: readonly Need[]): Need[] {
  return needs.filter((need) => !offers(need));
}

function offers(need: Need): boolean {
  switch (need) {
    case 'a local redis-server':
      return !usesContainers();
    case 'the git history':
      return hasPreviousCommit();
    case 'network namespaces':
      return hasNetworkNamespaces();
    case 'tmpfs mounts':
      return canMount();
    case 'a C compiler':
      return spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
    case 'a memory cgroup (v1)':
      return hasMemoryCgroup();
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

function hasMemoryCgroup(): boolean {
  const folder = `${MEMORY_CGROUPS}/orc-probe-${process.pid}`;
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'memory.limit_in_bytes'), String(64 * 1024 * 1024));
    return true;
  } catch {
    return false;
  } finally {
    spawnSync('rmdir', [folder], { stdio: 'ignore' });
  }
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'orchestrator-probe-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}
