/** A repairer on a mesh and a log of a test, with what it told. */

import type { EventLog } from '#log/port.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { settle } from '#mesh/testing/manual-clock.ts';
import type { RepairRow } from '#store/tables.ts';
import type { DrainStore } from '../drain/leaving-files.ts';
import type { RepairerOptions } from '../options.ts';
import type { RecentRepair, RepairerEvent } from '../repairer-state.ts';
import { createRepairer, type Repairer } from '../service.ts';
import { type FakeMesh, fakeWords, noMeter, noTracer } from './fake-mesh.ts';

export interface RunningRepairer {
  readonly repairer: Repairer;
  readonly rows: RepairRow[];
  readonly events: RepairerEvent[];
  readonly warnings: string[];
  readonly ended: () => readonly RecentRepair[];
}

export async function runRepairer(
  mesh: FakeMesh,
  log: EventLog,
  config: Partial<RepairerOptions['config']> = {},
  drains?: DrainStore,
): Promise<RunningRepairer> {
  const rows: RepairRow[] = [];
  const events: RepairerEvent[] = [];
  const warnings: string[] = [];
  const warn = (_details: unknown, message: string): void => void warnings.push(message);
  const repairer = await createRepairer({
    list: { log, topic: 'at-risk' },
    config: { ...loadConfig().config.repairer, ...config },
    policies: [],
    mesh: {
      ...mesh.tools.mesh,
      words: fakeWords(mesh.said),
      directory: {
        ...mesh.tools.mesh.directory,
        ready: Promise.resolve(),
        ended: new Promise(() => undefined),
        storage: () => undefined,
        close: () => Promise.resolve(),
      },
    },
    store: {
      writer: {
        enqueue: (_table, added) => {
          rows.push(...added);
          return Promise.resolve();
        },
      },
      samples: { draw: () => Promise.resolve([]), isClaimed: () => Promise.resolve(false) },
      drains: drains ?? { find: () => Promise.resolve({ files: [], sharesLeft: 0 }) },
    },
    runtime: mesh.tools.runtime,
    telemetry: {
      meter: noMeter,
      tracer: noTracer,
      logger: { debug: () => undefined, info: () => undefined, warn, error: warn },
    },
  });
  repairer.subscribe((event) => events.push(event));
  return {
    repairer,
    rows,
    events,
    warnings,
    ended: () => events.flatMap((event) => (event.kind === 'ended' ? [event.repair] : [])),
  };
}

/** Goes on until it is so; a repair needs no time of the fake clock, only turns of the event loop. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 400; turn++) {
    if (condition()) return;
    await settle();
  }
  throw new Error(`it never came to this: ${what}`);
}
