import type { FinishedAttempt } from '@orchestrator/proto-types';

import { FRAME_BYTES } from './frames.js';
import { KeptReports } from './kept-reports.js';
import { anEnd } from './testing/fake-runner.js';
import { aRef } from './testing/messages.js';
import { toFinished } from './to-proto.js';

describe('KeptReports', () => {
  const aReport = (id: string, outputBytes = 0): FinishedAttempt => ({
    ...toFinished(aRef(id), 1, anEnd(id)),
    output: [{ attempt: aRef(id), stream: 1, offset: 0, sequence: 1, data: Buffer.alloc(outputBytes) }],
  });

  it('packs many reports into one frame', () => {
    const reports = new KeptReports();
    ['a', 'b', 'c'].forEach((id) => reports.keepFinished(aReport(id)));

    expect(reports.nextFrame()?.attemptIds).toEqual(['a', 'b', 'c']);
    expect(reports.nextFrame()).toBeUndefined();
  });

  it('begins a new frame when one is full, and lets a larger report travel alone', () => {
    const reports = new KeptReports();
    reports.keepFinished(aReport('a', 200 * 1024));
    reports.keepFinished(aReport('b', 200 * 1024));
    reports.keepFinished(aReport('c', FRAME_BYTES + 1));

    const frames = [reports.nextFrame(), reports.nextFrame(), reports.nextFrame(), reports.nextFrame()];

    expect(frames.map((frame) => frame?.attemptIds)).toEqual([['a'], ['b'], ['c'], undefined]);
  });

  it('sends what is given back before results', () => {
    const reports = new KeptReports();
    reports.keepFinished(aReport('a'));
    reports.keepReturned({ attempt: aRef('b'), reason: 1, started: false });

    expect([reports.nextFrame(), reports.nextFrame()].map((frame) => frame?.attemptIds)).toEqual([['b'], ['a']]);
  });

  it('sends again all that is kept, but nothing that was recorded', () => {
    const reports = new KeptReports();
    ['a', 'b'].forEach((id) => reports.keepFinished(aReport(id)));
    reports.nextFrame();
    reports.forget('a');

    reports.resendAll();

    expect(reports.nextFrame()?.attemptIds).toEqual(['b']);
    expect(reports.size).toBe(1);
  });
});
