import { stopExecutors, useHelpers } from './testing/executor-harness.js';

// As in helpers-same.int.spec.ts; apart, because these run side by side.
useHelpers('always');
afterEach(stopExecutors);

import './freeze.int.spec.js';
