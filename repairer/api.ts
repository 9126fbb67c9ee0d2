/** The repairer's HTTP: what it is doing at this moment. Who serves it adds metrics and probes. */
import fastify, { type FastifyInstance } from 'fastify';
import type { RepairerStatus } from '#mesh/repairer-status.ts';
import type { Budget } from '#peers/budget.ts';
import type { Repairer } from './service.ts';

export function createRepairerApi(
  repairer: Repairer,
  budget: Pick<Budget, 'rates' | 'used'>,
  instance: string,
): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.get('/v1/state', async () => ({
    ...statusOf(repairer),
    rates: { ...budget.rates },
    used: budget.used(),
    instance,
  }));
  return app;
}

function statusOf(repairer: Repairer): RepairerStatus {
  const state = repairer.state();
  return {
    running: state.running.map((repair) => ({
      storageIndex: repair.storageIndex,
      grade: repair.repairClass,
      shares: repair.wanted.length,
      progress: repair.wanted.length === 0 ? 0 : repair.sharesDone / repair.wanted.length,
      bytes: repair.bytesRead + repair.bytesWritten,
    })),
    brake: state.bulkHeld,
    queued: { ...state.files },
    failing: [...state.failing],
    drain: { ...state.drain, peers: [...state.drain.peers] },
    peersAgeMs: Number.isFinite(state.peers.ageMs) ? state.peers.ageMs : -1,
  };
}
