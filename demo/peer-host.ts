/**
 * A process that hosts peers: each has its own key, folder, storage server, agent and connections, and shares nothing but
 * the process with the others. Started by the demonstration, and ends with it.
 */

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Agent, createAgent } from '#collector/agent/agent.ts';
import { collectorPort } from '#collector/agent/collector-port.ts';
import { enrolAgent } from '#collector/agent/enrol.ts';
import { type StartShareServer } from '#collector/agent/ports.ts';
import { servedChange } from '#collector/agent/storage-serving.ts';
import { createVitalsSampler } from '#collector/agent/vitals.ts';
import { WatchBudget } from '#collector/agent/watch.ts';
import { type CollectorClient, createCollectorClient } from '#collector/gateway/client.ts';
import { systemClock } from '#mesh/clock.ts';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { parsePeerId } from '#mesh/peer-id.ts';
import { createStorageServer } from '#tahoe/gbs/server.ts';
import { openKeyFolder, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import type { HostAnswer, HostCommand, HostedPeer, HostRequest, HostSettings } from './host-protocol.ts';

interface RunningPeer {
  readonly peer: HostedPeer;
  readonly agent: Agent;
  readonly client: CollectorClient;
}

const softwareVersion = '0.1.0';

class PeerHost {
  readonly #running = new Map<string, RunningPeer>();
  readonly #known = new Map<string, HostedPeer>();
  readonly #vitals = createVitalsSampler(systemClock);
  readonly #watchBudget = new WatchBudget(100_000);
  #settings: HostSettings | null = null;

  async act(command: HostCommand): Promise<void> {
    switch (command.kind) {
      case 'settle':
        this.#settings = command.settings;
        return;
      case 'start':
        return this.#start(command.peer, command.token);
      case 'kill':
        return this.#kill(command.name);
      case 'wipe':
        return this.#wipe(command.name);
    }
  }

  async #start(peer: HostedPeer, token: string | null): Promise<void> {
    if (this.#running.has(peer.name)) return;
    const settings = this.#settings;
    if (settings === null) throw new RangeError('a peer was started before the settings came');
    this.#known.set(peer.name, peer);
    const identity = await openKeyFolder(join(peer.folder, 'key'), { commonName: peer.name });
    const client = createCollectorClient({
      url: settings.collectorUrl,
      pin: parsePeerId(settings.collectorPin),
      key: privateKeyPem(identity),
      cert: identity.certificatePem,
    });
    const config = agentConfig(peer, settings);
    if (token !== null) {
      await enrolAgent({
        config,
        identity,
        collector: client,
        token,
        domains: peer.domains,
        clock: systemClock,
        log: silentLogger,
      });
    }
    const agent = createAgent({
      config,
      identity,
      collector: collectorPort(client),
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      version: softwareVersion,
      system: { startServer: quickServing(identity), vitals: this.#vitals, watchBudget: this.#watchBudget },
    });
    this.#running.set(peer.name, { peer, agent, client });
    await agent.start();
  }

  async #kill(name: string): Promise<void> {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    await running.agent.stop();
    await running.client.close();
  }

  /** The folder itself and what marks it as this peer's stay, as after a disk was replaced and mounted again. */
  async #wipe(name: string): Promise<void> {
    const peer = this.#known.get(name);
    if (peer === undefined)
      throw new MeshwardError('file-unknown', `no peer is called ${name}`, { next: '`meshward peers` lists them.' });
    const shares = join(peer.folder, 'shares');
    for (const entry of await readdir(shares)) {
      if (/^[a-z2-7]{2}$/.test(entry)) await rm(join(shares, entry), { recursive: true, force: true });
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.#kill(name)));
  }
}

/** As agents serve by themselves, but for the sync of every share: 120 peers have one disk here, and a demonstration dies with its machine. */
function quickServing(identity: PeerIdentity): StartShareServer {
  return async ({ storageFolder, host, port, swissnum, onChange }) => {
    const server = await createStorageServer({
      shareFolder: storageFolder,
      identity,
      swissnum,
      host,
      port,
      clock: systemClock,
      syncToDisk: false,
      onChange: (event) => onChange(servedChange(event)),
    });
    return { port: server.port, close: () => server.close() };
  };
}

function agentConfig(peer: HostedPeer, settings: HostSettings): Config['agent'] {
  return configSchema.shape.agent.parse({
    shares: peer.folder,
    name: peer.name,
    capacityBytes: peer.capacityBytes,
    port: peer.port,
    collectorUrl: settings.collectorUrl,
    collectorPin: settings.collectorPin,
    heartbeatMs: settings.heartbeatMs,
    verifyBytesPerSecond: settings.verifyBytesPerSecond,
  });
}

const host = new PeerHost();

process.on('message', (request: HostRequest) => {
  const answer = (error: HostAnswer['error']): void =>
    void process.send?.({ id: request.id, error } satisfies HostAnswer);
  host.act(request.command).then(
    () => answer(null),
    (error: unknown) =>
      answer(
        error instanceof MeshwardError
          ? { code: error.code, message: describeError(error), next: error.next }
          : { code: 'internal', message: describeError(error), next: 'Look into the output of the demonstration.' },
      ),
  );
});
process.on('disconnect', () => void host.stop().finally(() => process.exit(0)));
process.on('SIGTERM', () => void host.stop().finally(() => process.exit(0)));
// The terminal sends an interrupt to every process at once; the demonstration ends its peers itself.
process.on('SIGINT', () => undefined);
