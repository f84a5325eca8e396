/** The 44 bytes that a job carries, as in the measurements that the goals come from. */
export interface JobData {
  /** Its number within the round. */
  i: number;
  pad: string;
}

const BYTES = 44;
const FRAME = JSON.stringify({ i: 0, pad: '' }).length - 1;

export function jobData(i: number): JobData {
  return { i, pad: 'x'.repeat(Math.max(0, BYTES - FRAME - String(i).length)) };
}
