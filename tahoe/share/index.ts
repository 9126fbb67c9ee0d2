/** Tahoe-LAFS immutable shares: encode, verify, regenerate, decode, recover. */
export { type ChainOrderRule, chainOrder, detectChainOrderRule } from './chain-order.ts';
export * from './container.ts';
export { type DecodeOptions, decodeCiphertext } from './decode.ts';
export * from './dump.ts';
export { type EncodeRequest, type EncodeResult, encodeShares } from './encode.ts';
export * from './encrypt.ts';
export * from './folder.ts';
export {
  chooseSegmentBytes,
  computeLayout,
  type FileShape,
  type ShareLayout,
  type ShareVersion,
  shareTotalBytes,
} from './layout.ts';
export * from './offline.ts';
export { ContainerFile, memoryShareSource, readExactly, type ShareSource } from './reader.ts';
export * from './recover.ts';
export * from './regenerate.ts';
export { isShareError, type ShareErrorCode } from './share-errors.ts';
export type { ShareSink } from './share-writer.ts';
export type { ReplaceSource, SourceFailure } from './source-set.ts';
export { deriveManifest, parseUeb, type Ueb, uebHash, uebLimitBytes } from './ueb.ts';
export { openShare, openShareOnTrust, type VerifiedShare } from './verified-share.ts';
export * from './verify.ts';
