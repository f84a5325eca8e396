import { jobData } from '../job-data.js';
import type { JobShape } from './loads.js';

/** What is posted for the job with this number: defaults in all that the API has defaults for. */
export function toSubmission(shape: JobShape, index: number): Record<string, unknown> {
  if (shape.kind === 'handler') {
    const pool = shape.pools?.[index % shape.pools.length];
    return {
      name: 'bench',
      handler: shape.name,
      data: jobData(index),
      ...(pool === undefined ? {} : { pool }),
      ...(shape.retainS === undefined ? {} : { retain: shape.retainS }),
    };
  }
  return { name: 'bench', argv: [...shape.argv, ...(shape.marks === undefined ? [] : [`${shape.marks}/${index}`])] };
}
