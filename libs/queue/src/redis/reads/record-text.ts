import { END_LETTERS } from '../../keys.js';

/** A stored job as named fields, see keys.ts; what is empty or 0 is left out. */
export type JobFields = Readonly<Record<string, string>>;

const RECORD =
  /^(\S+) (\S+) ([^\s|]+)\|([^|\n]*)\|([^\n]*)\n(?:running ([^\n]*)\n)?(?:([a-z]+)(?: (\d+)([a-z]?))?\n)?$/;
const HOLDER = ['attempt', 'fence', 'session', 'worker', 'epoch', 'starts', 'started'];

/** Undefined when the text is no record. */
export function parseRecord(text: string): JobFields | undefined {
  const match = RECORD.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, place, created, queued, rare = '', rule, holder, state, finished, letter = ''] = match;
  const fields: [string, string | undefined][] = [
    ['state', state ?? (holder === undefined ? 'queued' : 'running')],
    ['finished', finished],
    ['end', END_LETTERS[letter]],
    ['place', place],
    ['created', created],
    ['queued', queued],
    ['rule', rule],
    ...(holder ?? '').split(' ').map((value, i): [string, string] => [HOLDER[i] ?? '', value]),
    ...rare
      .split(' ')
      .map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  ];
  return Object.fromEntries(fields.filter(([name, value]) => name !== '' && value && value !== '-')) as JobFields;
}
