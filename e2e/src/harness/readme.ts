import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from './program.js';

const execute = promisify(execFile);

/** The curl lines of a document and what they need, each as it stands. */
export function exampleLines(document: string): string[] {
  return readFileSync(join(ROOT, document), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl ') || line.startsWith('node -e '));
}

/** Runs a line in a shell, as somebody who copied it. `port` stands in for 8080 where that is taken. */
export async function runLine(
  line: string,
  port: number,
  jobId?: string,
  env: Record<string, string> = {},
): Promise<string> {
  const text = line.replaceAll('localhost:8080', `localhost:${port}`).replaceAll('{job_id}', jobId ?? '{job_id}');
  const { stdout } = await execute('/bin/sh', ['-c', text.replace(/^curl /, 'curl --silent --show-error ')], {
    timeout: 40_000,
    env: { ...process.env, ...env },
  });
  return stdout;
}
