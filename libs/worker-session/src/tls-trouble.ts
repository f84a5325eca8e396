/** What Node, OpenSSL and grpc-js say of a connection that did not come about, and what it means for who set it up. */
const OVER_TLS: readonly [said: RegExp, meaning: string][] = [
  [
    /self-signed certificate|unable to verify|unable to get (?:local )?issuer/,
    'is not signed by the authority in tls.ca',
  ],
  [/certificate has expired/, 'has expired'],
  [/certificate is not yet valid/, 'is not valid yet (or the clock of this machine is wrong)'],
  [/unsupported certificate purpose|unsuitable certificate purpose/, 'is not for servers (extended key usage)'],
];
const OTHER_NAMES = /does not match certificate's altnames: (.*?)(?:\. Resolution note|$)/s;
const PLAIN_TEXT = /wrong version number|packet length too long|tlsv1 alert protocol version/;
const NOT_GRPC = /no application protocol/;
const ALERT = /alert (certificate required|unknown ca|bad certificate|certificate expired|certificate unknown)/;
const CLOSED_AT_ONCE = /Last error: Failed to connect/;

/** Why TLS kept a worker and a scheduler apart; undefined when it was something else. */
export function describeTlsTrouble(details: string, isSecure: boolean): string | undefined {
  if (!isSecure) {
    return CLOSED_AT_ONCE.test(details)
      ? 'the connection was closed at once: if the scheduler speaks TLS, this worker needs tls.ca'
      : undefined;
  }
  const [, meaning] = OVER_TLS.find(([said]) => said.test(details)) ?? [];
  if (meaning !== undefined) {
    return `the certificate of the scheduler ${meaning}`;
  }
  const [, names] = OTHER_NAMES.exec(details) ?? [];
  if (names !== undefined) {
    return `the certificate of the scheduler is for other names than the address in schedulers: ${names}`;
  }
  if (PLAIN_TEXT.test(details)) {
    return 'the scheduler does not speak TLS: it has no tls.cert, or this is another port';
  }
  if (NOT_GRPC.test(details)) {
    return 'what answers there speaks TLS but not gRPC: expected grpc.port of the scheduler, not http.port';
  }
  const [, alert] = ALERT.exec(details) ?? [];
  return alert && `the other side refuses the certificate of this worker: ${alert}`;
}
