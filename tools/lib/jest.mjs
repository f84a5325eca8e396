import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { bin } from './root.mjs';
import { run } from './run.mjs';

/** Runs jest and counts: {passed, failed, ok}. A suite that could not run at all counts as one failure. */
export async function jest(args, env = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'orchestrator-jest-'));
  const outputFile = path.join(folder, 'result.json');
  try {
    // --forceExit: after a failed assertion a server may be left open, and the run would never end.
    const done = await run(bin('jest'), ['--forceExit', '--json', `--outputFile=${outputFile}`, ...args], { env });
    if (!fs.existsSync(outputFile)) {
      return { ok: false, passed: 0, failed: 1 };
    }
    const result = JSON.parse(fs.readFileSync(outputFile, 'utf8'));
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    return { ok: done.ok, passed: result.numPassedTests, failed: failed || (done.ok ? 0 : 1) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
