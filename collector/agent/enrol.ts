/** Makes a machine a peer of the mesh: settles where its shares are served, and trades a token for its place. */
import { hostname } from 'node:os';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { hasCode, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Nurl, parseNurl } from '#tahoe/identity/nurl.ts';
import type { EnrolAnswer } from '../gateway/bodies.ts';
import type { CollectorClient } from '../gateway/client.ts';
import { announcedHost, findFreePort } from './address.ts';
import { AgentLock } from './agent-lock.ts';
import { type AgentFolders, agentFolders } from './folders.ts';
import { prepareRoot, requireStorageFolder } from './prepare-root.ts';
import { ShareRoot } from './share-root.ts';
import { AgentState } from './state.ts';

export interface EnrolOptions {
  readonly config: Config['agent'];
  readonly identity: PeerIdentity;
  readonly collector: Pick<CollectorClient, 'enrol'>;
  readonly token: string;
  /** Failure domains by kind; those that the token binds its peer to win. */
  readonly domains?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Enrolled {
  readonly name: string;
  readonly domains: Readonly<Record<string, string>>;
  /** Prints without its secret. */
  readonly nurl: Nurl;
}

/**
 * May be repeated: the same peer keeps its port and swissnum.
 *
 * @throws MeshwardError `config-invalid`, or as the collector answers.
 */
export async function enrolAgent(options: EnrolOptions): Promise<Enrolled> {
  const { config } = options;
  const folders = agentFolders(config);
  await requireStorageFolder(folders);
  const lock = await AgentLock.take(folders);
  try {
    return await enrol(options, folders);
  } finally {
    lock.release();
  }
}

async function enrol(
  { config, identity, collector, token, domains, clock, log }: EnrolOptions,
  folders: AgentFolders,
): Promise<Enrolled> {
  const state = await AgentState.open(folders.state, identity.peerId, log);
  // A token is good once: what would keep the agent from starting is found before it is spent.
  await prepareRoot(new ShareRoot(folders.shares, identity.peerId), state, config.serve, folders);
  const nurl = await settleNurl(config, identity, state);
  const name = config.name === '' ? hostname() : config.name;
  let answer: EnrolAnswer;
  try {
    answer = await collector.enrol({
      token,
      name,
      domains: { ...domains },
      nurl: nurl.revealText(),
      capacityBytes: config.capacityBytes,
    });
  } catch (error) {
    // A unit file may name a token for good: it enrolled somebody, perhaps another machine, and this peer has its place.
    if (!hasCode(error, 'token-invalid') || state.enrolment === null) throw error;
    log.warn({ peer: identity.peerId }, 'the token cannot be used any more; this peer is enrolled already and goes on');
    return { name: state.enrolment.name, domains: state.enrolment.domains, nurl };
  }
  await state.setEnrolment({ name, domains: answer.domains, enrolledAtMs: Math.round(clock.nowMs()) });
  return { name, domains: answer.domains, nurl };
}

/** Where this peer's shares are served; its port is chosen here for good. */
export async function settleNurl(config: Config['agent'], identity: PeerIdentity, state: AgentState): Promise<Nurl> {
  if (!config.serve) return nurlOfNode(config.nurl, identity);
  const port = config.port !== 0 ? config.port : state.port !== 0 ? state.port : await findFreePort(config.host);
  await state.setPort(port);
  return new Nurl(identity.peerId, announcedHost(config.host), port, await state.swissnum());
}

/** A peer is its key: an agent beside a Tahoe node uses the node's, and so the node's address names it. */
function nurlOfNode(text: string, identity: PeerIdentity): Nurl {
  if (text === '') {
    throw new MeshwardError(
      'config-invalid',
      'the agent serves nothing itself (agent.serve is no) and does not know who does',
      {
        next: 'Set agent.nurl to the address of the Tahoe node that serves the folder: pb://PIN@host:port/SWISSNUM#v=1.',
      },
    );
  }
  const nurl = parseNurl(text);
  if (nurl.peerId !== identity.peerId) {
    throw new MeshwardError('config-invalid', "agent.nurl names another key than the agent's own", {
      next: "Put the Tahoe node's private/node.pem into agent.keyDir as peer.key.pem and its certificate as peer.cert.pem: the agent speaks for that node.",
    });
  }
  return nurl;
}
