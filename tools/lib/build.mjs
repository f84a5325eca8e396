import { bin } from './root.mjs';
import { run } from './run.mjs';

/** Compiles every library and both programs, quietly; about a second when nothing has changed. False: it says why. */
export async function builds() {
  const done = await run(bin('nx'), ['run-many', '-t', 'build', '--output-style=stream'], { capture: true });
  if (!done.ok) {
    process.stderr.write(done.output);
    console.error('the build failed: its words are above');
  }
  return done.ok;
}

/** The same, or the end of the tool. */
export async function build() {
  if (!(await builds())) {
    process.exit(1);
  }
}
