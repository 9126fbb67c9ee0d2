/** Makes a machine a peer of the mesh: settles where its shares are served, and trades a token for its place. */
import { hostname } from 'node:os';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Nurl, parseNurl } from '#tahoe/identity/nurl.ts';
import type { CollectorClient } from '../gateway/client.ts';
import { announcedHost, findFreePort } from './address.ts';
import { agentFolders } from './folders.ts';
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
  const { config, identity, collector, token, clock, log } = options;
  const state = await AgentState.open(agentFolders(config).state, identity.peerId, log);
  const nurl = await settleNurl(config, identity, state);
  const name = config.name === '' ? hostname() : config.name;
  const answer = await collector.enrol({
    token,
    name,
    domains: { ...options.domains },
    nurl: nurl.revealText(),
    capacityBytes: config.capacityBytes,
  });
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
