import type { ConfigProblem } from '@orchestrator/config';
import { InvalidValueError } from '@orchestrator/core';
import { requireSafeTimings } from '@orchestrator/heartbeat';

import { asksForTokens, checkTokens } from './access/open-access.js';
import type { SchedulerConfig } from './config.js';

/** What must hold between the keys of a scheduler's configuration. */
export function crossCheck(config: SchedulerConfig, given: ReadonlySet<string>): ConfigProblem[] {
  return [
    ...checkTokens(config),
    ...checkFiles(config),
    ...checkTls(config),
    ...checkTimings(config),
    ...checkBinding(config),
    ...checkRedis(config, given),
    ...checkLockNodes(config),
  ];
}

/** A program that was told of two would have to guess. */
function checkRedis({ redis }: SchedulerConfig, given: ReadonlySet<string>): ConfigProblem[] {
  const hasSentinels = redis.sentinels.length > 0;
  if (hasSentinels !== (redis.name !== undefined)) {
    return [
      hasSentinels
        ? { key: 'redis.name', rule: "expected the Sentinels' name of the master, since redis.sentinels is set" }
        : { key: 'redis.sentinels', rule: 'expected at least one address, since redis.name is set' },
    ];
  }
  return hasSentinels && given.has('redis.url')
    ? [{ key: 'redis.url', rule: 'expected either redis.url, or redis.sentinels with redis.name' }]
    : [];
}

function checkTls({ tls, redis, lock }: SchedulerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (redis.ca !== undefined && ![redis.name ?? redis.url, ...lock.nodes].some((url) => url.startsWith('rediss://'))) {
    problems.push({
      key: 'redis.ca',
      rule: 'expected an address that begins with rediss://, too: no other one is over TLS',
    });
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [missing, other] = tls.cert === undefined ? ['tls.cert', 'tls.key'] : ['tls.key', 'tls.cert'];
    problems.push({ key: missing, rule: `expected the path of a file, since ${other} is set` });
  }
  if (tls.ca !== undefined && tls.cert === undefined && tls.key === undefined) {
    problems.push({
      key: 'tls.ca',
      rule: 'expected tls.cert and tls.key, too: certificates are presented over TLS only',
    });
  }
  return problems;
}

/** A secret that is given twice: one of the two is not the one that somebody believes in. */
function checkFiles({ auth, redis }: SchedulerConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (auth.joinToken !== undefined && auth.joinTokenFile !== undefined) {
    problems.push({ key: 'auth.joinTokenFile', rule: 'expected either auth.joinTokenFile or auth.joinToken' });
  }
  const key = redis.name === undefined ? 'redis.url' : 'redis.name';
  if (redis.passwordFile !== undefined && hasPassword(redis.name ?? redis.url)) {
    problems.push({ key: 'redis.passwordFile', rule: `expected either redis.passwordFile or a password in ${key}` });
  }
  return problems;
}

function hasPassword(address: string): boolean {
  return /^[a-z]+:\/\/[^/@]*:[^/@]+@/.test(address);
}

function checkTimings({ heartbeat }: SchedulerConfig): ConfigProblem[] {
  try {
    requireSafeTimings({ intervalMs: heartbeat.interval, leaseMs: heartbeat.lease, timeoutMs: heartbeat.timeout });
    return [];
  } catch (error) {
    if (!(error instanceof InvalidValueError)) {
      throw error;
    }
    // It names the key and its value itself, as a line of ours does.
    const [given = '', rule = ''] = error.message.split(/: (.*)/s);
    return [{ key: error.path, value: given.replace(`${error.path} is `, ''), rule }];
  }
}

/** Whoever reaches these ports can run commands. */
function checkBinding(config: SchedulerConfig): ConfigProblem[] {
  const { http, grpc, auth, tls } = config;
  if (auth.mode === 'none') {
    return [];
  }
  const problems: ConfigProblem[] = [];
  if (!isLoopback(http.host) && !asksForTokens(config)) {
    problems.push({
      key: 'http.host',
      value: JSON.stringify(http.host),
      rule: 'without tokens (auth.tokens, auth.tokensFile) only loopback is allowed: everybody on the network could run commands. If that is meant, say so with auth.mode none',
    });
  }
  if (
    !isLoopback(grpc.host) &&
    auth.joinToken === undefined &&
    auth.joinTokenFile === undefined &&
    tls.ca === undefined
  ) {
    problems.push({
      key: 'grpc.host',
      value: JSON.stringify(grpc.host),
      rule: 'without auth.joinToken, auth.joinTokenFile or tls.ca only loopback is allowed: everybody on the network could be a worker. If that is meant, say so with auth.mode none',
    });
  }
  return problems;
}

function checkLockNodes({ lock }: SchedulerConfig): ConfigProblem[] {
  const { length } = lock.nodes;
  return [0, 1, 3, 5].includes(length) && new Set(lock.nodes).size === length
    ? []
    : [{ key: 'lock.nodes', value: `${length} addresses`, rule: 'expected 1, 3 or 5 different Redis servers' }];
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || host === '::1' || host === '[::1]';
}
