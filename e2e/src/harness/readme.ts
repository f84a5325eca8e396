import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from './program.js';

const execute = promisify(execFile);

/** The curl lines of a document, each as it stands, a continuation by backslash included. */
export function curlLines(document: string): string[] {
  return readFileSync(join(ROOT, document), 'utf8')
    .replaceAll('\\\n', '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('curl '));
}

/** Runs a line in a shell, as somebody who copied it. `port` stands in for 8080 where that is taken. */
export async function runLine(line: string, port: number, jobId?: string): Promise<string> {
  const text = line.replaceAll('localhost:8080', `localhost:${port}`).replaceAll('{job_id}', jobId ?? '{job_id}');
  const { stdout } = await execute('/bin/sh', ['-c', text.replace(/^curl /, 'curl --silent --show-error ')], {
    timeout: 40_000,
  });
  return stdout;
}
