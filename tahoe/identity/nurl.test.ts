import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Nurl, parseNurl, randomSwissnum } from './nurl.ts';
import { createPeerKey } from './peer-key.ts';

const { peerId } = createPeerKey();
const swissnum = 'wnmnddcikb6xdffdtyckcq2yhdl3yrxh';

describe('a NURL', () => {
  it.each(['127.0.0.1', 'storage-1.example.net', '2001:db8::7'])('comes back from its text with host %s', (host) => {
    const nurl = new Nurl(peerId, host, 34567, swissnum);
    const parsed = parseNurl(nurl.revealText());
    expect({ peerId: parsed.peerId, host: parsed.host, port: parsed.port, swissnum: parsed.revealSwissnum() }).toEqual({
      peerId,
      host,
      port: 34567,
      swissnum,
    });
  });

  it('shows its swissnum in no way of printing it', () => {
    const nurl = new Nurl(peerId, '127.0.0.1', 34567, swissnum);
    const prints = [
      String(nurl),
      JSON.stringify({ nurl }),
      inspect(nurl, { showHidden: true }),
      JSON.stringify(Object.entries(nurl)),
    ];
    for (const print of prints) expect(print).not.toContain(swissnum);
    expect(String(nurl)).toBe(`pb://${peerId}@127.0.0.1:34567/[redacted]#v=1`);
  });

  it.each([
    'https://example.net/',
    `pb://${peerId}@127.0.0.1:34567/${swissnum}`,
    `pb://${peerId}@127.0.0.1:0/${swissnum}#v=1`,
    `pb://${peerId}@127.0.0.1:65536/${swissnum}#v=1`,
    `pb://${peerId.slice(1)}@127.0.0.1:34567/${swissnum}#v=1`,
    `pb://${peerId}@127.0.0.1:34567/#v=1`,
    `pb://${peerId}@127.0.0.1:34567/${swissnum}/more#v=1`,
    `pb://${peerId}@evil host:34567/${swissnum}#v=1`,
    `pb://${peerId}@127.0.0.1:34567/${swissnum}%0d%0a#v=1`,
  ])('is refused without repeating a secret: %s', (text) => {
    expect(() => parseNurl(text)).toThrow(expect.objectContaining({ code: 'bad-input' }));
    try {
      parseNurl(text);
    } catch (error) {
      expect(inspect(error)).not.toContain(swissnum);
    }
  });

  it('has a swissnum of 160 random bits', () => {
    const swissnums = new Set(Array.from({ length: 50 }, randomSwissnum));
    expect(swissnums.size).toBe(50);
    for (const each of swissnums) expect(each).toMatch(/^[a-z2-7]{32}$/);
  });
});
