// What one job costs in Redis, call by call and by size of the batch: `npm run bench:store`. Not part of `npm run bench`,
// which measures whole programs beside their peers.
import { parseArgs } from 'node:util';

import { startRedis } from '@orchestrator/testing';

import { median } from '../statistics.js';
import { type RoundCost, runRound, type StepCost, type StepName, STEPS, type StoreCase } from './store-round.js';

const CASES: readonly StoreCase[] = [
  { name: 'plain', batch: 1, jobs: 1_000, kind: 'plain' },
  { name: 'plain', batch: 10, jobs: 3_000, kind: 'plain' },
  { name: 'plain', batch: 50, jobs: 5_000, kind: 'plain' },
  { name: 'plain', batch: 100, jobs: 5_000, kind: 'plain' },
  { name: 'plain', batch: 250, jobs: 5_000, kind: 'plain' },
  { name: 'of a batch', batch: 100, jobs: 5_000, kind: 'batch' },
  { name: 'with output', batch: 100, jobs: 5_000, kind: 'output' },
  { name: 'that fail', batch: 100, jobs: 5_000, kind: 'failed' },
];

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      redis: { type: 'string' },
    },
  });
  const cases = CASES.filter(
    ({ name, batch }) => values.only === undefined || `${name}/${batch}`.includes(values.only),
  );
  // Append-only, as `npm start` sets it up: what a script writes is written there once more.
  const server = await startRedis({ persistent: !values.memory, args: values.redis?.split(' ') ?? [] });
  try {
    const redis = server.client();
    const found = new Map<StoreCase, RoundCost[]>(cases.map((each) => [each, []]));
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const [each, rounds] of found) {
        rounds.push(await runRound(redis, each));
      }
    }
    report(found, values.json);
  } finally {
    await server.stop();
  }
}

function report(found: ReadonlyMap<StoreCase, RoundCost[]>, asJson: boolean): void {
  const lines = [...found].map(([each, rounds]) => {
    const of = (name: StepName, field: keyof Omit<StepCost, 'calls'>): number =>
      median(rounds.map(({ steps }) => steps[name][field]));
    const steps = STEPS.map((name) => ({
      name,
      cpuUs: of(name, 'cpuUs'),
      scriptUs: of(name, 'scriptUs'),
      commands: of(name, 'commands'),
      nodeUs: of(name, 'nodeUs'),
      calls: rounds[0]?.steps[name].calls,
    }));
    const bytesQueued = median(rounds.map((round) => round.bytesQueued));
    return { ...each, steps, bytesQueued, bytesFinished: median(rounds.map((round) => round.bytesFinished)) };
  });
  if (asJson) {
    say(JSON.stringify(lines));
    return;
  }
  say('jobs         batch  per job: CPU of Redis in us / commands / CPU of this process in us');
  for (const { name, batch, steps, bytesQueued, bytesFinished } of lines) {
    const cells = steps.map(({ name: step, cpuUs, commands, nodeUs }) =>
      `${step} ${cpuUs.toFixed(1)} / ${commands.toFixed(1)} / ${nodeUs.toFixed(1)}`.padEnd(29),
    );
    const bytes = `bytes queued ${bytesQueued.toFixed(0)}, finished ${bytesFinished.toFixed(0)}`;
    say(`${name.padEnd(12)} ${String(batch).padStart(5)}  ${cells.join('')}${bytes}`);
  }
}

void main();
