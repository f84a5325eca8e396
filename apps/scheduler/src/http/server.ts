import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

import type { TlsFiles } from '../tls/tls-files.js';
import { type AuditHookDeps, registerAudit } from './audit-hook.js';
import { batchRoutes } from './batches.js';
import { JOB_BODY_BYTES, parseBody } from './body-parser.js';
import type { HttpDeps } from './deps.js';
import { healthRoutes } from './health.js';
import { jobActionRoutes } from './job-actions.js';
import { jobRoutes } from './jobs.js';
import { isLaterCall } from './later-fields.js';
import { logRoutes } from './logs.js';
import { AllowedMethods } from './allowed-methods.js';
import { answerBrokenRequest } from './broken-request.js';
import { countRequests, metricsRoutes } from './metrics.js';
import { guardRoutes, type GuardRules } from './guard.js';
import { answerInStep, goInStep } from './in-step.js';
import { openDocs, registerOpenApi } from './openapi.js';
import { limitPipelining } from './pipelining.js';
import { requirePlainRequests } from './plain-request.js';
import { invalid, PROBLEMS, ProblemError, RETRY_AFTER_S, toProblemError } from './problem.js';
import { routeOf } from './route-of.js';
import { requireDeclaredRoutes } from './route-rules.js';
import { followCertificate, transportOptions } from './transport.js';
import { explainValidation } from './validation-errors.js';
import { workerRoutes } from './workers.js';

export interface HttpOptions extends GuardRules {
  /** Where changes and refusals are written down. */
  audit?: AuditHookDeps;
  /** Undefined: plain text. */
  tls?: TlsFiles | undefined;
  version: string;
}

const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Node looks for what is over its time this often; by itself only every 30 s, however short the times are. */
const LATE_BY_MS = 1_000;
/** Longer than the longest poll: a socket on which nothing moves for so long is dropped. */
const CONNECTION_TIMEOUT_MS = 75_000;
const KEEP_ALIVE_MS = 5_000;
const MAX_PARAM_LENGTH = 512;

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

/** The REST API as a Fastify instance that does not listen yet. */
export async function createHttpServer(deps: HttpDeps, options: HttpOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: JOB_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...transportOptions(options.tls, {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LATE_BY_MS,
    }),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    ajv: {
      // Nothing is changed to make it fit; `verbose` adds the schema that a message needs.
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
        verbose: true,
      },
    },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      sendProblem(
        reply,
        error.code === 'FST_ERR_BAD_URL' ? invalid('', 'the address is malformed') : toProblemError(error),
      );
    },
  });
  followCertificate(app.server, options.tls);
  const allowed = new AllowedMethods(app);

  app.decorateRequest('route');
  goInStep(app);
  limitPipelining(app);
  requirePlainRequests(app);
  acceptJsonOnly(app);
  // Schemas describe and check what comes in; what goes out is written as it is, and tests compare it with them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  // Hooks that wait for nothing are no promises: each would cost every request a microsecond.
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(SECURITY_HEADERS);
    done();
  });
  if (options.audit !== undefined) {
    registerAudit(app, options.audit);
  }
  await guardRoutes(app, options);
  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new ProblemError('unsupported-media-type', 'expected a body without Content-Encoding');
    }
    done();
  });
  closeInOrder(app, deps);
  answerInStep(app);
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = error.validation
      ? explainValidation(error.validation, error.validationContext ?? 'body')
      : toProblemError(error);
    request.auditDetail = problem.detail;
    logProblem(deps, request, problem);
    sendProblem(reply, problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const { method, url } = request;
    const call = `${method} ${url.slice(0, 200)}`;
    if (isLaterCall(method, url)) {
      const detail = `${call} is not supported yet: it comes with a later version`;
      return sendProblem(reply, new ProblemError('not-found', detail));
    }
    const methods = allowed.of(url);
    if (methods.length === 0) {
      return sendProblem(reply, new ProblemError('not-found', `there is no ${call}`));
    }
    void reply.header('allow', methods.join(', '));
    const detail = `${method} is not allowed here, only ${methods.join(', ')}`;
    return sendProblem(reply, new ProblemError('method-not-allowed', detail));
  });

  countRequests(app, deps);
  openDocs(app);
  requireDeclaredRoutes(app);
  await registerOpenApi(app, options.version);
  await app.register(healthRoutes(deps));
  await app.register(metricsRoutes(deps));
  await app.register(
    async (api) => {
      await api.register(jobRoutes(deps));
      await api.register(batchRoutes(deps));
      await api.register(jobActionRoutes(deps));
      await api.register(logRoutes(deps));
      await api.register(workerRoutes(deps));
    },
    { prefix: '/api/v1' },
  );
  return app;
}

type BodyDone = (error: Error | null, body?: unknown) => void;
type BodyParser = (request: FastifyRequest, body: Buffer, done: BodyDone) => void;

/** JSON, also under the type that curl sends with -d, and under none: a web page cannot make use of it, see origin.ts. */
function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  // What a parser throws Fastify takes for its answer.
  const parse: BodyParser = (_request, body, done) => done(null, parseBody(body));
  app.addContentTypeParser(['application/json', 'application/x-www-form-urlencoded'], { parseAs: 'buffer' }, parse);
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done: BodyDone) => {
    if (request.headers['content-type'] !== undefined) {
      throw new ProblemError('unsupported-media-type', 'expected application/json');
    }
    done(null, parseBody(body));
  });
  // Where nothing is expected, nothing is ignored.
  app.addHook('preHandler', (request, _reply, done) => {
    const { body } = request;
    const { schema, url } = routeOf(request);
    if (schema?.body === undefined && !isEmpty(body) && !request.is404) {
      throw invalid('', 'no body is expected here');
    }
    if (schema?.querystring === undefined && url?.startsWith('/api/') === true) {
      const [parameter] = Object.keys(request.query as object);
      if (parameter !== undefined) {
        throw invalid(parameter, 'is not a known parameter');
      }
    }
    done();
  });
}

function isEmpty(body: unknown): boolean {
  return body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0);
}

/**
 * What waits is answered, connections are told to close with their next answer. A connection that was busy when the
 * closing began would otherwise be kept until its keep-alive runs out.
 */
function closeInOrder(app: FastifyInstance, deps: HttpDeps): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
    deps.polls.close();
  });
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (closing || deps.isStopping()) {
      void reply.header('connection', 'close');
    }
    done();
  });
}

function sendProblem(reply: FastifyReply, error: ProblemError): FastifyReply {
  const problem = error.toProblem();
  if (problem.status === 503 || problem.status === 507) {
    void reply.header('retry-after', String(RETRY_AFTER_S));
  }
  return reply
    .code(problem.status)
    .headers(SECURITY_HEADERS)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .serializer((payload: string) => payload)
    .send(JSON.stringify(problem));
}

function logProblem({ logger }: HttpDeps, request: FastifyRequest, error: ProblemError): void {
  const { status } = PROBLEMS[error.kind];
  const fields = { method: request.method, route: request.routeOptions.url, status, error: error.options.cause };
  if (error.kind === 'internal-error') {
    logger.error('a request failed', fields);
  } else if (status >= 500) {
    logger.warn('a request could not be served', fields);
  } else {
    logger.debug('a request was refused', { ...fields, detail: error.detail });
  }
}
