/** What the peer does as its share folder comes and goes: with it, it serves, verifies and is heard; without it, it falls silent. */
import type { AddressReport } from './address-report.ts';
import type { FolderSequel } from './folder-follower.ts';
import type { InventoryTaker } from './inventory-taker.ts';
import type { ManifestFeed } from './manifest-feed.ts';
import type { AgentContext } from './options.ts';
import type { PeerVoice } from './peer-voice.ts';
import type { Sender } from './sender.ts';
import type { RootCondition } from './share-root.ts';
import type { ShareServing } from './share-serving.ts';
import type { TableKeeper } from './table-keeper.ts';
import type { Verifier } from './verifier.ts';

export interface PeerPresenceOptions {
  readonly agent: Pick<AgentContext, 'log' | 'own'>;
  readonly voice: PeerVoice;
  readonly verifier: Verifier;
  readonly senders: readonly Pick<Sender<unknown>, 'pause' | 'resume'>[];
  readonly serving: ShareServing;
  readonly address: AddressReport;
  readonly inventories: InventoryTaker;
  readonly keeper: TableKeeper;
  readonly feed: ManifestFeed;
}

export class PeerPresence implements FolderSequel {
  readonly #options: PeerPresenceOptions;

  constructor(options: PeerPresenceOptions) {
    this.#options = options;
  }

  async present(): Promise<void> {
    const { agent, voice, verifier, senders, serving, address } = this.#options;
    if (!voice.isSilent) return;
    await this.#mark(agent);
    await serving.start();
    verifier.resume();
    for (const sender of senders) sender.resume();
    await voice.speakUp();
    void address.send();
  }

  gone(condition: RootCondition): void {
    const { agent, voice, verifier, senders } = this.#options;
    const { path, markPath } = agent.own.root;
    voice.fallSilent();
    verifier.pause();
    for (const sender of senders) sender.pause();
    agent.log.error(
      { path, condition },
      `the share folder is not there: this peer falls silent until it is back. If it is the right folder, run: touch ${markPath}`,
    );
  }

  async scanned(durationMs: number, wantsInventory: boolean, signal: AbortSignal): Promise<void> {
    const { inventories, keeper, feed } = this.#options;
    inventories.scanned(durationMs);
    if (wantsInventory) await inventories.take(signal);
    await keeper.save();
    feed.start();
  }

  async #mark({ own, log }: PeerPresenceOptions['agent']): Promise<void> {
    const { root, state } = own;
    const { incarnation, generation } = state;
    const isMarked = await root.writeMark({ incarnation, generation });
    if (!isMarked && !state.hasMark) {
      log.warn(
        { path: root.markPath },
        'the share folder cannot be marked: an unmounted disk is told from an empty one only by its content',
      );
    }
    await state.setHasMark(isMarked || state.hasMark);
  }
}
