/** What the HTTP API answers of losses that have not happened. */
import { z } from 'zod';
import { peerStates } from '#mesh/peer-state.ts';

const count = z.number().int().min(0);
const point = z.object({
  lost: count,
  expectedFiles: z.number().meta({ description: 'Where the losses fall on any peers alike.' }),
  worstFiles: count.meta({ description: 'Where they fall, for each file, on the peers that it needs most.' }),
});

export const exposureAnswer = z
  .object({
    atMs: count.meta({ description: 'The newest sweep that told of exposure; 0 before the first.' }),
    files: count.nullable().meta({ description: 'Of the mesh; null where it is not known.' }),
    kinds: z.array(
      z.object({
        kind: z.string(),
        count: count.meta({ description: 'Domains of this kind, beyond those that are listed too.' }),
        domains: z
          .array(
            z.object({
              domain: z.string(),
              peers: z.array(z.object({ state: z.enum(peerStates), peers: count })),
              filesBelowK: count.meta({ description: 'Files that its loss would leave with fewer than k shares.' }),
              filesBelowRepair: count.meta({ description: 'Files that its loss would leave in need of repair.' }),
            }),
          )
          .meta({ description: 'The worst first.' }),
      }),
    ),
    peers: z
      .array(z.object({ peerId: z.string(), name: z.string(), filesBelowK: count, filesBelowRepair: count }))
      .meta({ description: 'Single peers, the worst first.' }),
  })
  .meta({ description: 'What the loss of each failure domain would do, as the last sweeps found it.' });

export const resilienceAnswer = z
  .object({
    files: count,
    peers: count.meta({ description: 'Peers that are up.' }),
    anyPeers: count.meta({ description: 'So many peers may be lost, whichever they are, and every file is left.' }),
    points: z.array(point),
    at: point.extend({ expectedBytes: z.number() }).meta({ description: 'At the losses that were asked for.' }),
    domains: z.array(
      z.object({
        kind: z.string(),
        domains: count,
        worst: z.array(z.object({ lost: count, files: count })),
      }),
    ),
  })
  .meta({ description: 'Files that could not be recovered, by how many peers or domains are lost before repair.' });

export type ExposureAnswer = z.infer<typeof exposureAnswer>;
export type ResilienceAnswer = z.infer<typeof resilienceAnswer>;

export const riskAnswers = { Exposure: exposureAnswer, Resilience: resilienceAnswer } as const;
