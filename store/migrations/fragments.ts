/** Pieces of DDL that several migrations share. Applied migrations are made of them: add a new piece, never change one. */

/** A column with the storage index as people write it: Tahoe base32, 26 characters. */
export const storageIndexText =
  "storage_index_text String ALIAS lower(trim(TRAILING '=' FROM base32Encode(storage_index)))";

/** A column with the peer id as people write it: base64url, 43 characters. */
export const peerIdText = 'peer_id_text String ALIAS base64URLEncode(peer_id)';

export const placementStateType = "Enum8('stored' = 1, 'lost' = 2, 'corrupt' = 3)";
export const gradeType = "Enum8('lost' = 1, 'critical' = 2, 'at-risk' = 3, 'degraded' = 4, 'healthy' = 5)";
export const peerStateType =
  "Enum8('up' = 1, 'suspect' = 2, 'down' = 3, 'departed' = 4, 'draining' = 5, 'maintenance' = 6)";

export const timeType = "DateTime64(3, 'UTC')";
export const timeCodec = 'CODEC(Delta, ZSTD)';

/**
 * Rows that say "gone" are dropped only by a merge of a whole partition into one part, when nothing older can be left:
 * a plain TTL could drop the tombstone first and bring an old row back.
 */
export const tombstoneSettings = {
  min_age_to_force_merge_seconds: 86_400,
  min_age_to_force_merge_on_partition_only: 1,
  enable_replacing_merge_with_cleanup_for_min_age_to_force_merge: 1,
  allow_experimental_replacing_merge_with_cleanup: 1,
} as const;
