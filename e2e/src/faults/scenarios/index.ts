import type { Scenario } from '../scenario.js';
import { badNetwork } from './bad-network.js';
import { deafSchedulers } from './deaf-schedulers.js';
import { hostileAttacks } from './hostile-attacks.js';
import { hostileClients } from './hostile-clients.js';
import { hostileMachine } from './hostile-machine.js';
import { hostileOutput } from './hostile-output.js';
import { hostileProcesses } from './hostile-processes.js';
import { leaderStops } from './leader-stops.js';
import { partitions } from './partitions.js';
import { redisClock } from './redis-clock.js';
import { redisCommands } from './redis-commands.js';
import { redisFailovers } from './redis-failovers.js';
import { redisFull } from './redis-full.js';
import { redisLostTails } from './redis-lost-tails.js';
import { redisPartitions } from './redis-partitions.js';
import { redisRestarts } from './redis-restarts.js';
import { redisSlow } from './redis-slow.js';
import { redisStops } from './redis-stops.js';
import { rollingRestarts } from './rolling-restarts.js';
import { schedulerEnds } from './scheduler-ends.js';
import { soak } from './soak.js';
import { stalledReaders } from './stalled-readers.js';
import { upgrades } from './upgrades.js';
import { workerEnds } from './worker-ends.js';
import { workerStops } from './worker-stops.js';

/** All of them, in the order in which they are run and listed. */
export const scenarios: readonly Scenario[] = [
  ...workerEnds,
  ...workerStops,
  ...schedulerEnds,
  ...rollingRestarts,
  ...upgrades,
  ...leaderStops,
  ...partitions,
  ...deafSchedulers,
  ...badNetwork,
  ...redisRestarts,
  ...redisStops,
  ...redisFailovers,
  ...redisPartitions,
  ...redisFull,
  ...redisCommands,
  ...redisSlow,
  ...redisLostTails,
  ...redisClock,
  ...hostileOutput,
  ...hostileProcesses,
  ...hostileMachine,
  ...hostileAttacks,
  ...stalledReaders,
  ...hostileClients,
  soak,
];
