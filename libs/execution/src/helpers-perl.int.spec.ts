import { stopExecutors, useHelpers } from './testing/executor-harness.js';

// The same by helpers in Perl, which is what there is where nothing was compiled.
afterEach(stopExecutors);

import './helpers.int.spec.js';
import './commands.int.spec.js';

useHelpers('always-perl');
