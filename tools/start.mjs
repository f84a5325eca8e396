// npm start: everything from a fresh clone to a running system, in the foreground. Ctrl-C drains it and stops exactly
// what it started.
import { bootstrap } from './lib/bootstrap.mjs';
import { buildPrograms } from './lib/build.mjs';
import { readFlags } from './lib/flags.mjs';
import { onStop } from './lib/on-stop.mjs';
import { freePort, isFree } from './lib/ports.mjs';
import { obtainRedis } from './lib/redis.mjs';
import { System } from './lib/system.mjs';

const flags = readFlags('npm start -- [flags]', {
  workers: { default: 3, describe: 'how many workers, 3 by default' },
  'http-port': { default: 8080, describe: 'where the API listens, 8080 by default, 0 = any free port' },
  'grpc-port': { default: 50051, describe: 'where workers connect, 50051 by default, 0 = any free port' },
});

let stopping = false;
let stop = () => process.exit(130);
onStop({ first: () => void stop(), again: () => void force() });
let force = () => process.exit(1);

await bootstrap();
console.log('building …');
await buildPrograms();
const httpPort = await portFor('http-port');
const grpcPort = await portFor('grpc-port');
const redis = await obtainRedis('npm start');
console.log(`Redis: ${redis.description}`);

const system = new System({
  redisUrl: redis.url,
  httpPort,
  grpcPort,
  environment: { ORCHESTRATOR_LOG_FORMAT: process.env.ORCHESTRATOR_LOG_FORMAT ?? 'pretty' },
  onDeath: report,
});
stop = () => end(0);
force = async () => {
  console.log('stopping at once');
  await system.force();
  await redis.stop();
  process.exit(1);
};
void redis.ended?.then((how) => {
  if (!stopping) {
    console.error(
      `redis-server ended (${how}): jobs wait until it is back; Ctrl-C and npm start again, its data are kept`,
    );
  }
});

const workers = Array.from({ length: flags.workers }, (_, index) => `worker-${index + 1}`);
if (await system.start(workers)) {
  announce();
} else if (!stopping) {
  console.error('it did not get ready; the lines above say why');
  await end(1);
}

async function end(code) {
  if (stopping) {
    return;
  }
  stopping = true;
  console.log('\nstopping: running jobs have 30 s to finish (Ctrl-C again stops at once)');
  await system.stop();
  await redis.stop();
  console.log('stopped');
  process.exit(code);
}

function report(child) {
  if (stopping) {
    return;
  }
  const again =
    child.name === 'scheduler'
      ? `ORCHESTRATOR_REDIS_URL=${redis.url} node apps/scheduler/dist/main.js --http-port ${httpPort} --grpc-port ${grpcPort}`
      : `node apps/worker/dist/main.js --id ${child.name} --schedulers 127.0.0.1:${grpcPort}`;
  console.error(`${child.name} (pid ${child.pid}) ended: ${child.end.text}. To have it back: ${again}`);
  if (system.allEnded) {
    console.error('nothing is left of it');
    void end(1);
  }
}

async function portFor(name) {
  const wanted = flags[name];
  if (wanted === 0) {
    return freePort();
  }
  if (await isFree(wanted)) {
    return wanted;
  }
  console.error(`port ${wanted} is taken: choose another, as in npm start -- --${name} ${wanted + 10}`);
  return process.exit(1);
}

function announce() {
  const names = workers.map((id) => `${id} (pid ${system.pidOf(id)})`).join(', ');
  console.log(`
ready: ${system.address}      API description: ${system.address}/docs
workers: ${names || 'none'}
try:

  curl -X POST ${system.address}/api/v1/jobs -H "Content-Type: application/json" -d '{"name":"test_job","command":"echo Hello from worker","priority":1,"timeout":30}'

Ctrl-C stops it; data stay in .orchestrator/
`);
}
