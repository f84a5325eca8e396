export type { BatchView, JobView } from './api.js';
export { Api } from './api.js';
export { leftovers } from './leftovers.js';
export { openJobs } from './open-jobs.js';
export { executorOf, filesOf, memoryOf, processesOfWorker, processesWith } from './processes.js';
export { Program, ROOT } from './program.js';
export { waitUntil } from './wait.js';
