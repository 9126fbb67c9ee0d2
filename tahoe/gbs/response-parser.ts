/**
 * Responses of HTTP/1.1 as they come off a connection, piece by piece, without keeping any of the bytes: what a peer's server sends to
 * a client that asks with GET, POST, PUT and PATCH. Whatever else comes is refused.
 */

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What came is not proper HTTP, or more of it than is taken. */
export class ImproperResponse extends Error {}

export interface ResponseEvents {
  /** The final response's head; not those of the hundreds. */
  onHead(status: number, headers: ResponseHeaders): void;
  /** A view of what was pushed: good until the call returns. */
  onBody(bytes: Uint8Array): void;
  /** @param canGoOn whether another request may follow on the connection. */
  onEnd(canGoOn: boolean): void;
}

const headMaxBytes = 8 * 1024;
const lineMaxBytes = 1024;

type Part = 'head' | 'length' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close';

/** For the responses of one connection. Between two of them nothing may come. */
export class ResponseParser {
  #events: ResponseEvents | undefined;
  #part: Part = 'head';
  /** Of a head or a line, what came of it so far. */
  #text = '';
  #leftBytes = 0;
  #trailerBytes = 0;
  #canGoOn = true;

  /** A request is sent now: the next response is for these. */
  expect(events: ResponseEvents): void {
    this.#events = events;
  }

  /** @throws ImproperResponse, and what the events throw: then nothing of the connection is of use any more. */
  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#events === undefined) throw new ImproperResponse('it answers what was not asked');
      at = this.#take(bytes, at);
    }
  }

  /** No more will come. @returns whether that ended a response which had no other end. */
  close(): boolean {
    if (this.#part !== 'until-close') return false;
    this.#end(false);
    return true;
  }

  #take(bytes: Buffer, at: number): number {
    switch (this.#part) {
      case 'head':
        return this.#takeText(bytes, at, '\r\n\r\n', headMaxBytes, (head) => this.#takeHead(head));
      case 'chunk-size':
        return this.#takeText(bytes, at, '\r\n', lineMaxBytes, (line) => this.#takeChunkSize(line));
      case 'trailers':
        return this.#takeText(bytes, at, '\r\n', lineMaxBytes, (line) => this.#takeTrailer(line));
      case 'chunk-end':
        return this.#takeText(bytes, at, '\r\n', 2, (line) => {
          if (line !== '') throw new ImproperResponse('a chunk is longer than it said');
          this.#part = 'chunk-size';
        });
      case 'until-close':
        this.#events?.onBody(bytes.subarray(at));
        return bytes.length;
      case 'length':
      case 'chunk': {
        const end = Math.min(bytes.length, at + this.#leftBytes);
        this.#leftBytes -= end - at;
        this.#events?.onBody(bytes.subarray(at, end));
        if (this.#leftBytes === 0) {
          if (this.#part === 'chunk') this.#part = 'chunk-end';
          else this.#end(this.#canGoOn);
        }
        return end;
      }
    }
  }

  /** Up to and with `mark`, which may have begun in what came before. */
  #takeText(bytes: Buffer, at: number, mark: string, maxBytes: number, take: (text: string) => void): number {
    const before = this.#text.length;
    const text =
      this.#text + bytes.toString('latin1', at, Math.min(bytes.length, at + maxBytes + mark.length - before));
    const markAt = text.indexOf(mark, Math.max(0, before - mark.length + 1));
    if (markAt < 0) {
      if (text.length >= maxBytes + mark.length) throw new ImproperResponse('a head or a line without end');
      this.#text = text;
      return bytes.length;
    }
    this.#text = '';
    take(text.slice(0, markAt));
    return at + markAt + mark.length - before;
  }

  #takeHead(head: string): void {
    const [statusLine = '', ...lines] = head.split('\r\n');
    const match = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\r\n]*)?$/.exec(statusLine);
    if (match === null) throw new ImproperResponse('no status line of HTTP/1.1');
    const status = Number(match[2]);
    if (status === 101) throw new ImproperResponse('it speaks another protocol');
    if (status < 200) return;
    const headers = headersOf(lines);
    const { connection, 'transfer-encoding': coding, 'content-length': length } = headers;
    this.#canGoOn = match[1] === '1' && !/\bclose\b/i.test(String(connection ?? ''));
    this.#part = 'until-close';
    this.#leftBytes = 0;
    if (coding !== undefined) {
      if (String(coding).toLowerCase() !== 'chunked' || length !== undefined)
        throw new ImproperResponse('a coding of the body that is not understood');
      this.#part = 'chunk-size';
    } else if (status === 204 || status === 304) {
      this.#part = 'length';
    } else if (length !== undefined) {
      if (typeof length !== 'string' || !/^\d{1,15}$/.test(length)) throw new ImproperResponse('a length that is none');
      this.#part = 'length';
      this.#leftBytes = Number(length);
    }
    this.#events?.onHead(status, headers);
    if (this.#part === 'length' && this.#leftBytes === 0) this.#end(this.#canGoOn);
  }

  #takeChunkSize(line: string): void {
    const match = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(line);
    if (match === null) throw new ImproperResponse('a chunk without a size');
    this.#leftBytes = Number.parseInt(match[1] as string, 16);
    this.#trailerBytes = 0;
    this.#part = this.#leftBytes === 0 ? 'trailers' : 'chunk';
  }

  #takeTrailer(line: string): void {
    if (line === '') return this.#end(this.#canGoOn);
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > headMaxBytes) throw new ImproperResponse('trailers without end');
  }

  #end(canGoOn: boolean): void {
    const events = this.#events;
    this.#events = undefined;
    this.#part = 'head';
    events?.onEnd(canGoOn);
  }
}

/** Names in small letters; a name that comes more than once has all of its values. */
function headersOf(lines: readonly string[]): ResponseHeaders {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*)$/.exec(line);
    if (match === null) throw new ImproperResponse('a header that is none');
    const name = (match[1] as string).toLowerCase();
    const value = (match[2] as string).trimEnd();
    const known = headers[name];
    headers[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  return headers;
}
