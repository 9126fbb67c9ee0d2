import { describe, expect, it } from 'vitest';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { fullConfidence } from '#native/share-map.ts';
import { PeerTable } from './peer-table.ts';

const peer = peerIdFromBytes(new Uint8Array(32).fill(7));

describe('confidence in a peer', () => {
  it('is full until somebody says otherwise, and stays over changes of state and domains', () => {
    const table = new PeerTable();
    expect(table.row(table.numberOf(peer)).confidence).toBe(fullConfidence);
    table.setConfidence(peer, 250);
    table.setState(peer, 'up');
    table.setDomains(peer, { region: 'north' });
    expect(table.row(table.numberOf(peer))).toMatchObject({ confidence: 250, state: 'up' });
  });

  it('is a new revision of the table only where it changes', () => {
    const table = new PeerTable();
    const before = table.revision;
    expect(table.setConfidence(peer, fullConfidence)).toBe(false);
    expect(table.revision).toBe(before);
    expect(table.setConfidence(peer, 0)).toBe(true);
    expect(table.revision).toBe(before + 1);
  });

  it.each([-1, 1001, 0.5, Number.NaN])('is a whole number of thousandths: %s is refused', (confidence) => {
    expect(() => new PeerTable().setConfidence(peer, confidence)).toThrow(RangeError);
  });
});
