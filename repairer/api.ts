/** The repairer's HTTP: what it is doing at this moment. Who serves it adds metrics and probes. */
import fastify, { type FastifyInstance } from 'fastify';
import { type HttpAccess, openToAll } from '#access/http-access.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { RepairerStatus } from '#mesh/repairer-status.ts';
import type { Budget } from '#peers/budget.ts';
import type { Repairer } from './service.ts';

export interface RunningRepairer {
  readonly repairer: Repairer;
  readonly budget: Pick<Budget, 'rates' | 'used'>;
}

export interface RepairerApiOptions {
  /** Null while the repairer waits for what it stands on: its state is then not known, which is an error and not an empty one. */
  readonly running: () => RunningRepairer | null;
  readonly instance: string;
  /** @default everybody may ask */
  readonly access?: HttpAccess;
}

export async function createRepairerApi(options: RepairerApiOptions): Promise<FastifyInstance> {
  const { running, instance, access = openToAll } = options;
  const app = fastify({ ...access.server, logger: false, forceCloseConnections: true });
  await access.protect(app);
  app.get('/v1/state', async (_request, reply) => {
    const now = running();
    if (now !== null)
      return { ...statusOf(now.repairer), rates: { ...now.budget.rates }, used: now.budget.used(), instance };
    const { code, message, next } = notRunning();
    return reply.code(503).send({ error: { code, message, next } });
  });
  return app;
}

function notRunning(): MeshwardError {
  return new MeshwardError('service-unavailable', 'the repairer waits for the log or the database', {
    next: '`/readyz` of the repairer and `meshward doctor` say what is wrong; it goes on by itself.',
    retryable: true,
  });
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
