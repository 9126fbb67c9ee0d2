/** Opens TLS connections one after the other in several lanes, each with one heartbeat on it, and counts them. */
import { once } from 'node:events';
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import { create, toBinary } from '@bufbuild/protobuf';
import { AgentPostSchema } from '#mesh/generated/events_pb.js';
import { peerIdToBytes } from '#mesh/peer-id.ts';
import { answerParent, ownCpuSeconds } from './child.ts';
import type { TextIdentity } from './identities.ts';

export interface ConnectionsRound {
  readonly port: number;
  readonly count: number;
  /** Connections under way at once. */
  readonly lanes: number;
  readonly resume: boolean;
}

export interface ConnectionsFigures {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly resumed: number;
}

interface Caller extends TextIdentity {
  readonly context: SecureContext;
  /** Of the server at a port, since sessions of one mean nothing to another. */
  readonly sessions: Map<number, Buffer>;
  sequence: number;
}

let callers: Caller[] = [];

answerParent({
  identities(identities: readonly TextIdentity[]): void {
    callers = identities.map((identity) => ({
      ...identity,
      context: createSecureContext({ key: identity.key, cert: identity.cert, minVersion: 'TLSv1.3' }),
      sessions: new Map(),
      sequence: 0,
    }));
  },
  async open({ port, count, lanes, resume }: ConnectionsRound): Promise<ConnectionsFigures> {
    const startedMs = performance.now();
    const startedCpu = ownCpuSeconds();
    let begun = 0;
    let resumed = 0;
    const lane = async (): Promise<void> => {
      while (begun < count) {
        const caller = callers[begun++ % callers.length] as Caller;
        if (await openOne(caller, port, resume)) resumed++;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return {
      seconds: (performance.now() - startedMs) / 1000,
      cpuSeconds: ownCpuSeconds() - startedCpu,
      resumed,
    };
  },
});

/** @returns whether the session was resumed. @throws where the answer is not 200. */
async function openOne(caller: Caller, port: number, resume: boolean): Promise<boolean> {
  const session = resume ? caller.sessions.get(port) : undefined;
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port,
    secureContext: caller.context,
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  socket.on('session', (next: Buffer) => caller.sessions.set(port, next));
  await once(socket, 'secureConnect');
  socket.write(heartbeat(caller));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.subarray(0, 12).equals(expected)) throw new Error(answer.toString('latin1'));
  socket.end();
  return socket.isSessionReused();
}

const expected = Buffer.from('HTTP/1.1 200');

function heartbeat(caller: Caller): Buffer {
  const post = create(AgentPostSchema, {
    body: {
      case: 'event',
      value: {
        peerId: peerIdToBytes(caller.peerId),
        incarnation: 1n,
        sequence: BigInt(++caller.sequence),
        body: { case: 'heartbeat', value: { vitals: { cpuUsedRatio: 0.5, sharesHeld: 12n } } },
      },
    },
  });
  const body = toBinary(AgentPostSchema, post);
  const head = `POST /v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}
