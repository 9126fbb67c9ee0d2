/** Who puts, gets or proves, as a process of its own that keeps its connections, as many files at once as it is told. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { formatCap, parseCap, type ReadCap } from '#mesh/caps.ts';
import { systemClock } from '#mesh/clock.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { getFile } from '#repairer/files/get.ts';
import type { FileReading } from '#repairer/files/open-file.ts';
import { putBuffersBytes, putFile } from '#repairer/files/put.ts';
import { proveFile } from '#repairer/proofs/prove.ts';
import type { RepairMesh } from '#repairer/repair/tools.ts';
import { UploadBuffers } from '#repairer/repair/upload-buffers.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { answerParent } from '../load/child.ts';
import { measuredWork, profileAnswers } from '../repair/measured-work.ts';
import { meshOfPeers } from '../repair/mesh-of-peers.ts';
import { RequestMeter } from '../repair/request-meter.ts';
import type { ClientFigures, FilesToPut, FilesToRead, StartClient, StoredFile } from './protocol.ts';

const client = createStorageClient();
const meter = new RequestMeter();
const { signal } = new AbortController();
const uploadBuffers = new UploadBuffers(putBuffersBytes);
let mesh: RepairMesh | undefined;

/** As a command has it that an analyzer has told where the shares lie, or not: then every peer may hold some. */
function readingOf({ placements }: StoredFile, isAsking: boolean): FileReading {
  const { transfer, directory } = mesh as RepairMesh;
  const peers = (): PeerId[] => directory.peers().map((peer) => peer.peerId);
  return { transfer, peers, known: isAsking ? [] : placements, clock: systemClock, random: Math.random };
}

answerParent({
  start({ nurls }: StartClient): void {
    mesh = meshOfPeers(nurls, client, meter);
  },
  async put({ path, sizeBytes, count, coding, atOnce }: FilesToPut): Promise<ClientFigures> {
    const { transfer, peerView } = mesh as RepairMesh;
    const files = Array.from({ length: count }, () => path);
    const { results, figures } = await measuredWork(files, atOnce, meter, async (each) => {
      const plaintext = createReadStream(each, { highWaterMark: 1024 * 1024 });
      return putFile(
        { sizeBytes, plaintext, policy: defaultPolicy(coding), happy: coding.n, signal },
        {
          transfer,
          field: () => peerView.writable(),
          random: Math.random,
          randomBytes: (bytes) => new Uint8Array(randomBytes(bytes)),
          leaseSecret: new Uint8Array(32).fill(1),
          uploadBuffers,
        },
      );
    });
    const stored = results.map((result) => {
      if (result.kind !== 'stored') throw new Error('a file was too small to be stored');
      return { readCap: formatCap(result.readCap), placements: result.placements };
    });
    return { ...figures, stored };
  },
  async get({ files, folder, sha256, isAsking, atOnce }: FilesToRead): Promise<ClientFigures> {
    const { results, figures } = await measuredWork(files, atOnce, meter, async (file) => {
      const path = join(folder, randomUUID());
      await getFile(parseCap(file.readCap) as ReadCap, path, readingOf(file, isAsking), signal);
      return path;
    });
    for (const path of results) {
      const hash = createHash('sha256');
      await pipeline(createReadStream(path), hash);
      if (hash.digest('hex') !== sha256) throw new Error('a file that was got is another one than was put');
      await rm(path);
    }
    return { ...figures, stored: [] };
  },
  async prove({ files, isAsking, atOnce }: FilesToRead): Promise<ClientFigures> {
    const { results, figures } = await measuredWork(files, atOnce, meter, (file) => {
      const { manifest } = parseCap(file.readCap) as ReadCap;
      return proveFile({ id: randomUUID(), cap: { kind: 'verify', manifest }, signal }, readingOf(file, isAsking));
    });
    const failed = results.find((result) => result.outcome !== 'proven');
    if (failed !== undefined) throw new Error(`a proof failed: ${failed.errorMessage}`);
    return { ...figures, stored: [] };
  },
  ...profileAnswers(),
  end: () => client.close(),
});
