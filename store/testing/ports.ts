import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/**
 * Where servers of tests listen that are killed and come back: below the range from which systems take ports for outgoing
 * connections, since those would take a server's port while it is away.
 */
const firstPort = 9100;
const lastPort = 11_999;

/** Free ports of 127.0.0.1, all different: they are taken together before they are given back. */
export async function freePorts(count: number): Promise<number[]> {
  const probes = new Map<number, Server>();
  while (probes.size < count) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1));
    const probe = probes.has(port) ? null : await listen(port);
    if (probe !== null) probes.set(port, probe);
  }
  await Promise.all([...probes.values()].map((probe) => new Promise((resolve) => probe.close(resolve))));
  return [...probes.keys()];
}

async function listen(port: number): Promise<Server | null> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
