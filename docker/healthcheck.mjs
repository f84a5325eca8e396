// node healthcheck.mjs [/readyz]: asks the scheduler of this container; exit code 0 if it answers 200. It finds it by the
// environment. Where a file or flags say other than the environment on which port, set the variables, too.
import http from 'node:http';
import https from 'node:https';

const WITHIN_MS = 4_000;
const { ORCHESTRATOR_HTTP_HOST: host = '127.0.0.1', ORCHESTRATOR_HTTP_PORT: port = '8080' } = process.env;
const isEncrypted = Boolean(process.env.ORCHESTRATOR_TLS_CERT);
const path = process.argv[2] ?? '/healthz';

const request = (isEncrypted ? https : http).get({
  host: ['0.0.0.0', '::', '[::]'].includes(host) ? '127.0.0.1' : host,
  port,
  path,
  // A name that every scheduler accepts.
  headers: { host: `localhost:${port}` },
  // The question is whether it answers; over loopback nobody else does, and the certificate has other names.
  rejectUnauthorized: false,
  signal: AbortSignal.timeout(WITHIN_MS),
});
request.on('error', (error) => end(1, error.message));
request.on('response', (response) => {
  let body = '';
  response.on('data', (chunk) => (body += chunk));
  response.on('error', (error) => end(1, error.message));
  response.on('end', () => end(response.statusCode === 200 ? 0 : 1, `${response.statusCode} ${body}`));
});

/** Docker keeps what a check prints: `docker inspect` shows it. */
function end(code, text) {
  console.log(`${path}: ${text}`);
  process.exitCode = code;
}
