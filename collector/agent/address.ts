/** Where this peer's shares are served, as others reach it. */
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { MeshwardError } from '#mesh/errors.ts';

/** An address that means "every interface" leads nowhere for others: the host's name stands for it. */
export function announcedHost(host: string): string {
  return host === '0.0.0.0' || host === '::' || host === '' ? hostname() : host;
}

/** A port that is free now. @throws MeshwardError `config-invalid` where the host is none of this machine's. */
export function findFreePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      reject(
        new MeshwardError('config-invalid', `nothing can be served at ${host}`, {
          next: 'Set agent.host to an address of this machine.',
          cause: error,
        }),
      );
    });
    probe.listen({ host, port: 0, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
