// npx nx serve scheduler, npx nx run worker:serve --id=worker-2: compiles on change (tsc -b --watch) and starts the
// program anew when its output changed (node --watch). Arguments are passed on.
import { startChild } from './lib/child.mjs';
import { onStop } from './lib/on-stop.mjs';
import { obtainRedis } from './lib/redis.mjs';
import { bin } from './lib/root.mjs';

const [app, ...args] = process.argv.slice(2);
const has = (flag) => args.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
const config = has('--config') ? [] : ['--config', `config/${app}.yaml`];
const hasSentinels = has('--redis-sentinels') || process.env.ORCHESTRATOR_REDIS_SENTINELS !== undefined;
const wantsRedis = app === 'scheduler' && !has('--redis-url') && !hasSentinels && !has('--config');

const redis = wantsRedis ? await obtainRedis('nx serve scheduler') : undefined;
if (redis !== undefined) {
  console.log(`Redis: ${redis.description}`);
}
const env = {
  ORCHESTRATOR_LOG_FORMAT: process.env.ORCHESTRATOR_LOG_FORMAT ?? 'pretty',
  ...(redis && { ORCHESTRATOR_REDIS_URL: redis.url }),
};
const compiler = startChild('tsc', bin('tsc'), [
  '-b',
  `apps/${app}/tsconfig.lib.json`,
  '--watch',
  '--preserveWatchOutput',
]);
const program = startChild(
  app,
  process.execPath,
  ['--watch', '--watch-preserve-output', '--enable-source-maps', `apps/${app}/dist/main.js`, ...config, ...args],
  { env, show: (line) => console.log(line) },
);

let stopping = false;
async function end() {
  stopping = true;
  compiler.signal('SIGTERM');
  program.signal('SIGTERM');
  await Promise.all([compiler.ended, program.ended]);
  await redis?.stop();
  process.exit(0);
}
onStop({
  first: () => void end(),
  again: () => {
    program.signal('SIGKILL');
  },
});
for (const child of [compiler, program]) {
  void child.ended.then(() => {
    if (!stopping) {
      console.error(`${child.name} ended: ${child.end.text}`);
      void end();
    }
  });
}
