/** Settles on which ports the services of this machine listen, before they start: each must know the others'. */
import { createServer } from 'node:net';
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

/** @returns `count` ports on loopback that are free now. @throws MeshwardError `service-unavailable` where there are not so many. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  const offset = process.pid % 8000;
  for (let port = firstPeerPort + offset; port < lastPeerPort && ports.length < count; port++) {
    if ((await tryPort('127.0.0.1', port)) !== null) ports.push(port);
  }
  if (ports.length === count) return ports;
  throw new MeshwardError('service-unavailable', `there are no ${count} free ports below ${lastPeerPort}`, {
    next: 'Stop other programs that listen on this machine, or use fewer peers (--peers).',
  });
}

/** The port, or the free one that 0 asks for; null where it is taken. */
function tryPort(host: string, port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
