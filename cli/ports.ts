/** Settles on which ports the services of this machine listen, before they start: each must know the others'. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';

export interface ServicePorts {
  readonly 'collector.port': number;
  readonly 'collector.opsPort': number;
  readonly 'api.port': number;
  readonly 'repairer.port': number;
}

/**
 * @param otherWhereTaken takes a free port for one that another program has.
 * @throws MeshwardError `config-invalid` naming the key of a port that is taken.
 */
export async function choosePorts(config: Config, otherWhereTaken: boolean): Promise<ServicePorts> {
  const choose = async (key: keyof ServicePorts, host: string, wanted: number): Promise<number> => {
    const found = await tryPort(host, wanted);
    if (found !== null) return found;
    if (!otherWhereTaken) {
      throw new MeshwardError('config-invalid', `port ${wanted} on ${host} is taken by another program`, {
        next: `Set ${key} to another port, or to 0 for a free one.`,
      });
    }
    return (await tryPort(host, 0)) as number;
  };
  return {
    'collector.port': await choose('collector.port', config.collector.host, config.collector.port),
    'collector.opsPort': await choose('collector.opsPort', '127.0.0.1', config.collector.opsPort),
    'api.port': await choose('api.port', config.api.host, config.api.port),
    'repairer.port': await choose('repairer.port', config.repairer.host, config.repairer.port),
  };
}

/** Below the range from which systems take ports for outgoing connections: those would take a peer's port while it is away. */
const firstPeerPort = 20_000;
const lastPeerPort = 32_000;

export interface PeerPorts {
  readonly ports: readonly number[];
  release(): Promise<void>;
}

/** Demonstrations of any number of peers share the range: each takes as many of these parts of it as it needs. */
const portsOfPart = 128;

/** `count` ports on loopback for the peers of one demonstration. @throws MeshwardError `service-unavailable` where there are not so many. */
export function reservePeerPorts(count: number): Promise<PeerPorts> {
  return reserve(firstPeerPort, lastPeerPort, count, portsOfPart);
}

/**
 * A block of `count` ports on loopback for its owner. All blocks of a range must have one size.
 * @throws MeshwardError `service-unavailable` where there is none.
 */
export function reserveBlock(first: number, last: number, count: number): Promise<PeerPorts> {
  return reserve(first, last, count, count + 1);
}

/**
 * Whoever has a part of the range listens on its first port for as long as it runs: so two never share one, even while what listens on its
 * other ports is away, or has not come yet.
 */
async function reserve(first: number, last: number, count: number, partPorts: number): Promise<PeerPorts> {
  const parts = Math.ceil(count / (partPorts - 1));
  for (let begin = first; begin + parts * partPorts <= last; begin += partPorts) {
    const marks = Array.from({ length: parts }, (_, part) => begin + part * partPorts);
    const ports = marks
      .flatMap((mark) => Array.from({ length: partPorts - 1 }, (_, i) => mark + 1 + i))
      .slice(0, count);
    const held = await Promise.all(marks.map((mark) => listen('127.0.0.1', mark)));
    const holders = held.filter((holder) => holder !== null);
    const release = async (): Promise<void> => {
      await Promise.all(holders.map(closed));
    };
    if (holders.length === parts) {
      const free = await Promise.all(ports.map((port) => tryPort('127.0.0.1', port)));
      if (free.every((port) => port !== null)) return { ports, release };
    }
    await release();
  }
  throw new MeshwardError('service-unavailable', `there are no ${count} free ports between ${first} and ${last}`, {
    next: 'Stop other programs that listen on this machine, or use fewer peers (--peers).',
  });
}

/** The port, or the free one that 0 asks for; null where it is taken. */
export async function tryPort(host: string, port: number): Promise<number | null> {
  const server = await listen(host, port);
  if (server === null) return null;
  const { port: found } = server.address() as AddressInfo;
  await closed(server);
  return found;
}

function listen(host: string, port: number): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
