import { describe, expect, it } from 'vitest';
import { leaseBytes, parseContainer, writeContainerHeader } from './container.ts';

describe('the immutable container', () => {
  it('tells the share data from the end of the file, whatever the length field says', () => {
    expect(parseContainer(writeContainerHeader(2, 1000, 3), 12 + 1000 + 3 * leaseBytes)).toEqual({
      version: 2,
      leaseCount: 3,
      dataOffset: 12,
      dataBytes: 1000,
    });
    expect(parseContainer(writeContainerHeader(2, 5), 12 + 1000).dataBytes).toBe(1000);
    expect(writeContainerHeader(2, 2 ** 33).subarray(4, 8)).toEqual(Uint8Array.of(255, 255, 255, 255));
  });

  it('is not seen in foreign, mutable or cut-off files, and each is told as what it is', () => {
    const codeOf = (head: Uint8Array, fileBytes: number): string => {
      try {
        parseContainer(head, fileBytes);
        return 'good';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(codeOf(new Uint8Array(12), 100)).toBe('share-malformed');
    expect(codeOf(Buffer.from('Tahoe mutable container v1'), 500)).toBe('share-foreign');
    expect(codeOf(writeContainerHeader(2, 0, 2), 12 + leaseBytes)).toBe('share-malformed');
    expect(codeOf(new Uint8Array(5), 5)).toBe('share-truncated');
  });
});
