/** What repair lives through, each as one act while campaigns work on the same files. An act ends with everything sound again. */
import { setTimeout as pause } from 'node:timers/promises';
import type { PeerId } from '#mesh/peer-id.ts';
import { type Trouble, troubles } from './peer-front.ts';
import { RepairDisagreement, type RepairScene, type TroubledFile } from './repair-scene.ts';

export interface RepairAct {
  readonly scene: RepairScene;
  readonly files: readonly TroubledFile[];
  /** Brings every file up to the target. */
  readonly lift: string;
  /** Of the same files, and meddled with by operators. */
  readonly second: string;
  /** Empties peers; null where none is to be emptied. */
  readonly drain: string | null;
}

export interface RepairFault {
  readonly name: string;
  readonly run: (act: RepairAct) => Promise<void>;
  /** Peers that a campaign of its own drains meanwhile. */
  readonly drains?: (scene: RepairScene) => readonly PeerId[];
}

const actMs = 2500;

const ofPeers = (name: string, kinds: readonly Trouble[]): RepairFault => ({
  name,
  run: ({ scene }) => troublePeers(scene, kinds, actMs),
});

export const repairFaults: readonly RepairFault[] = [
  ofPeers('peers die', ['dead']),
  ofPeers('peers stall', ['stalled']),
  ofPeers('peers lie', ['lying']),
  ofPeers('targets keep wrong bytes', ['rotting']),
  ofPeers('targets fill up', ['full']),
  ofPeers('peers refuse', ['conflicting', 'unauthorized', 'failing']),
  ofPeers('connections are cut in the middle of a block', ['cutting']),
  {
    name: 'repairers are killed',
    async run({ scene, lift }) {
      for (let kill = 0; kill < 4 && scene.isRunning(lift); kill++) {
        await pause(100 + scene.random() * 900);
        scene.say('a repairer is killed');
        scene.repairers.killOldest();
        scene.repairers.start();
      }
    },
  },
  {
    name: 'a repairer is frozen and woken',
    async run({ scene }) {
      for (let time = 0; time < 2; time++) {
        await pause(scene.random() * 500);
        scene.say('a repairer is frozen beyond its session');
        const wake = scene.repairers.freezeOldest();
        await pause(1500 + scene.random() * 1000);
        scene.say('it is woken: two believe to own its partitions');
        wake();
        await pause(300);
      }
    },
  },
  {
    name: 'the store is away',
    async run({ scene }) {
      await pause(scene.random() * 500);
      scene.say('nobody reaches the store');
      scene.gate.mode = 'away';
      await pause(1000 + scene.random() * 1500);
      scene.gate.mode = 'broken-answers';
      await pause(500);
      scene.gate.mode = 'open';
    },
  },
  {
    name: 'the log is away',
    async run({ scene }) {
      await pause(scene.random() * 500);
      scene.say('nobody can write to the log');
      await scene.lockLog(2500 + scene.random() * 1500);
    },
  },
  {
    name: 'campaigns are paused',
    async run({ scene, lift, second }) {
      await pause(scene.random() * 500);
      scene.say('both campaigns are paused');
      await Promise.all([scene.command(lift, 'pause'), scene.command(second, 'pause')]);
      const isStill = (id: string): boolean =>
        !scene.isRunning(id) || (scene.stateOf(id) === 'paused' && scene.isAtRest(id));
      await scene.until('they stand still', () => isStill(lift) && isStill(second));
      const before = scene.writes;
      const revisions = scene.revisionsOf([lift, second]);
      await pause(1000);
      const isMeant = scene.revisionsOf([lift, second]) === revisions;
      if (isMeant && scene.writes !== before)
        throw new RepairDisagreement(
          `${scene.writes - before} requests to write came while both campaigns were paused`,
        );
      await Promise.all([scene.command(lift, 'resume'), scene.command(second, 'resume')]);
    },
  },
  {
    name: 'peers are drained while others fail',
    drains: (scene) => scene.somePeers(2),
    run: ({ scene }) => troublePeers(scene, ['dead', 'failing', 'cutting', 'rotting'], actMs),
  },
  {
    name: 'drained onto peers that keep wrong bytes',
    drains: (scene) => scene.somePeers(3),
    async run({ scene, drain }) {
      const peers = scene.somePeers(2 * troubledAtOnce);
      scene.say(`${peers.length} peers keep wrong bytes until the drain is over`);
      for (const peer of peers) scene.trouble(peer, 'rotting');
      await scene.until('the drain ends', () => drain === null || !scene.isRunning(drain));
    },
  },
  {
    name: 'everything at once',
    drains: (scene) => scene.somePeers(1),
    async run({ scene, lift }) {
      const storeGoes = async (): Promise<void> => {
        await pause(500 + scene.random() * 1000);
        scene.gate.mode = 'away';
        await pause(700);
        scene.gate.mode = 'open';
      };
      const repairersGo = async (): Promise<void> => {
        for (let kill = 0; kill < 2 && scene.isRunning(lift); kill++) {
          await pause(300 + scene.random() * 1000);
          scene.repairers.killOldest();
          scene.repairers.start();
        }
        const wake = scene.repairers.freezeOldest();
        await pause(1500);
        wake();
      };
      await Promise.all([troublePeers(scene, troubles, 2 * actMs), storeGoes(), repairersGo()]);
    },
  },
];

/** Few enough that k good shares and targets for the others are left. */
const troubledAtOnce = 3;

async function troublePeers(scene: RepairScene, kinds: readonly Trouble[], forMs: number): Promise<void> {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs) {
    const peers = scene.somePeers(troubledAtOnce);
    const chosen = peers.map(() => kinds[Math.floor(scene.random() * kinds.length)] as Trouble);
    scene.say(`three peers: ${chosen.join(', ')}`);
    for (const [at, peer] of peers.entries()) scene.trouble(peer, chosen[at] as Trouble);
    await pause(400 + scene.random() * 800);
    for (const peer of peers) scene.trouble(peer, null);
  }
}

/** @throws Error naming the faults that there are. */
export function repairFaultOf(name: string): RepairFault {
  const found = repairFaults.find((fault) => fault.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no fault "${name}": ${repairFaults.map((fault) => fault.name).join(', ')}`);
}
