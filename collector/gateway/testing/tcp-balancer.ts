/** A TCP load balancer: hands each connection to the next server in turn that takes it, and knows nothing of what it carries. */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export async function startTcpBalancer(ports: readonly number[]): Promise<{ readonly port: number }> {
  let turn = 0;
  const open = new Set<Socket>();
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => undefined);
  };
  const server = createServer((client) => {
    keep(client);
    const first = turn++;
    const forward = (attempt: number): void => {
      const port = ports[(first + attempt) % ports.length];
      if (attempt === ports.length || port === undefined) {
        client.destroy();
        return;
      }
      const backend = connect({ host: '127.0.0.1', port });
      keep(backend);
      let isConnected = false;
      backend.once('connect', () => {
        isConnected = true;
        client.pipe(backend).pipe(client);
      });
      backend.once('close', () => (isConnected ? client.destroy() : forward(attempt + 1)));
      client.once('close', () => backend.destroy());
    };
    forward(0);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port };
}
