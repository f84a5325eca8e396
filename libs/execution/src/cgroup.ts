import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { type Clock, sleep } from '@orchestrator/core';

import type { MarkOwner, ProcessIdentity } from './mark.js';
import { type Survivors, SurvivorWatch } from './survivors.js';

const LOOK_EVERY_MS = 10;
/** For what does not die. */
const STUBBORN_LOOK_MS = 250;

const UNUSED = 'populated 0\nfrozen 0\n';
const EVENTS = Buffer.alloc(64);

/** A directory of cgroup v2. Nothing here throws: one that is gone has no processes. */
export class Cgroup {
  private isRemoved = false;

  constructor(
    readonly directory: string,
    /** Its `cgroup.events`, open; closed when it is removed. */
    private events?: number,
  ) {}

  /** Who writes 0 to it moves into it. */
  get processesFile(): string {
    return join(this.directory, 'cgroup.procs');
  }

  create(): boolean {
    return succeeds(() => mkdirSync(this.directory));
  }

  /** SIGKILL to all that is in it, at once: no fork gets away. */
  kill(): void {
    this.write('cgroup.kill', '1');
  }

  /** Answers whether the kernel has taken it. It is done when `isFrozen`. */
  freeze(): boolean {
    return this.write('cgroup.freeze', '1');
  }

  thaw(): void {
    this.write('cgroup.freeze', '0');
  }

  get isFrozen(): boolean {
    return this.event('frozen') === 1;
  }

  /** Those below it, too. Processes of another pid namespace are 0. */
  pids(): number[] {
    const own = this.read('cgroup.procs').split('\n').filter(Boolean).map(Number);
    return [...own, ...this.children().flatMap((child) => child.pids())];
  }

  /** Answers false while a process lives in it. */
  remove(): boolean {
    if (!this.isRemoved && (this.tryRemove() || this.removeWithChildren())) {
      this.isRemoved = true;
      if (this.events !== undefined) {
        closeSync(this.events);
      }
    }
    return this.isRemoved;
  }

  /** SIGKILL to all that is in it, until nothing is, and removes it. */
  async end(clock: Clock, onSurvivors: (survivors: Survivors) => void): Promise<void> {
    const survivors = new SurvivorWatch(clock, onSurvivors);
    while (!this.remove()) {
      this.kill();
      survivors.note(this.pids());
      await sleep(clock, survivors.areStubborn ? STUBBORN_LOOK_MS : LOOK_EVERY_MS);
    }
  }

  /** For another attempt, if this is as it was made: empty and not frozen. Nothing is done through this object any more. */
  handOn(): Cgroup | undefined {
    if (this.isRemoved || !this.isUnused || this.hasChildren) {
      return undefined;
    }
    this.isRemoved = true;
    return new Cgroup(this.directory, this.events);
  }

  private get isUnused(): boolean {
    try {
      this.events ??= openSync(join(this.directory, 'cgroup.events'), 'r');
      return EVENTS.toString('latin1', 0, readSync(this.events, EVENTS, 0, EVENTS.length, 0)) === UNUSED;
    } catch {
      return false;
    }
  }

  private get hasChildren(): boolean {
    try {
      return statSync(this.directory).nlink > 2;
    } catch {
      return true;
    }
  }

  children(): Cgroup[] {
    try {
      const entries = readdirSync(this.directory, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => new Cgroup(join(this.directory, name)));
    } catch {
      return [];
    }
  }

  /** A command that may can make some of its own. */
  private removeWithChildren(): boolean {
    const children = this.children();
    return children.length > 0 && children.every((child) => child.remove()) && this.tryRemove();
  }

  private tryRemove(): boolean {
    return succeeds(() => rmdirSync(this.directory)) || !existsSync(this.directory);
  }

  private event(name: string): number {
    const line = this.read('cgroup.events').match(new RegExp(`^${name} (\\d)$`, 'm'));
    return Number(line?.[1]);
  }

  private read(file: string): string {
    try {
      return readFileSync(join(this.directory, file), 'latin1');
    } catch {
      return '';
    }
  }

  private write(file: string, text: string): boolean {
    return !this.isRemoved && succeeds(() => writeFileSync(join(this.directory, file), text, { flag: 'r+' }));
  }
}

/** The directory of the cgroup (v2) of this process, if there is such a thing here. */
export function findOwnCgroup(): string | undefined {
  try {
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    const mount = /^\S+ \S+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'));
    const [, root = '', mountPoint = ''] = mount ?? [];
    const prefix = root === '/' ? '' : root;
    return own?.startsWith(prefix) && mount !== null ? join(unescape(mountPoint), own.slice(prefix.length)) : undefined;
  } catch {
    return undefined;
  }
}

const NAME_PATTERN = /^orchestrator-([0-9a-f]{16})-(\d+)-(\d+)-\d+$/;

/** Of all attempts of one executor. Its worker's id is hashed: it may be longer than a name. */
export function toSessionName({ workerId, process: worker }: MarkOwner, executorPid: number): string {
  return `orchestrator-${hashOf(workerId)}-${worker.pid}-${worker.startTime}-${executorPid}`;
}

/** Those of a worker id, next to which this process runs, each with the worker's process whose it was. */
export function findSessions(workerId: string): { cgroup: Cgroup; worker: ProcessIdentity }[] {
  const own = findOwnCgroup();
  const children = own === undefined ? [] : new Cgroup(own).children();
  return children.flatMap((cgroup) => {
    const [, hash, pid, startTime = ''] = NAME_PATTERN.exec(cgroup.directory.split('/').at(-1) ?? '') ?? [];
    return hash === hashOf(workerId) ? [{ cgroup, worker: { pid: Number(pid), startTime } }] : [];
  });
}

function hashOf(workerId: string): string {
  return createHash('sha256').update(workerId).digest('hex').slice(0, 16);
}

/** As mountinfo writes what would part its fields. */
function unescape(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
