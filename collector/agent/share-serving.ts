/** The server that gives this peer's shares to others; runs where the agent serves them itself. */
import { storageIndexFromBytes, storageIndexToBytes } from '#mesh/storage-index.ts';
import { settleNurl } from './enrol.ts';
import type { FolderNotices } from './folder-notices.ts';
import type { AgentContext } from './options.ts';
import type { JournalFigures, ShareServer } from './ports.ts';
import type { Verifier } from './verifier.ts';

export class ShareServing {
  readonly #context: AgentContext;
  readonly #notices: FolderNotices;
  readonly #verifier: Pick<Verifier, 'reported'>;
  #server: ShareServer | null = null;
  #bytesPerSecond = 0;

  constructor(context: AgentContext, notices: FolderNotices, verifier: Pick<Verifier, 'reported'>) {
    this.#context = context;
    this.#notices = notices;
    this.#verifier = verifier;
  }

  /** Where it listens; null while it does not. */
  get port(): number | null {
    return this.#server?.port ?? null;
  }

  /** Null while it does not listen. */
  get journal(): JournalFigures | null {
    return this.#server?.journal?.() ?? null;
  }

  /** @throws MeshwardError where it cannot listen at its address. */
  async start(): Promise<void> {
    const { config, identity, system, own } = this.#context;
    if (!config.serve || this.#server !== null) return;
    const nurl = await settleNurl(config, identity, own.state);
    this.#server = await system.startServer({
      storageFolder: own.folders.storage,
      host: config.host,
      port: nurl.port,
      swissnum: nurl.revealSwissnum(),
      onChange: ({ storageIndex, reportedShare }) => {
        this.#notices.file(storageIndex);
        if (reportedShare !== undefined) this.#verifier.reported(storageIndexToBytes(storageIndex), reportedShare);
      },
    });
    this.setRate(this.#bytesPerSecond);
  }

  async removed(key: Uint8Array, shareNumber: number): Promise<void> {
    await this.#server?.removed?.(storageIndexFromBytes(key), shareNumber);
  }

  /** @param bytesPerSecond 0 lifts the limit. */
  setRate(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#server?.setBytesPerSecond?.(bytesPerSecond);
  }

  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    await server?.close();
  }
}
