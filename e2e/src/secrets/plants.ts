import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

export type App = 'scheduler' | 'worker';

/** What was looked through. */
export interface Place {
  name: string;
  text: string;
}

/** Secrets that nobody else has, by the place where each was planted, and all texts in which they are looked for. */
export class Plants {
  readonly #secrets = new Map<string, string>();
  readonly #flags = new Set<string>();
  readonly #places: Place[] = [];

  /** The secret of this place. It fits a header, an address and a file. */
  secret(place: string): string {
    const found = this.#secrets.get(place) ?? `planted-${randomBytes(12).toString('hex')}`;
    this.#secrets.set(place, found);
    return found;
  }

  /** One that was made elsewhere, as a key. */
  plant(place: string, secret: string): string {
    this.#secrets.set(place, secret);
    return secret;
  }

  /** A file that holds them, one a line. */
  file(path: string, ...places: string[]): string {
    writeFileSync(path, `${places.map((place) => this.secret(place)).join('\n')}\n`, { mode: 0o600 });
    return path;
  }

  /** Remembers for which settings a secret was planted: those whose value has one, or names a file with one. */
  given(app: App, flags: Readonly<Record<string, string>>): void {
    for (const [flag, value] of Object.entries(flags)) {
      if (this.#isIn(value) || (value.startsWith('/') && this.#isIn(read(value)))) {
        this.#flags.add(`${app} ${flag}`);
      }
    }
  }

  get flags(): string[] {
    return [...this.#flags].sort();
  }

  look(name: string, text: string): void {
    this.#places.push({ name, text });
  }

  get looked(): string[] {
    return this.#places.map(({ name }) => name);
  }

  /** "redis password by flag: in the log of scheduler", of each that was found anywhere. Also as part of JSON or base64. */
  found(): string[] {
    return [...this.#secrets].flatMap(([place, secret]) =>
      this.#places
        .filter(
          ({ text }) => text.includes(secret) || text.includes(Buffer.from(secret).toString('base64').slice(0, -4)),
        )
        .map(({ name, text }) => `${place}: in ${name}: ${around(text, secret)}`),
    );
  }

  #isIn(text: string): boolean {
    return [...this.#secrets.values()].some((secret) => text.includes(secret));
  }
}

/** What `ps` shows of every process. */
export function commandLines(): string {
  return pids()
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`)
    .join('\n');
}

/** The environment of every process but these, which were given theirs. */
export function environments(but: readonly number[]): string {
  return pids()
    .filter((pid) => !but.includes(pid))
    .map((pid) => `${pid} ${read(`/proc/${pid}/environ`).replaceAll('\0', ' ')}`)
    .join('\n');
}

/** Flags of settings that --help says are never shown, and of those that name a file with a secret. */
export function secretFlags(help: string): string[] {
  const settings = [...help.matchAll(/^ {2}(--[a-z-]+) <([^>]+)>\n.*\n(.*)$/gm)];
  return settings
    .filter(([, , format]) => format !== 'later')
    .filter(([, flag = '', , names = '']) => names.includes('never shown') || /-(file|key)$/.test(flag))
    .filter(([, flag]) => flag !== '--audit-file')
    .map(([, flag = '']) => flag);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/** Empty: it has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function around(text: string, secret: string): string {
  const at = text.indexOf(secret);
  return text.slice(Math.max(0, at - 80), at + secret.length + 20);
}
