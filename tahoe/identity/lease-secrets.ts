/**
 * Lease secrets as a Tahoe client makes them from its one client secret (FORMAT section 11), so that the same client renews its
 * leases instead of adding new ones, and no server learns the secrets that another one holds.
 */
import { createHash } from 'node:crypto';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';

/** 32 bytes each. */
export interface LeaseSecrets {
  readonly renewSecret: Uint8Array;
  readonly cancelSecret: Uint8Array;
}

/**
 * @param clientSecret 32 bytes.
 * @param serverSeed 20 bytes: the tub id of a Tahoe server (base32 part of its FURL), or `leaseSeedOfPeer`.
 */
export function leaseSecretsFor(
  clientSecret: Uint8Array,
  storageIndex: StorageIndex,
  serverSeed: Uint8Array,
): LeaseSecrets {
  if (clientSecret.length !== 32) throw new RangeError('a client secret has 32 bytes');
  if (serverSeed.length !== 20) throw new RangeError('a lease seed has 20 bytes');
  return {
    renewSecret: derive('renewal', clientSecret, storageIndex, serverSeed),
    cancelSecret: derive('cancel', clientSecret, storageIndex, serverSeed),
  };
}

/** A lease seed for a peer that has no tub id: the first 20 bytes of its id. */
export function leaseSeedOfPeer(peer: PeerId): Uint8Array {
  return peerIdToBytes(peer).subarray(0, 20);
}

function derive(
  kind: 'renewal' | 'cancel',
  clientSecret: Uint8Array,
  index: StorageIndex,
  seed: Uint8Array,
): Uint8Array {
  // Tahoe has tag and value of the first step the other way round; it is part of the format by now.
  const client = hashTwice(netstring(clientSecret), ascii(`allmydata_client_${kind}_secret_v1`));
  const file = hashTwice(
    netstring(ascii(`allmydata_file_${kind}_secret_v1`)),
    netstring(client),
    netstring(storageIndexToBytes(index)),
  );
  return hashTwice(netstring(ascii(`allmydata_bucket_${kind}_secret_v1`)), netstring(file), netstring(seed));
}

function hashTwice(...parts: Uint8Array[]): Uint8Array {
  const once = createHash('sha256');
  for (const part of parts) once.update(part);
  return new Uint8Array(createHash('sha256').update(once.digest()).digest());
}

function netstring(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(',')]);
}

function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'ascii');
}
