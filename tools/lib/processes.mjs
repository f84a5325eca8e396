import fs from 'node:fs';

/**
 * Pids are used again: with its start time (in ticks since the boot, Linux only) a process is named for good. `ended`:
 * it is dead, and only its parent has not asked yet.
 */
export function identify(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid, started: fields[19], ended: fields[0] === 'Z' || undefined };
  } catch {
    return { pid };
  }
}

export function isAlive(identity) {
  if (identity?.pid === undefined) {
    return false;
  }
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  const now = identify(identity.pid);
  return now.ended !== true && (identity.started === undefined || now.started === identity.started);
}
