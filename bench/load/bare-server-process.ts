/** What Node does by itself: mutual TLS with nothing behind it (`tls`), and with an HTTP server that reads a body and answers (`https`). */
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer, type Server } from 'node:tls';
import { answerParent } from './child.ts';
import { newIdentity } from './identities.ts';

const answerText = '{"accepted":1}';
const answerBytes = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answerText.length}\r\n\r\n${answerText}`,
);
let server: Server | null = null;

answerParent({
  async start(kind: 'tls' | 'https'): Promise<{ port: number }> {
    const { key, cert } = await newIdentity();
    const options = {
      key,
      cert,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3' as const,
    };
    const made: Server =
      kind === 'tls'
        ? createTlsServer(options, (socket) => {
            socket.on('error', () => undefined);
            socket.once('data', () => socket.write(answerBytes));
          })
        : createHttpsServer(options, (request, response) => {
            request.resume().once('end', () => response.end(answerText));
          });
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return { port: (made.address() as AddressInfo).port };
  },
  end: () => server?.close(),
});
