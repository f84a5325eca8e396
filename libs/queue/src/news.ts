/** What happened to a job, one line of the events: "type ULID start worker [extra]". */
export type NewsType =
  | 'queued'
  | 'scheduled'
  | 'started'
  | 'adopted'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'retrying'
  | 'reassigned'
  | 'returned'
  | 'cancel';

export interface NewsEvent {
  /**
   * `adopted`: it runs, as its worker says; Redis had lost that. `cancel`: it was asked for and the job's worker is to be
   * told.
   */
  type: NewsType;
  ulid: string;
  /** Number of the start it is about; 0 = none. */
  start: number;
  worker: string | undefined;
  /** `scheduled`, `retrying`, and a `reassigned` that waits: when it is due, ms by Redis' clock. */
  dueAt?: number;
  /** `started`, `adopted` and `cancel`: of the worker that has the job. */
  session?: string;
}

const TYPES: ReadonlySet<string> = new Set<NewsType>([
  'queued',
  'scheduled',
  'started',
  'adopted',
  'succeeded',
  'failed',
  'cancelled',
  'retrying',
  'reassigned',
  'returned',
  'cancel',
]);

/** What else their line says is a session; in all others it is a time. */
const OF_A_HOLDER: ReadonlySet<string> = new Set<NewsType>(['started', 'adopted', 'cancel']);

/** Parses the text of one entry. Lines of a type that is not known (written by a later version) are left out. */
export function parseNews(text: string): NewsEvent[] {
  return text.split('\n').flatMap((line) => {
    const [type = '', ulid = '', start = '', worker = '-', extra] = line.split(' ');
    if (!TYPES.has(type) || ulid === '') {
      return [];
    }
    const event: NewsEvent = {
      type: type as NewsType,
      ulid,
      start: Number(start),
      worker: worker === '-' ? undefined : worker,
    };
    if (extra === undefined) {
      return [event];
    }
    return [OF_A_HOLDER.has(type) ? { ...event, session: extra } : { ...event, dueAt: Number(extra) }];
  });
}
