import { describeTlsTrouble } from './tls-trouble.js';

const lastError = (text: string): string => `No connection established. Last error: ${text}. Resolution note: `;

describe('describeTlsTrouble', () => {
  it.each([
    ['Error: unable to verify the first certificate', /not signed by the authority in tls\.ca/],
    ['Error: self-signed certificate in certificate chain', /not signed by the authority in tls\.ca/],
    ['Error: certificate has expired', /has expired/],
    [
      'Error: 80FC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../x.c:350:\n',
      /does not speak TLS/,
    ],
    [
      'Error: 800C:error:0A000460:SSL routines:ssl3_read_bytes:tlsv1 alert no application protocol:../x.c:1601:\n',
      /not gRPC: expected grpc\.port/,
    ],
    ['80FC:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../x', /certificate required/],
  ])('says what %j means', (said, meaning) => {
    expect(describeTlsTrouble(lastError(said), true)).toMatch(meaning);
  });

  it('says for which names a certificate is', () => {
    const said = "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b";

    expect(describeTlsTrouble(lastError(said), true)).toMatch(/for other names .*DNS:b$/);
  });

  it('says what a connection without TLS may need', () => {
    expect(describeTlsTrouble(lastError('Failed to connect (2026-11-24T02:46:59.655Z)'), false)).toContain('tls.ca');
  });

  it.each([true, false])('leaves alone what has nothing to do with TLS (secure: %s)', (isSecure) => {
    expect(describeTlsTrouble(lastError('Error: connect ECONNREFUSED 127.0.0.1:1'), isSecure)).toBeUndefined();
  });
});
