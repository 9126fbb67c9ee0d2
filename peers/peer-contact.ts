/**
 * What the repairer itself meets at peers: how fast they answer, how much it asks of them at this moment, and whether they
 * failed lately. A peer that failed is left alone for a while that doubles, so that a dead zone does not cost every repair
 * a timeout.
 */
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import type { Clock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';

export interface PeerContact {
  begin(peerId: PeerId): ContactSpan;
  /** Whether the peer failed so lately that it should only be asked when there is no other. */
  isAvoided(peerId: PeerId): boolean;
  /** Smaller is a better source. */
  rank(peerId: PeerId): number;
  inFlight(peerId: PeerId): number;
}

export interface ContactSpan {
  /** The request goes to the peer: what it waited before was our own queue. */
  started(): void;
  /** @param bytes moved by the request. */
  succeeded(bytes: number): void;
  failed(): void;
  /** Ended for a reason of ours: says nothing about the peer. */
  dropped(): void;
}

export interface PeerContactOptions {
  readonly clock: Clock;
  /** Most peers remembered; the one not met for the longest time is forgotten. */
  readonly maxPeers?: number;
  readonly firstAvoidMs?: number;
  readonly maxAvoidMs?: number;
}

interface Memory {
  inFlight: number;
  /** Smoothed over requests; milliseconds. */
  requestMs: number;
  /** Smoothed over requests large enough to tell; bytes a second. */
  bytesPerSecond: number;
  failuresInRow: number;
  avoidUntilMs: number;
}

const smoothing = 0.2;
const tellingBytes = 32 * 1024;
const unknownBytesPerSecond = 8 * 1024 * 1024;
const unknownRequestMs = 20;

export function createPeerContact(options: PeerContactOptions): PeerContact {
  const { clock, maxPeers = 20_000, firstAvoidMs = 5_000, maxAvoidMs = 60_000 } = options;
  const avoidance: Backoff = { firstMs: firstAvoidMs, longestMs: maxAvoidMs };
  const memories = new Map<PeerId, Memory>();

  function meet(peerId: PeerId): Memory {
    const memory = memories.get(peerId) ?? {
      inFlight: 0,
      requestMs: unknownRequestMs,
      bytesPerSecond: unknownBytesPerSecond,
      failuresInRow: 0,
      avoidUntilMs: 0,
    };
    memories.delete(peerId);
    memories.set(peerId, memory);
    if (memories.size > maxPeers) memories.delete(memories.keys().next().value as PeerId);
    return memory;
  }

  function isAvoided(peerId: PeerId): boolean {
    return (memories.get(peerId)?.avoidUntilMs ?? 0) > clock.monotonicMs();
  }

  return {
    begin(peerId) {
      const memory = meet(peerId);
      let startedMs: number | undefined;
      let open = true;
      memory.inFlight++;
      const end = (): boolean => {
        if (!open) return false;
        open = false;
        memory.inFlight--;
        return true;
      };
      return {
        started() {
          startedMs ??= clock.monotonicMs();
        },
        succeeded(bytes) {
          if (!end()) return;
          const nowMs = clock.monotonicMs();
          const tookMs = Math.max(0.1, nowMs - (startedMs ?? nowMs));
          memory.failuresInRow = 0;
          memory.avoidUntilMs = 0;
          memory.requestMs += smoothing * (tookMs - memory.requestMs);
          if (bytes >= tellingBytes)
            memory.bytesPerSecond += smoothing * ((bytes * 1000) / tookMs - memory.bytesPerSecond);
        },
        failed() {
          // What never went to the peer says nothing about it.
          if (!end() || startedMs === undefined) return;
          memory.avoidUntilMs = clock.monotonicMs() + backoffMs(avoidance, memory.failuresInRow++);
        },
        dropped() {
          end();
        },
      };
    },
    isAvoided,
    rank(peerId) {
      const memory = memories.get(peerId);
      const requestMs = memory?.requestMs ?? unknownRequestMs;
      const bytesPerSecond = memory?.bytesPerSecond ?? unknownBytesPerSecond;
      const expectedMs = requestMs + (tellingBytes * 1000) / bytesPerSecond;
      return (isAvoided(peerId) ? 1e9 : 0) + expectedMs * (1 + (memory?.inFlight ?? 0));
    },
    inFlight: (peerId) => memories.get(peerId)?.inFlight ?? 0,
  };
}
