/** The end of connections on which there is no request to answer: no TLS, no HTTP, or too slow. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { answerOf, Refusal } from './answers.ts';

const statusOfError: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers where an answer can be read, repeating nothing of what was sent, and closes in any case. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || !isEstablished(socket)) {
    socket.destroy();
    return;
  }
  const { body } = answerOf(
    new Refusal(400, 'bad-input', 'this is not a request that the collector can read', {
      next: 'Speak HTTP/1.1 over TLS, and send requests without pauses.',
    }),
  );
  const text = JSON.stringify(body);
  const status = statusOfError[error.code ?? ''] ?? '400 Bad Request';
  socket.write(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
  socket.destroySoon();
}

/** What is written before the handshake has ended waits for its end: for ever, where the other side holds it up. */
function isEstablished(socket: Socket): boolean {
  return !(socket instanceof TLSSocket) || socket.getPeerFinished() !== undefined;
}
