import type { Clock, Random } from '@orchestrator/core';
import { PeriodicService } from '@orchestrator/lifecycle';
import type { Logger } from '@orchestrator/telemetry';

import type { TlsFiles } from './tls-files.js';

const EVERY_MS = 3_600_000;

/** Says once in a while that the certificate expires, for as long as nobody does anything about it. */
export function createCertificateWatch(params: {
  files: Pick<TlsFiles, 'tellOfEnd'>;
  clock: Clock;
  random: Random;
  logger: Logger;
}): PeriodicService {
  return new PeriodicService({
    ...params,
    name: 'certificate watch',
    intervalMs: EVERY_MS,
    run: async () => params.files.tellOfEnd(),
  });
}
