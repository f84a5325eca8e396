import { stopExecutors, useHelpers } from './testing/executor-harness.js';

// What is promised of commands holds whoever starts them: the same tests, with every command started by a helper.
useHelpers('always');
afterEach(stopExecutors);

import './commands.int.spec.js';
import './output.int.spec.js';
import './cgroup.int.spec.js';
import './lease.int.spec.js';
import './unkillable.int.spec.js';
