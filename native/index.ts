/** The native core: Reed–Solomon codec and share hashing. */
export * from './codec.ts';
export type { ShareNumbers } from './codec-request.ts';
export * from './disk.ts';
export * from './hash.ts';
export { isaLevel, isaLevelsSupported, loadNative } from './load.ts';
export * from './segments.ts';
export * from './threaded-hash.ts';
