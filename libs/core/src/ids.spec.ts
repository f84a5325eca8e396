import { systemClock } from './clock.js';
import { InvalidValueError } from './errors.js';
import { createUlids, parseJobId, requireName, requirePoolName, toJobId, ULID_PATTERN } from './ids.js';
import { systemRandom } from './random.js';

describe('createUlids', () => {
  it('makes ids that grow within one millisecond and when the clock goes back', () => {
    let wall = 1_700_000_000_000;
    const next = createUlids({ clock: { ...systemClock, wallMs: () => wall }, random: systemRandom });

    const ids = [next(), next(), next()];
    wall -= 60_000;
    ids.push(next());

    expect(ids).toEqual([...ids].sort());
    expect(new Set(ids).size).toBe(4);
    expect(ids.every((id) => ULID_PATTERN.test(id))).toBe(true);
  });
});

describe('parseJobId', () => {
  const ulid = createUlids({ clock: systemClock, random: systemRandom })();

  it('splits what toJobId joined', () => {
    expect(parseJobId(toJobId('my-pool.1', ulid))).toEqual({ pool: 'my-pool.1', ulid });
  });

  it.each([ulid, `:${ulid}`, `Pool:${ulid}`, `a{b}:${ulid}`, 'default:', 'default:xyz', `default:${ulid}:1`, '../x:1'])(
    'answers undefined for %p',
    (id) => {
      expect(parseJobId(id)).toBeUndefined();
    },
  );
});

describe('names that become part of a key', () => {
  it.each(['default', 'gpu-1', 'a.b_c', '0'])('allow the pool %p', (name) => {
    expect(requirePoolName(name)).toBe(name);
  });

  it.each(['', '-a', 'Ä', 'a:b', 'a{b', 'a b', 'a\n', 'x'.repeat(64)])('refuse the pool %p with its value', (name) => {
    expect(() => requirePoolName(name, 'pool')).toThrow(InvalidValueError);
  });

  it('refuse a worker id with a slash', () => {
    expect(() => requireName('../etc', 'worker')).toThrow('worker is "../etc"');
  });
});
