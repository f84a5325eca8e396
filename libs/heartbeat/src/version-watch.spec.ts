import type { Logger } from '@orchestrator/telemetry';
import { silentLogger } from '@orchestrator/telemetry';

import { VersionWatch } from './version-watch.js';

describe('VersionWatch', () => {
  it('names both versions where they are more than one minor apart, once for each', () => {
    const told: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (message, fields) => told.push([message, fields]) };
    const watch = new VersionWatch('1.4.0', logger);

    watch.saw('worker', 'a', '1.5.2');
    watch.saw('worker', 'a', '1.6.0');
    watch.saw('worker', 'a', '1.6.0');
    watch.saw('scheduler', 'a', '1.2.9');

    expect(told).toEqual([
      [expect.stringContaining('a worker is more than 1 minor'), { worker: 'a', version: '1.6.0', own: '1.4.0' }],
      [expect.stringContaining('a scheduler is more than 1 minor'), { scheduler: 'a', version: '1.2.9', own: '1.4.0' }],
    ]);
  });
});
