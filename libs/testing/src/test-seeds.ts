const LARGEST_SEED = 2 ** 31;

/**
 * Seeds for a test of races: ORCHESTRATOR_TEST_SEED (set by `npm run test:race`, which prints it) and those that follow
 * it, else random ones. Put the seed into the test's name, so that a failure says it.
 */
export function testSeeds(count: number): number[] {
  const given = process.env['ORCHESTRATOR_TEST_SEED'];
  const first = given === undefined ? Math.floor(Math.random() * LARGEST_SEED) : Number(given);
  return Array.from({ length: count }, (_, index) => first + index);
}
