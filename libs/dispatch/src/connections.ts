import type { WorkerConnection } from './worker-connection.js';

/** The streams of this scheduler, and which of them speaks for a session. */
export class Connections {
  private readonly all = new Set<WorkerConnection>();
  private readonly bySession = new Map<string, WorkerConnection>();

  add(connection: WorkerConnection): void {
    this.all.add(connection);
  }

  /** The latest stream of a session speaks for it; an older one, broken without our noticing, is ended. */
  welcomed(connection: WorkerConnection): void {
    const { session } = connection;
    const earlier = this.bySession.get(session);
    this.bySession.set(session, connection);
    if (earlier !== undefined && earlier !== connection) {
      earlier.end({ code: 'REPLACED', detail: 'the session has a newer stream' });
    }
  }

  remove(connection: WorkerConnection): void {
    this.all.delete(connection);
    if (this.bySession.get(connection.session) === connection) {
      this.bySession.delete(connection.session);
    }
  }

  get(session: string): WorkerConnection | undefined {
    return this.bySession.get(session);
  }

  list(): WorkerConnection[] {
    return [...this.all];
  }
}
