import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as message from './message.ts';

const shareNumbers = fc.uniqueArray(fc.nat(255), { maxLength: 256 });
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('GBS messages', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(shareNumbers, shareNumbers, fc.nat(), (some, others, allocatedBytes) => {
        expect(message.decodeShareNumbers(message.encodeShareNumbers(some))).toEqual(new Set(some));
        const request = { shareNumbers: new Set(some), allocatedBytes };
        expect(message.decodeAllocateRequest(message.encodeAllocateRequest(request))).toEqual(request);
        const reply = { alreadyHave: new Set(some), allocated: new Set(others) };
        expect(message.decodeAllocateReply(message.encodeAllocateReply(reply))).toEqual(reply);
      }),
    );
    const version = { applicationVersion: 'meshward/0.1', maximumShareBytes: 2 ** 40, availableBytes: 12 };
    expect(message.decodeVersion(message.encodeVersion(version))).toEqual(version);
    expect(message.decodeRequired(message.encodeRequired([{ begin: 3, end: 9 }]))).toEqual([{ begin: 3, end: 9 }]);
    expect(message.decodeReason(message.encodeReason('bad block 3'))).toBe('bad block 3');
    expect(message.decodeRefusal(message.encodeRefusal('fenced'))).toBe('fenced');
  });

  it('write sets as tag 258 and the keys of the version as byte strings', () => {
    expect(Buffer.from(message.encodeShareNumbers([3])).toString('hex')).toBe('d901028103');
    const version = message.encodeVersion({ applicationVersion: 'x', maximumShareBytes: 1, availableBytes: 1 });
    expect(Buffer.from(version).includes(Buffer.concat([Buffer.from([0x4f]), Buffer.from('available-space')]))).toBe(
      true,
    );
  });

  it.each([
    ['nothing', ''],
    ['no set', '8103'],
    ['a set of a text', 'd90102 6161'],
    ['a share number of 256', 'd90102 81 190100'],
    ['a negative share number', 'd90102 81 20'],
    ['a fraction', 'd90102 81 f93e00'],
    ['a length without content', 'd90102 9b ffffffffffffffff'],
    ['an unknown tag', 'd90103 8103'],
    ['more after the end', 'd90102 8103 00'],
  ])('refuse %s', (_name, bytes) => {
    expect(() => message.decodeShareNumbers(hex(bytes))).toThrow(message.MalformedMessage);
  });

  it('survive nesting, random bytes and too many bytes', () => {
    expect(() => message.decodeShareNumbers(new Uint8Array(60_000).fill(0x81))).toThrow(message.MalformedMessage);
    expect(() => message.decodeShareNumbers(new Uint8Array(message.messageMaxBytes + 1))).toThrow(
      message.MalformedMessage,
    );
    const decoders = [
      message.decodeVersion,
      message.decodeShareNumbers,
      message.decodeAllocateRequest,
      message.decodeRequired,
      message.decodeReason,
    ];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const decode of decoders) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(message.MalformedMessage);
          }
        }
        message.decodeRefusal(bytes);
      }),
    );
  });
});
