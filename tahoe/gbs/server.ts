/**
 * Serves a folder of shares by Tahoe's HTTP storage protocol (FORMAT section 11), so that Tahoe clients and repairers read
 * and write it. On node:https: nine routes with raw streamed bodies gain nothing from a framework, and sixty of these
 * servers live in one process.
 */

import type { Server } from 'node:https';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { type Rate, TokenBucket } from '#mesh/token-bucket.ts';
import type { PeerIdentity } from '../identity/key-folder.ts';
import { Nurl } from '../identity/nurl.ts';
import { privateKeyPem } from '../identity/peer-key.ts';
import { openAdvisories } from './advisories.ts';
import { type Disk, errorCodeOf, quickDisk } from './disk.ts';
import { openFenceRegister } from './fence.ts';
import { replayJournal } from './journal-replay.ts';
import { createRequestHandler } from './request-handler.ts';
import { defaultStorageServerLimits, type StorageServerLimits } from './server-limits.ts';
import { ShareFolder } from './share-folder.ts';
import { journalPathsOf, noJournal, ShareJournal, type ShareJournalStats } from './share-journal.ts';
import type { StorageEvent } from './storage-event.ts';
import { Uploads } from './uploads.ts';
import { WholeShares } from './whole-shares.ts';

export interface StorageServerOptions {
  /** The folder that holds `shares/`, as Tahoe's `storage/` does. Nothing else may write to its `shares/incoming/`. */
  readonly shareFolder: string;
  readonly identity: PeerIdentity;
  /** The secret of the NURL. */
  readonly swissnum: string;
  /** Address to listen on. @default 127.0.0.1 */
  readonly host?: string;
  /** @default 0: any free port */
  readonly port?: number;
  /** Host and port that the NURL names where they differ from those listened on (address translation, a wildcard). */
  readonly advertised?: { readonly host?: string; readonly port?: number };
  readonly limits?: Partial<StorageServerLimits>;
  /** Refuse uploads. @default false */
  readonly readOnly?: boolean;
  /** Share data in and out together; undefined: no limit. */
  readonly bandwidthBytesPerSecond?: number | undefined;
  /** Sync a share and its folder to the disk before its upload is acknowledged. @default true */
  readonly syncToDisk?: boolean;
  /** Told after a share is in its place and before its uploader is. Must not throw. */
  readonly onChange?: (event: StorageEvent) => void;
  /** Told of failures that a client sees as status 500 or 507. Must not throw. */
  readonly onFailure?: (error: unknown) => void;
  readonly clock?: Clock;
  readonly disk?: Disk;
}

export interface StorageServerStats extends ShareJournalStats {
  readonly openConnections: number;
  readonly requests: number;
  /** Answers by their hundred: `refused` counts 4xx, `failed` 5xx. */
  readonly refused: number;
  readonly failed: number;
  readonly shareBytesRead: number;
  readonly shareBytesWritten: number;
  readonly sharesStored: number;
  readonly uploadsInProgress: number;
  readonly openFiles: number;
  readonly advisoriesDropped: number;
  /** Shares that the journal put back at the start. */
  readonly sharesPutBack: number;
}

export interface StorageServer {
  readonly nurl: Nurl;
  readonly port: number;
  stats(): StorageServerStats;
  /** Somebody removed a share from the folder: it is not to come back after a crash. */
  removed(storageIndex: StorageIndex, shareNumber: number): Promise<void>;
  /** Takes effect at the next request. */
  configure(change: { readOnly?: boolean; bandwidthBytesPerSecond?: number | undefined }): void;
  /** Stops listening, lets requests in progress end for up to `graceMs`, and drops uploads. */
  close(graceMs?: number): Promise<void>;
}

/** Below it a journal is not worth its file. */
const leastJournalBytes = 4 * 1024 * 1024;
/** Twice what systems leave written files in memory for, so that there is little left to sync. */
const journalAgeMs = 60_000;

/**
 * Wipes `shares/incoming/`, puts back what a power cut took (`journal-replay.ts`) and starts to listen.
 * @throws MeshwardError `config-invalid` where the folder or the address cannot be used.
 */
export async function createStorageServer(options: StorageServerOptions): Promise<StorageServer> {
  const limits = { ...defaultStorageServerLimits, ...options.limits };
  const clock = options.clock ?? systemClock;
  const disk = options.disk ?? quickDisk;
  const root = options.shareFolder;
  await prepareFolder(root, disk);

  const shares = new ShareFolder({ root, disk, clock, maxOpenFiles: limits.maxOpenFiles, idleCloseMs: 10_000 });
  const onFailure = options.onFailure ?? (() => undefined);
  const syncToDisk = options.syncToDisk ?? true;
  const uploads = new Uploads({
    root,
    disk,
    clock,
    shares,
    maxUploads: limits.maxUploads,
    silenceMs: limits.uploadSilenceMs,
    syncToDisk,
  });
  const replayed = await replayJournal({ root, paths: journalPathsOf(root), disk, shares, syncToDisk, onFailure });
  const atOnce = syncToDisk && limits.maxJournalBytes >= leastJournalBytes ? disk.atOnce?.journal : undefined;
  const journal =
    atOnce === undefined || !replayed.isComplete
      ? undefined
      : new ShareJournal({
          root,
          disk,
          journal: atOnce,
          clock,
          maxBytes: limits.maxJournalBytes,
          maxAgeMs: journalAgeMs,
          onFailure,
        });
  const wholeShares = new WholeShares({ root, disk, shares, syncToDisk, journal });
  const advisories = await openAdvisories({
    folder: `${root}/corruption-advisories`,
    disk,
    clock,
    maxFiles: limits.maxAdvisories,
  });
  const fences = await openFenceRegister({ folder: root, disk, maxScopes: limits.maxFenceScopes });
  const bandwidth = new TokenBucket(bandwidthRate(options.bandwidthBytesPerSecond), clock);
  const handler = createRequestHandler({
    root,
    disk,
    clock,
    shares,
    uploads,
    wholeShares,
    fences,
    advisories,
    bandwidth,
    limits,
    swissnum: options.swissnum,
    readOnly: options.readOnly ?? false,
    onChange: options.onChange ?? (() => undefined),
    onFailure,
  });

  const server = createServer(
    {
      key: privateKeyPem(options.identity),
      cert: options.identity.certificatePem,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: limits.headersTimeoutMs,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleConnectionMs,
      maxHeaderSize: 8 * 1024,
      noDelay: true,
    },
    (request, response) => handler.handle(request, response),
  );
  server.maxConnections = limits.maxConnections;
  server.maxHeadersCount = 40;
  server.setTimeout(limits.idleConnectionMs, (socket: Socket) => socket.destroy());
  const openConnections = new Set<Socket>();
  // Of the TCP side: it also counts those that never finish their handshake.
  server.on('connection', (socket: Socket) => {
    openConnections.add(socket);
    socket.once('close', () => openConnections.delete(socket));
  });
  const port = await listen(server, options.host ?? '127.0.0.1', options.port ?? 0);
  const advertised = {
    host: options.advertised?.host ?? options.host ?? '127.0.0.1',
    port: options.advertised?.port ?? port,
  };

  return {
    nurl: new Nurl(options.identity.peerId, advertised.host, advertised.port, options.swissnum),
    port,
    stats: () => ({
      ...handler.counts(),
      openConnections: openConnections.size,
      uploadsInProgress: uploads.count,
      openFiles: shares.openFileCount,
      advisoriesDropped: advisories.droppedCount(),
      ...(journal?.stats() ?? noJournal),
      sharesPutBack: replayed.putBackShares,
    }),
    removed: (index, shareNumber) => wholeShares.removed({ index, shareNumber }).catch(onFailure),
    configure(change) {
      if (change.readOnly !== undefined) handler.setReadOnly(change.readOnly);
      if ('bandwidthBytesPerSecond' in change) bandwidth.setRate(bandwidthRate(change.bandwidthBytesPerSecond));
    },
    async close(graceMs = 2000) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeIdleConnections();
      const callOff = clock.after(graceMs, () => {
        server.closeAllConnections();
        for (const socket of openConnections) socket.destroy();
      });
      await closed;
      callOff();
      await uploads.close();
      await wholeShares.close();
      await journal?.close();
      await shares.close();
    },
  };
}

async function prepareFolder(root: string, disk: Disk): Promise<void> {
  try {
    await disk.removeTree(`${root}/shares/incoming`);
    for (const folder of ['shares', 'shares/incoming', 'corruption-advisories']) {
      await disk.makeFolder(`${root}/${folder}`).catch((error: unknown) => {
        if (errorCodeOf(error) !== 'EEXIST') throw error;
      });
    }
  } catch (error) {
    throw new MeshwardError('config-invalid', `shares cannot be kept in ${root}`, {
      next: 'Make the folder and give it to the user that runs this service, or configure another one.',
      cause: error,
    });
  }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    throw new MeshwardError('config-invalid', `shares cannot be served at ${host}:${port}`, {
      next: 'See that no other program listens there and that the address is one of this machine, or configure another one.',
      cause: error,
    });
  }
  return (server.address() as AddressInfo).port;
}

/** An idle server lets a first reader run a quarter of a second ahead. */
function bandwidthRate(bytesPerSecond = 0): Rate {
  return { perSecond: bytesPerSecond, burst: bytesPerSecond / 4 };
}
