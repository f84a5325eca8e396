import type { LinkPeer, SchedulerLink, SchedulerTransport } from '@orchestrator/worker-session';

export interface LinkWatch {
  welcomed(): void;
  acknowledged(afterMs: number): void;
}

/** The real transport; what passes is looked at on the way, so that a worker measures its own heartbeats. */
export function watchedTransport(transport: SchedulerTransport, watch: LinkWatch): SchedulerTransport {
  return {
    open: (address, peer, limitMs): SchedulerLink => transport.open(address, watchedPeer(peer, watch), limitMs),
    gone: (address, request, limitMs) => transport.gone(address, request, limitMs),
  };
}

function watchedPeer(peer: LinkPeer, watch: LinkWatch): LinkPeer {
  const sentMs = new Map<number, number>();
  return {
    worker: peer.worker,
    session: peer.session,
    pull() {
      const pulled = peer.pull();
      if (pulled?.message?.$case === 'heartbeat') {
        sentMs.set(pulled.message.value.sequence, performance.now());
      }
      return pulled;
    },
    message(received) {
      const { message } = received;
      if (message?.$case === 'welcome') {
        watch.welcomed();
      } else if (message?.$case === 'heartbeatAck') {
        const { sequence } = message.value;
        watch.acknowledged(performance.now() - (sentMs.get(sequence) ?? NaN));
        sentMs.delete(sequence);
      }
      peer.message(received);
    },
    pullOutput: () => peer.pullOutput(),
    outputAcknowledged: (marks) => peer.outputAcknowledged(marks),
    outputLost: () => peer.outputLost(),
    closed: (why) => peer.closed(why),
  };
}
