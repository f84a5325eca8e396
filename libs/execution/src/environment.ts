/** What a command gets of the worker's environment. Everything else, above all the worker's secrets, stays there. */
export const BASE_VARIABLES = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'] as const;

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The base environment and what `executor.passEnv` names, as far as they are set. */
export function pickEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  passEnv: readonly string[] = [],
): Record<string, string> {
  const picked: Record<string, string> = { PATH: DEFAULT_PATH };
  for (const name of [...BASE_VARIABLES, ...passEnv]) {
    const value = environment[name];
    if (value !== undefined) {
      picked[name] = value;
    }
  }
  return picked;
}
