/** Looks into a share file without verifying it. */
import { basename, dirname } from 'node:path';
import { formatVerifyCap } from '#mesh/caps.ts';
import { isStorageIndex } from '#mesh/storage-index.ts';
import { type ChainOrderRule, detectChainOrderRule } from './chain-order.ts';
import type { ContainerVersion } from './container.ts';
import { parseShareHeader, parseUebLength, type ShareHeader } from './header.ts';
import { shareHeaderBytes, uebLengthFieldBytes } from './layout.ts';
import { ContainerFile, readExactly } from './reader.ts';
import { parseChain } from './share-chain.ts';
import { shareError } from './share-errors.ts';
import { deriveManifest, layoutOfUeb, parseUeb, type Ueb, uebLimitBytes } from './ueb.ts';
import { shareNumberOfName } from './verify.ts';

/** What stands in a share file, read but not verified. */
export interface ShareDump {
  readonly path: string;
  readonly fileBytes: number;
  readonly container: {
    readonly version: ContainerVersion;
    readonly leaseExpiresAt: readonly Date[];
    readonly leaseCount: number;
  };
  readonly header: ShareHeader;
  readonly ueb: Ueb;
  readonly segmentCount: number;
  readonly chain: { readonly nodes: readonly number[]; readonly writtenBy: ChainOrderRule };
  /** Null where the folder's name is no storage index. Trust on first share: the share says so itself. */
  readonly verifyCap: string | null;
}

/** @throws MeshwardError of a share error code where the file cannot be read as a share. */
export async function dumpShare(path: string): Promise<ShareDump> {
  const file = await ContainerFile.open(path);
  try {
    const header = parseShareHeader(await file.read(0, shareHeaderBytes[2]), file.lengthBytes);
    const fieldBytes = uebLengthFieldBytes[header.version];
    const uebBytes = parseUebLength(await file.read(header.offsets.ueb, fieldBytes), header.version);
    if (uebBytes >= uebLimitBytes) throw shareError('share-malformed', `a UEB of ${uebBytes} bytes`);
    const ueb = parseUeb(await readExactly(file, header.offsets.ueb + fieldBytes, uebBytes, 'UEB'));
    const layout = layoutOfUeb(ueb, header.version);
    const chain = parseChain(await readExactly(file, header.offsets.chain, layout.chainBytes, 'share hash chain'));
    const folder = basename(dirname(path));
    const shareNumber = shareNumberOfName(basename(path));
    const isTelling = shareNumber !== null && shareNumber < ueb.n;
    return {
      path,
      fileBytes: file.fileBytes,
      container: {
        version: file.container.version,
        leaseCount: file.container.leaseCount,
        leaseExpiresAt: (await file.leaseExpiries()).map((seconds) => new Date(seconds * 1000)),
      },
      header,
      ueb,
      segmentCount: layout.segmentCount,
      chain: {
        nodes: chain.order,
        writtenBy: detectChainOrderRule(ueb.n, isTelling ? [{ shareNumber, order: chain.order }] : []),
      },
      verifyCap: isStorageIndex(folder) ? formatVerifyCap(deriveManifest(folder, ueb)) : null,
    };
  } finally {
    await file.close();
  }
}
