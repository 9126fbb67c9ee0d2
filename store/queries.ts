/** Typed reads of the store: functions of a Store, so that who reads names what is read. */
export * from './queries/audit.ts';
export * from './queries/drain.ts';
export * from './queries/health.ts';
export * from './queries/history.ts';
export { chooseLevel, type LevelChoice, type Span } from './queries/level.ts';
export * from './queries/peers.ts';
export * from './queries/resilience.ts';
export {
  appliedOf,
  fileBatches,
  filesByIndex,
  maxIndexesPerQuery,
  placementBlocks,
  placementsOfFile,
} from './queries/share-map.ts';
export { peerVitalsHistoryIn, peerVitalsIn, type VitalsPoint } from './queries/vitals.ts';
