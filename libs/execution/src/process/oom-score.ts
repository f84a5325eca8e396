import { openSync, readFileSync, writeSync } from 'node:fs';

/** Added to what the executor itself has: a greedy command is to die, and not its worker. */
const COMMANDS_EXTRA = 500;
const FILE = '/proc/self/oom_score_adj';

/**
 * Runs `spawn` while this process has the commands' `oom_score_adj`, which children inherit: so there is no moment at
 * which a command runs without it. Going back down to the own value needs no privilege. Where the file cannot be
 * written the commands run without it.
 */
export function createOomRaiser(): <T>(spawn: () => T) => T {
  try {
    const own = readScore();
    const file = openSync(FILE, 'w');
    return (spawn) => {
      setScore(file, toCommands(own));
      try {
        return spawn();
      } finally {
        setScore(file, own);
      }
    };
  } catch {
    return (spawn) => spawn();
  }
}

/** What commands are to have; undefined where it cannot be set. */
export function commandsOomScore(): number | undefined {
  try {
    return toCommands(readScore());
  } catch {
    return undefined;
  }
}

function toCommands(own: number): number {
  return Math.min(own + COMMANDS_EXTRA, 1_000);
}

function readScore(): number {
  return Number(readFileSync(FILE, 'latin1'));
}

function setScore(file: number, score: number): void {
  try {
    writeSync(file, String(score), 0);
  } catch {
    // Not allowed here.
  }
}
