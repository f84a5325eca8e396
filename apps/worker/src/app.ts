import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { ENV_PREFIX, type LoadedConfig } from '@orchestrator/config';
import { systemClock, systemRandom } from '@orchestrator/core';
import { endLeftovers, ExecutorProcess, HandlerLoadError, HandlerRunner, uptimeMs } from '@orchestrator/execution';
import type { Service } from '@orchestrator/lifecycle';
import { createLogger, type Logger } from '@orchestrator/telemetry';
import { GrpcTransport, LocalRunner, OrchestratorWorker, type RunnerFactory } from '@orchestrator/worker-session';

import type { WorkerConfig } from './config.js';
import { JoinToken } from './join-token.js';
import { openTls, tlsPaths } from './tls.js';
import { readUsage } from './usage.js';

export const EXIT_BAD_CONFIG = 2;

export interface WorkerApp {
  service: Service;
  /** Resolves with an exit code when the worker is done by itself. */
  ended: Promise<number>;
  logger: Logger;
}

export interface WorkerAppParams extends Pick<LoadedConfig<WorkerConfig>, 'config' | 'warnings' | 'secrets'> {
  environment: Readonly<Record<string, string | undefined>>;
  stdout: NodeJS.WriteStream;
}

/** The composition root: the only place where things of this program are constructed. */
export function createWorkerApp(params: WorkerAppParams): WorkerApp {
  const { config, warnings, secrets, stdout } = params;
  const { level, format } = config.log;
  const logger = createLogger({ level, format, stream: stdout, secrets, fields: { worker: config.id } });
  const joinToken = new JoinToken(config, logger);
  const tls = openTls(config, logger);
  const version = readVersion();
  const worker = new OrchestratorWorker({
    identity: {
      workerId: config.id,
      pools: config.pools,
      slots: config.slots,
      labels: config.labels,
      version,
      host: hostname(),
      pid: process.pid,
    },
    schedulers: config.schedulers,
    drainTimeoutMs: config.drainTimeout,
    transport: new GrpcTransport({
      joinToken: () => joinToken.current(),
      secureContext: tls && (() => tls.current()),
      clock: systemClock,
    }),
    createRunner: createRunners(params, joinToken, logger),
    endLeftovers: async () => {
      await endLeftovers({ workerId: config.id, clock: systemClock, logger });
    },
    usage: readUsage,
    uptimeMs,
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  const service: Service = {
    name: 'worker',
    async start() {
      warnings.forEach((warning) => logger.warn(warning));
      const { schedulers, pools, slots } = config;
      logger.info('worker starting', { version, pid: process.pid, schedulers, pools, slots });
      await worker.start();
    },
    async stop() {
      await worker.stop();
      logger.info('worker stopped');
      await logger.close();
    },
  };
  return { service, ended: worker.ended.catch((error: unknown) => toExitCode(error, logger)), logger };
}

/** A module of handlers that cannot be loaded is a wrong configuration. */
function toExitCode(error: unknown, logger: Logger): number {
  if (!(error instanceof HandlerLoadError)) {
    throw error;
  }
  logger.error('the handlers cannot be loaded', { detail: error.message });
  return EXIT_BAD_CONFIG;
}

function createRunners({ config, environment }: WorkerAppParams, joinToken: JoinToken, logger: Logger): RunnerFactory {
  const { executor: options, handlers, id: workerId, joinTokenFile, schedulers } = config;
  const { cgroup, cwd, passEnv } = options;
  return (session, events) =>
    new LocalRunner({
      workerId,
      defaults: { killGraceMs: options.killGrace, maxOutputBytes: options.maxOutput },
      events,
      clock: systemClock,
      uptimeMs,
      createExecutor: (executorEvents) =>
        new ExecutorProcess({
          workerId,
          session,
          events: executorEvents,
          clock: systemClock,
          logger,
          environment,
          passEnv,
          cgroup,
          ...(cwd === undefined ? {} : { cwd }),
          lastWill: {
            addresses: schedulers,
            joinToken: joinToken.current() ?? '',
            joinTokenFile,
            tls: tlsPaths(config),
          },
        }),
      createHandlers:
        handlers === undefined
          ? undefined
          : (handlerEvents, executor) =>
              new HandlerRunner({
                modulePath: handlers,
                events: handlerEvents,
                clock: systemClock,
                logger,
                onBusy: (running) => executor.reportHandlers(running),
                environment: withoutOurs(environment),
              }),
    });
}

/** Handlers are the user's own program and get its environment; what configures the worker, as its token, is not theirs. */
function withoutOurs(environment: WorkerAppParams['environment']): WorkerAppParams['environment'] {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(ENV_PREFIX)));
}

/** Two levels up in the sources and in what is built. */
function readVersion(): string {
  const text = readFileSync(join(__dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
