/** Typed reads of the store: functions of a Store, so that who reads names what is read. */
export * from './queries/audit.ts';
export { chooseGrain, type Grain, type GrainChoice, grains, type Span } from './queries/grain.ts';
export * from './queries/health.ts';
export * from './queries/history.ts';
export * from './queries/peers.ts';
export {
  appliedOf,
  fileBatches,
  filesByIndex,
  maxIndexesPerQuery,
  placementBlocks,
  placementsOfFile,
} from './queries/share-map.ts';
