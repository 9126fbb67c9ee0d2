/** The meshes that the page is shown with, by what is the matter with them. */
import { staleAlert, zoneAlert } from './acted-answers.ts';
import { ActedMesh } from './acted-mesh.ts';

export const meshes = {
  noon: () => new ActedMesh({ peers: 120, files: 480, suspects: 2 }),
  lost: () =>
    new ActedMesh({
      peers: 120,
      files: 480,
      lostZones: ['alder', 'birch', 'cedar'],
      suspects: 3,
      alerts: [zoneAlert, staleAlert],
    }),
  empty: () => new ActedMesh({ peers: 0, files: 0 }),
  stale: () =>
    new ActedMesh({
      peers: 120,
      files: 120,
      freshness: { state: 'stale', asOfMs: Date.now() - 40_000, reasons: [{ kind: 'old-tick', ageMs: 40_000 }] },
    }),
  huge: () =>
    new ActedMesh({ peers: 10_000, files: 400, lostZones: ['larch'], alsoFiles: 10_000_000, alerts: [zoneAlert] }),
} as const;
