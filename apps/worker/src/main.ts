#!/usr/bin/env node
import './hide-arguments.js';

import { ConfigError } from '@orchestrator/config';
import { systemClock } from '@orchestrator/core';
import { runUntilSignal } from '@orchestrator/lifecycle';

import { createWorkerApp, EXIT_BAD_CONFIG } from './app.js';
import { loadWorkerConfig } from './config.js';

async function main(): Promise<void> {
  const loaded = loadWorkerConfig(process.argv.slice(2), process.env);
  if (loaded.outcome === 'answer') {
    process.stdout.write(`${loaded.text}\n`);
    return;
  }
  const app = createWorkerApp({ ...loaded, environment: process.env, stdout: process.stdout });
  await runUntilSignal({ ...app, host: process, clock: systemClock });
}

main().catch((error: unknown) => {
  const isExpected = error instanceof ConfigError;
  console.error(isExpected ? error.message : error);
  process.exit(isExpected ? EXIT_BAD_CONFIG : 1);
});
