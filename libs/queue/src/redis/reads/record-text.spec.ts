import { END_LETTERS } from '../../keys.js';
import { parseRecord } from './record-text.js';

const RULE = '{"attempts":3,"submittedBy":"a | b = c"}';

describe('parseRecord', () => {
  it('reads one that nobody held', () => {
    expect(parseRecord('4398 1000 1001||\n')).toEqual({
      state: 'queued',
      place: '4398',
      created: '1000',
      queued: '1001',
    });
  });

  it('reads one that runs, with all that is rarely there, and leaves out what is empty', () => {
    const text = `- 1000 -|priority=5 losses=1 outputs=1,2 op=a:3|${RULE}\nrunning c.0 5 s-1 - 7 2 900\n`;

    expect(parseRecord(text)).toEqual({
      state: 'running',
      attempt: 'c.0',
      fence: '5',
      session: 's-1',
      epoch: '7',
      starts: '2',
      started: '900',
      created: '1000',
      priority: '5',
      losses: '1',
      outputs: '1,2',
      op: 'a:3',
      rule: RULE,
    });
  });

  it.each([
    ['c', END_LETTERS['c']],
    ['h', END_LETTERS['h']],
    ['e', undefined],
    ['', undefined],
  ])('reads when one ended, and how where the letter "%s" says it', (letter, end) => {
    const found = parseRecord(`4398 1000 1001||\nrunning c.0 5 s w 7 1 900\nsucceeded 2000${letter}\n`);

    expect([found?.['state'], found?.['finished'], found?.['end']]).toEqual(['succeeded', '2000', end]);
  });

  it('reads one that waits again after somebody held it', () => {
    expect(parseRecord('4398 1000 1001||\nrunning c.0 5 s w 7 1 900\nqueued\n')).toMatchObject({
      state: 'queued',
      attempt: 'c.0',
      starts: '1',
    });
  });

  it.each(['', 'queued', '1 2 3||', '1 2|x\n', '1 2 3||\nwhat is this\n', '{"state":"queued"}'])(
    'finds no record in "%s"',
    (text) => {
      expect(parseRecord(text)).toBeUndefined();
    },
  );
});
