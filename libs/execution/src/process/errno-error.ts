import { constants } from 'node:os';

const CODES = new Map(Object.entries(constants.errno).map(([code, errno]) => [errno, code]));

/** As Node's own errors of a spawn are. */
export function toErrnoError(errno: number): Error {
  const code = CODES.get(errno) ?? `errno ${errno}`;
  return Object.assign(new Error(`spawn ${code}`), { code });
}
