/** With a number in [0, 1) for the wait that may follow: scripts have no randomness of their own. */
export type WithRandom<T> = T & { random: number };
