#!/usr/bin/env node
import './hide-arguments.js';

import { writeSync } from 'node:fs';

import { ConfigError, readCommand } from '@orchestrator/config';
import { systemClock, systemRandom } from '@orchestrator/core';
import { runUntilSignal } from '@orchestrator/lifecycle';

import { answerNewToken, NEW_TOKEN } from './access/new-token.js';
import { createSchedulerApp } from './app.js';
import { answerVerifyAudit, VERIFY_AUDIT } from './audit/verify-audit.js';
import { loadSchedulerConfig } from './config.js';

const EXIT_BAD_CONFIG = 2;
const EXIT_FAILED = 1;

async function main(): Promise<void> {
  const command = readCommand(process.argv.slice(2), [NEW_TOKEN, VERIFY_AUDIT]);
  if (command?.flag === VERIFY_AUDIT.flag) {
    process.exitCode = await answerVerifyAudit(command.value, process.stdout);
    return;
  }
  if (command !== undefined) {
    process.stdout.write(answerNewToken(command.value, systemRandom));
    return;
  }
  const loaded = loadSchedulerConfig(process.argv.slice(2), process.env);
  if (loaded.outcome === 'answer') {
    process.stdout.write(loaded.text);
    return;
  }
  const app = createSchedulerApp({ ...loaded, stdout: process.stdout });
  await runUntilSignal({ ...app, host: process, clock: systemClock });
}

main().catch((error: unknown) => {
  // Written synchronously: nothing that the process has left to do can lose it.
  writeSync(process.stderr.fd, `${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError ? EXIT_BAD_CONFIG : EXIT_FAILED);
});
