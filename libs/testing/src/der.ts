/** As much of ASN.1's DER as a certificate needs. */
export type Der = Buffer;

export function sequence(...parts: Der[]): Der {
  return element(0x30, Buffer.concat(parts));
}

export function set(...parts: Der[]): Der {
  return element(0x31, Buffer.concat(parts));
}

/** `[number]` around something, as optional fields have it. */
export function tagged(number: number, content: Der): Der {
  return element(0xa0 + number, content);
}

/** `[number]` instead of the type of something simple. */
export function implicit(number: number, content: Der): Der {
  return element(0x80 + number, content);
}

export function integer(bytes: Der): Der {
  const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
  return element(0x02, isNegative ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

export function boolean(value: boolean): Der {
  return element(0x01, Buffer.of(value ? 0xff : 0));
}

export function octets(bytes: Der): Der {
  return element(0x04, bytes);
}

export function bits(bytes: Der, unused = 0): Der {
  return element(0x03, Buffer.concat([Buffer.of(unused), bytes]));
}

export function utf8(text: string): Der {
  return element(0x0c, Buffer.from(text));
}

export function time(date: Date): Der {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}

/** "1.2.840.10045.4.3.2" */
export function oid(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const base128 = (value: number): number[] => {
    const digits = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) {
      digits.unshift((left & 0x7f) | 0x80);
    }
    return digits;
  };
  return element(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

function element(tag: number, content: Der): Der {
  const { length } = content;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
