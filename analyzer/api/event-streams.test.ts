/** What a viewer of a very large mesh is sent. */
import { EventEmitter } from 'node:events';
import type { FastifyReply } from 'fastify';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import type { PeerState } from '#mesh/peer-state.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import type { PeerFacts } from '#peers/liveness/peer-register.ts';
import { emptyTotals } from '../files/share-map/totals.ts';
import type { MeshHealth } from '../service.ts';
import { EventStreams } from './event-streams.ts';
import { nothingRuns } from './running-repairs.ts';

const peerCount = 10_000;
const millions = 10_000_000;
const zones = 20;
const racks = 1000;

class LargeMesh {
  readonly states: PeerState[] = Array.from({ length: peerCount }, () => 'up');
  sweptAtMs = 1000;

  health(): MeshHealth {
    const totals = {
      ...emptyTotals(),
      files: millions,
      bytes: 2 ** 52,
      byMargin: new Map([
        ['25-of-100', new Map(Array.from({ length: 76 }, (_, margin) => [margin, { files: 131_579, bytes: 2 ** 45 }]))],
      ]),
    };
    return {
      freshness: { state: 'fresh', asOfMs: this.sweptAtMs, reasons: [] },
      totals,
      ownTotals: totals,
      sweptAtMs: this.sweptAtMs,
      peers: this.states.map((state, i) => factsOf(i, state)),
      alerts: [],
      ownedPartitions: 64,
      partitions: 64,
    };
  }
}

function factsOf(i: number, state: PeerState): PeerFacts {
  const domains = { zone: `zone-${i % zones}`, rack: `rack-${i % racks}` };
  return { peer: peerOf(i), name: `peer-${i}`, state, domains, flapScore: 0.3 } as unknown as PeerFacts;
}

/** Takes what is written, and counts it. */
class Viewer extends EventEmitter {
  bytes = 0;
  newest = '';
  writableNeedDrain = false;

  writeHead(): void {
    this.bytes = 0;
  }

  write(text: string): void {
    this.bytes += Buffer.byteLength(text);
    this.newest = text;
  }

  end(): void {
    this.emit('close');
  }

  get reply(): FastifyReply {
    return { raw: this, hijack: () => undefined } as unknown as FastifyReply;
  }
}

describe('a viewer of ten thousand peers and ten million files', () => {
  const largest = 30_000;
  const perSecond = 12_000;

  it(`is sent at most ${largest} bytes at first and ${perSecond} a second while a zone comes and goes`, async () => {
    const mesh = new LargeMesh();
    const clock = new ManualClock();
    let changed: () => void = () => undefined;
    const streams = new EventStreams({
      analyzer: {
        onChange: (listener) => {
          changed = listener;
          return () => undefined;
        },
        health: () => mesh.health(),
        atRisk: () => ({ files: [], total: 1_000_000 }),
        listAtRisk: () => Promise.resolve({ files: [], total: 1_000_000 }),
      },
      history: { repairs: () => Promise.resolve([]), marginHistory: () => Promise.resolve([]) },
      running: () => Promise.resolve(nothingRuns),
      clock,
      logger: silentLogger,
      maxStreams: 2,
    });
    const viewer = new Viewer();
    streams.open(viewer.reply);
    const sent = async (beyond: number): Promise<void> => {
      while (viewer.bytes <= beyond) await new Promise((resolve) => setImmediate(resolve));
    };
    await sent(0);
    expect(viewer.bytes).toBeLessThan(largest);
    expect(viewer.newest).not.toContain('peer-1');
    const first = viewer.bytes;
    const looks = 20;
    for (let look = 1; look <= looks; look++) {
      // Every half second another hundred peers of all zones change, and those of a tenth of the racks with them.
      for (let i = 0; i < 100; i++) {
        const at = (look * 997 + i * 101) % peerCount;
        mesh.states[at] = mesh.states[at] === 'up' ? 'suspect' : 'up';
      }
      mesh.sweptAtMs += 500;
      const before = viewer.bytes;
      changed();
      await clock.advance(500);
      await sent(before);
    }
    const seconds = looks / 2;
    const rate = Math.round((viewer.bytes - first) / seconds);
    console.log(`${first} bytes at first, ${rate} bytes a second`);
    expect(rate).toBeLessThan(perSecond);
    streams.close();
  });
});
