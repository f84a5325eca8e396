import { whatIsMissing } from './engine.mjs';
import { imageSteps } from './image-steps.mjs';
import { Project, secondsSince } from './project.mjs';
import { runSteps } from './run-steps.mjs';
import { secureSteps } from './secure-steps.mjs';

/**
 * Builds the images and brings the compose file up and down, in a project of its own of which nothing stays.
 * Each step needs those before it: after a failure the rest is not tried and counts as failed.
 * @returns {Promise<{ok: boolean, passed: number, failed: number, skipped?: string}>}
 */
export async function checkDocker() {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    console.log(`${missing}: skipped`);
    return { ok: true, passed: 0, failed: 0, skipped: missing };
  }
  const project = await Project.create();
  const removed = removeOnSignal(project);
  const steps = [...imageSteps, ...runSteps, ...secureSteps];
  let passed = 0;
  try {
    for (const step of steps) {
      const since = performance.now();
      const said = await step.run(project);
      passed += 1;
      console.log(`  ✓ ${step.name}: ${said} [${secondsSince(since).toFixed(1)} s]`);
    }
  } catch (error) {
    console.log(`  ✗ ${steps[passed].name}\n${error.stack}`);
    await showLogs(project);
  } finally {
    await project.remove();
    removed.cancel();
  }
  return { ok: passed === steps.length, passed, failed: steps.length - passed };
}

async function showLogs(project) {
  const { output } = await project
    .compose('logs', '--no-color', '--tail', '40')
    .catch((error) => ({ output: error.message }));
  console.log(output);
}

/** Ctrl-C ends the check, not what it has started. */
function removeOnSignal(project) {
  const stop = (signal) => void project.remove().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return { cancel: () => process.off('SIGINT', stop).off('SIGTERM', stop) };
}
