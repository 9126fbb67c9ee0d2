/** A stream that remembers what was written to it, and says that it is a terminal or not. */
import { Writable } from 'node:stream';

export interface FakeTerminal {
  readonly stream: NodeJS.WriteStream;
  readonly written: () => string;
}

export function fakeTerminal(facts: { isTTY: boolean; columns?: number; rows?: number }): FakeTerminal {
  let written = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written += String(chunk);
      done();
    },
  });
  // What cli-progress asks of a terminal through readline.
  Object.assign(stream, facts, { getWindowSize: () => [facts.columns ?? 80, facts.rows ?? 24] });
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => written };
}
