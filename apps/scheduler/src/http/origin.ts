import { isIPv4 } from 'node:net';

import type { FastifyRequest } from 'fastify';

import { ProblemError } from './problem.js';

export interface OriginRules {
  /** Names besides localhost and the loopback addresses; with or without a port. */
  allowedHosts: readonly string[];
}

/**
 * Keeps out web pages that made their own name point here (DNS rebinding). Where a token is asked for, such a page has
 * none, and the server has whatever names its users gave it.
 * @throws {ProblemError} 403
 */
export function requireOwnHost(request: FastifyRequest, rules: OriginRules): void {
  if (!isAllowedHost(request.headers.host ?? '', rules.allowedHosts)) {
    throw new ProblemError(
      'host-not-allowed',
      'expected Host to be localhost, a loopback address or a name in http.allowedHosts',
    );
  }
}

/**
 * Keeps web pages from running commands on a user's machine: a page of another site is told by `Origin` and
 * `Sec-Fetch-Site`, which programs do not send. Only opening the documentation from elsewhere is let through: nothing of
 * it can be read by that page.
 * @throws {ProblemError} 403
 */
export function requireOwnOrigin(request: FastifyRequest): void {
  const { origin, host = '' } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const foreignOrigin = origin !== undefined && hostOf(origin) !== host.toLowerCase();
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (foreignOrigin || (foreignSite && !isOpeningAPage(request))) {
    throw new ProblemError('cross-site-request', 'expected Origin and Sec-Fetch-Site to be of this server itself');
  }
}

/** Exported for its own test. `host` is the header: a name or an address, maybe with a port. */
export function isAllowedHost(host: string, allowedHosts: readonly string[]): boolean {
  const lower = host.toLowerCase();
  const name = lower.replace(/:\d+$/, '');
  return (
    name === 'localhost' ||
    name === '[::1]' ||
    (isIPv4(name) && name.startsWith('127.')) ||
    allowedHosts.some((allowed) => [lower, name].includes(allowed.toLowerCase()))
  );
}

function isOpeningAPage(request: FastifyRequest): boolean {
  const { headers, method, routeOptions } = request;
  return (
    method === 'GET' &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    // The route, not the address, which can be written in many ways.
    routeOptions.url?.startsWith('/api/') !== true
  );
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? originHost(new URL(origin)) : undefined;
}

/** `URL.host` leaves a default port out, as browsers do in `Host`. */
function originHost(url: URL): string | undefined {
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.host : undefined;
}
