import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

import { bits, boolean, type Der, implicit, integer, octets, oid, sequence, set, tagged, time, utf8 } from './der.js';

/** Both PEM. Made in the test: no key is ever committed. */
export interface TestCertificate {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** Common name. */
  name: string;
  /** Names and IPv4 addresses beside it. Default: none. */
  alternatives?: readonly string[];
  /** Default: since yesterday. */
  notBefore?: Date;
  /** Default: in a month. */
  notAfter?: Date;
}

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const COMMON_NAME = oid('2.5.4.3');
const SUBJECT_ALT_NAME = oid('2.5.29.17');
const BASIC_CONSTRAINTS = oid('2.5.29.19');
const KEY_USAGE = oid('2.5.29.15');
const CERT_AND_CRL_SIGN = bits(Buffer.of(0x06), 1);

/** A certificate authority of one test's own, on elliptic curves: a certificate takes a millisecond. */
export class TestAuthority {
  readonly cert: string;
  readonly #name: string;
  readonly #key: KeyObject;

  constructor(name = 'test authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#name = name;
    this.#key = privateKey;
    this.cert = this.#sign({ name }, publicKey, [
      extension(BASIC_CONSTRAINTS, sequence(boolean(true))),
      extension(KEY_USAGE, CERT_AND_CRL_SIGN),
    ]);
  }

  issue(options: CertificateOptions): TestCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { alternatives = [] } = options;
    const names = alternatives.map((name) =>
      isIPv4(name) ? implicit(7, Buffer.from(name.split('.').map(Number))) : implicit(2, Buffer.from(name)),
    );
    const extensions = names.length === 0 ? [] : [extension(SUBJECT_ALT_NAME, sequence(...names))];
    return {
      cert: this.#sign(options, publicKey, extensions),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }

  #sign(options: CertificateOptions, publicKey: KeyObject, extensions: Der[]): string {
    const now = Date.now();
    const { name, notBefore = new Date(now - DAY_MS), notAfter = new Date(now + 30 * DAY_MS) } = options;
    const content = sequence(
      tagged(0, integer(Buffer.of(2))), // version 3
      integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      ECDSA_WITH_SHA256,
      distinguishedName(this.#name),
      sequence(time(notBefore), time(notAfter)),
      distinguishedName(name),
      publicKey.export({ type: 'spki', format: 'der' }),
      ...(extensions.length === 0 ? [] : [tagged(3, sequence(...extensions))]),
    );
    return toPem(sequence(content, ECDSA_WITH_SHA256, bits(sign('sha256', content, this.#key))));
  }
}

function distinguishedName(commonName: string): Der {
  return sequence(set(sequence(COMMON_NAME, utf8(commonName))));
}

function extension(id: Der, value: Der): Der {
  return sequence(id, boolean(true), octets(value));
}

function toPem(der: Der): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
