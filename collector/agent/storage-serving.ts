/** The real {@link StartShareServer}: the folder is served by Tahoe's storage protocol with the peer's own key. */

import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { createStorageServer } from '#tahoe/gbs/server.ts';
import type { StorageEvent } from '#tahoe/gbs/storage-event.ts';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { announcedHost } from './address.ts';
import type { JournalFigures, ServedChange, StartShareServer } from './ports.ts';

export function storageServing(identity: PeerIdentity, clock: Clock, log: Logger): StartShareServer {
  return async ({ storageFolder, host, port, swissnum, onChange }) => {
    const server = await createStorageServer({
      shareFolder: storageFolder,
      identity,
      swissnum,
      host,
      port,
      clock,
      advertised: { host: announcedHost(host) },
      onChange: (event) => onChange(servedChange(event)),
      onFailure: (error) =>
        error instanceof MeshwardError
          ? log.error({ code: error.code, error: describeError(error), next: error.next }, error.message)
          : log.error({ error: describeError(error) }, 'a request for shares failed'),
    });
    return {
      port: server.port,
      removed: (storageIndex, shareNumber) => server.removed(storageIndex, shareNumber),
      journal: () => journalFigures(server.stats()),
      setBytesPerSecond: (rate) => server.configure({ bandwidthBytesPerSecond: rate === 0 ? undefined : rate }),
      close: () => server.close(),
    };
  };
}

function journalFigures(stats: JournalFigures): JournalFigures {
  const { isJournalUsed, journalBytes, maxJournalBytes, oldestRecordAgeMs } = stats;
  const { sharesJournalled, sharesBypassed, sharesPutBack } = stats;
  return {
    isJournalUsed,
    journalBytes,
    maxJournalBytes,
    oldestRecordAgeMs,
    sharesJournalled,
    sharesBypassed,
    sharesPutBack,
  };
}

export function servedChange(event: StorageEvent): ServedChange {
  const { kind, storageIndex, shareNumber } = event;
  return kind === 'corruption-reported' ? { storageIndex, reportedShare: shareNumber } : { storageIndex };
}
