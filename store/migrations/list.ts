import { shareMap } from './0001-share-map.ts';
import { health } from './0002-health.ts';
import { peers } from './0003-peers.ts';
import { audit } from './0004-audit.ts';
import { figures } from './0005-figures.ts';
import { comments } from './0006-comments.ts';
import { campaignRecords } from './0007-campaigns.ts';
import { ownersOrder } from './0008-owners-order.ts';
import type { Migration } from './migration.ts';

/** In the order of their versions, 1, 2, 3, … without a gap. */
export const migrations: readonly Migration[] = [
  shareMap,
  health,
  peers,
  audit,
  figures,
  comments,
  campaignRecords,
  ownersOrder,
];
