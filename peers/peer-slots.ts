/** A bound on the requests under way at each peer; those beyond it wait in the order in which they came. */
import type { PeerId } from '#mesh/peer-id.ts';

export class PeerSlots {
  readonly #maxInFlight: number;
  readonly #peers = new Map<PeerId, { inFlight: number; waiting: (() => void)[] }>();

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight;
  }

  /** Resolves with the way to give the slot back. Rejects with the signal's reason. */
  async take(peerId: PeerId, signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted();
    const peer = this.#peers.get(peerId) ?? { inFlight: 0, waiting: [] };
    this.#peers.set(peerId, peer);
    if (peer.inFlight < this.#maxInFlight) {
      peer.inFlight++;
      return () => this.#giveBack(peerId);
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        peer.waiting.splice(peer.waiting.indexOf(go), 1);
        reject(signal?.reason as Error);
      };
      peer.waiting.push(go);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    return () => this.#giveBack(peerId);
  }

  #giveBack(peerId: PeerId): void {
    const peer = this.#peers.get(peerId);
    if (peer === undefined) return;
    // The slot passes to the next one, or is free.
    const next = peer.waiting.shift();
    if (next !== undefined) next();
    else if (--peer.inFlight === 0) this.#peers.delete(peerId);
  }
}
