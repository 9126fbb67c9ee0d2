import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImproperResponse, ResponseParser } from './response-parser.ts';

interface Seen {
  status: number;
  headers: Record<string, unknown>;
  body: string;
  /** Undefined while it goes on. */
  canGoOn?: boolean;
}

/** @param cuts where the text is cut into what comes at a time. */
function parsed(text: string, cuts: readonly number[] = []): Seen[] {
  const seen: Seen[] = [];
  const parser = new ResponseParser();
  const expectNext = (): void => {
    const one: Seen = { status: 0, headers: {}, body: '' };
    parser.expect({
      onHead: (status, headers) => Object.assign(one, { status, headers: { ...headers } }),
      onBody: (bytes) => {
        one.body += Buffer.from(bytes).toString('latin1');
      },
      onEnd: (canGoOn) => {
        one.canGoOn = canGoOn;
        seen.push(one);
        expectNext();
      },
    });
  };
  expectNext();
  const bytes = Buffer.from(text, 'latin1');
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) parser.push(bytes.subarray(places[i - 1], places[i]));
  parser.close();
  return seen;
}

const several = [
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 PARTIAL CONTENT\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 201\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
].join('');

describe('responses', () => {
  it('of every kind are read, wherever the connection cuts them', () => {
    const whole = parsed(several);
    expect(whole.map(({ status, body, canGoOn }) => [status, body, canGoOn])).toEqual([
      [206, 'hello', true],
      [200, 'abc0123456789', true],
      [204, '', true],
      [201, '', true],
      [200, 'until the end', false],
    ]);
    expect(whole[0]?.headers['x-a']).toEqual(['1', '2']);
    fc.assert(
      fc.property(fc.array(fc.nat(several.length), { maxLength: 40 }), (cuts) => {
        expect(parsed(several, cuts)).toEqual(whole);
      }),
    );
    const everyByte = Array.from(several, (_, at) => at);
    expect(parsed(several, everyByte)).toEqual(whole);
  });

  it('of HTTP/1.0 end their connection', () => {
    expect(parsed('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx')).toMatchObject([{ body: 'x', canGoOn: false }]);
  });

  it('that are cut off do not end', () => {
    for (let length = 0; length < 60; length++)
      expect(parsed('HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nabcdefghijklmnopqrstuvw'.slice(0, length))).toEqual(
        [],
      );
  });
});

describe('what is no proper response', () => {
  it.each([
    ['no HTTP', 'rubbish\r\n\r\n'],
    ['another version', 'HTTP/2 200 OK\r\n\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    ],
    ['another coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'],
    ['a chunk that goes on', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'x-pad: 1234567890\r\n'.repeat(500)}`],
    [
      'trailers without end',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'x-pad: 12345\r\n'.repeat(900)}`,
    ],
  ])('%s is refused', (_name, text) => {
    expect(() => parsed(text)).toThrow(ImproperResponse);
    expect(() =>
      parsed(
        text,
        Array.from(text, (_, at) => at),
      ),
    ).toThrow(ImproperResponse);
  });

  it('an answer that nobody asked for is refused', () => {
    expect(() => new ResponseParser().push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow(ImproperResponse);
  });
});
