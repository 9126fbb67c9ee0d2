/** A campaign's selection as conditions on `file_health`, and what its files are to get. Values are written into the statement: they may be many. */
import { type CampaignDefinition, effectiveSelection, type Selection } from '#mesh/campaigns/definition.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexToBytes } from '#mesh/storage-index.ts';
import type { Store } from '../client.ts';

/** A statement that names ten thousand files is longer than what servers take unasked. */
export const longStatement = { max_query_size: '16777216' } as const;

/** Conditions that all must hold. `partition` narrows what is gone through for them. */
export function selectionSql(store: Store, selection: Selection, nowMs: number, partition?: number): string[] {
  const own = partition === undefined ? '' : ` AND partition = ${Math.trunc(partition)}`;
  const among = (table: string, where: string, final = ' FINAL'): string =>
    `(partition, storage_index) GLOBAL IN (SELECT partition, storage_index FROM ${store.qualified(table)}${final} WHERE ${where}${own})`;
  const since = (ageMs: number): string => `fromUnixTimestamp64Milli(${Math.trunc(nowMs - ageMs)}, 'UTC')`;
  const { grades, marginFrom, marginTo, policies, tags, peers, domains, ninesBelow, files } = selection;
  const holds = (which: string): string => among('placements', `state = 'stored' AND ${which}`);
  return [
    'NOT deleted',
    ...(partition === undefined ? [] : [`partition = ${Math.trunc(partition)}`]),
    ...(grades === undefined ? [] : [`grade IN (${grades.map(quoted).join(', ')})`]),
    ...(marginFrom === undefined ? [] : [`margin >= ${Math.trunc(marginFrom)}`]),
    ...(marginTo === undefined ? [] : [`margin <= ${Math.trunc(marginTo)}`]),
    ...(policies === undefined ? [] : [`policy IN (${policies.map(quoted).join(', ')})`]),
    ...(tags === undefined ? [] : [among('files', `NOT deleted AND tag IN (${tags.map(quoted).join(', ')})`)]),
    ...(peers === undefined ? [] : [holds(`peer_id IN (${peers.map((peer) => peerSql(peer as PeerId)).join(', ')})`)]),
    ...(domains === undefined
      ? []
      : [
          holds(
            `peer_id GLOBAL IN (SELECT peer_id FROM ${store.qualified('peers')} FINAL WHERE ${domains
              .map(({ kind, value }) => `domains[${quoted(kind)}] = ${quoted(value)}`)
              .join(' OR ')})`,
          ),
        ]),
    ...(ninesBelow === undefined ? [] : [`(log10_loss IS NULL OR -log10_loss < ${ninesBelow})`]),
    ...(selection.unverifiedForMs === undefined
      ? []
      : [
          `NOT ${among('campaign_files', `outcome IN ('verified', 'corrupt') AND at >= ${since(selection.unverifiedForMs)}`)}`,
        ]),
    ...(selection.unprovenForMs === undefined
      ? []
      : [
          `storage_index GLOBAL NOT IN (SELECT storage_index FROM ${store.qualified('proofs')} WHERE outcome = 'proven' AND at >= ${since(selection.unprovenForMs)})`,
        ]),
    ...(files === undefined ? [] : [namedFiles(files as readonly string[] as readonly StorageIndex[])]),
  ];
}

/** One literal for all of them: a statement of ten thousand literals takes seconds to parse. */
function namedFiles(files: readonly StorageIndex[]): string {
  const hex = Buffer.concat(files.map((file) => storageIndexToBytes(file))).toString('hex');
  return `storage_index IN (SELECT toFixedString(unhex(substring('${hex}', 1 + 32 * number, 32)), 16) FROM numbers(${files.length}))`;
}

export interface TargetOfPolicy {
  readonly policy: string;
  readonly k: number;
  readonly n: number;
  /** Shares that a file of it shall have. */
  readonly upTo: number;
  readonly maxSharesPerDomain: number;
}

export interface RestoreContext {
  readonly definition: CampaignDefinition;
  readonly nowMs: number;
  readonly targets: readonly TargetOfPolicy[];
  /** Peers whose shares do not count as things stand: down, departed, draining. */
  readonly uncounted: readonly PeerId[];
}

/** Bytes of one share, as the share format lays it out. */
const shareBytesSql =
  'toUInt64(36 + ceil(size_bytes / k) + 96 * (2 * exp2(ceil(log2(greatest(1, ceil(size_bytes / 1048576))))) - 1) + 34 * (ceil(log2(n)) + 1) + 340)';

/** The selected files with `restore`, the shares that each is to get, and `share_bytes`. */
export function selectedSql(store: Store, context: RestoreContext): string {
  const { definition, nowMs, targets } = context;
  const conditions = selectionSql(store, effectiveSelection(definition), nowMs);
  const columns =
    'partition, storage_index, policy, k, n, size_bytes, available, counted, margin, distinct_peers, log10_loss';
  const health = `SELECT ${columns} FROM ${store.qualified('file_health')} FINAL WHERE ${conditions.join(' AND ')}`;
  const sized = (restore: string, from: string): string =>
    `SELECT *, ${restore} AS restore, ${shareBytesSql} AS share_bytes FROM (${from})`;
  switch (definition.kind) {
    case 'verify':
      return sized('toInt64(0)', health);
    case 'repair':
      return sized(`greatest(0, toInt64(least(${byPolicy(targets, 'upTo', 'n')}, n)) - toInt64(counted))`, health);
    case 'drain':
    case 'replace':
    case 'rebalance': {
      const moves =
        definition.kind === 'rebalance' ? crowdedSql(store, context, health) : leavingSql(store, context, health);
      return sized(
        'toInt64(moved)',
        `SELECT * FROM (${health}) AS health GLOBAL ANY LEFT JOIN (${moves}) AS moves USING (partition, storage_index)`,
      );
    }
  }
}

/** By file: the share numbers that only peers which are left hold. */
function leavingSql(store: Store, { definition, uncounted }: RestoreContext, health: string): string {
  const leaving = peerSet(definition.leave as readonly string[] as readonly PeerId[]);
  const others = peerSet([...uncounted, ...(definition.leave as readonly string[] as readonly PeerId[])]);
  return (
    'SELECT partition, storage_index, length(arrayFilter(number -> NOT has(elsewhere, number), leaving)) AS moved FROM (\n' +
    `  SELECT partition, storage_index, groupUniqArrayIf(share_number, peer_id IN (${leaving})) AS leaving,\n` +
    `    groupUniqArrayIf(share_number, peer_id NOT IN (${others})) AS elsewhere\n` +
    `  FROM ${store.qualified('placements')} FINAL WHERE state = 'stored'\n` +
    `    AND (partition, storage_index) GLOBAL IN (SELECT partition, storage_index FROM (${health}))\n` +
    '  GROUP BY partition, storage_index)'
  );
}

/** By file: the share numbers that one domain alone holds, beyond what a domain shall hold at most. */
function crowdedSql(store: Store, { definition, targets, uncounted }: RestoreContext, health: string): string {
  const kind = quoted(definition.domainKind ?? '');
  return (
    'SELECT partition, storage_index, sum(greatest(0, toInt64(alone) - toInt64(most))) AS moved FROM (\n' +
    '  SELECT partition, storage_index, domain[1] AS only, count() AS alone, any(most) AS most FROM (\n' +
    '    SELECT placed.partition AS partition, placed.storage_index AS storage_index, share_number, any(most) AS most,\n' +
    '      groupUniqArray(domain_of.domain) AS domain\n' +
    `    FROM (SELECT partition, storage_index, share_number, peer_id FROM ${store.qualified('placements')} FINAL WHERE state = 'stored'\n` +
    `      AND peer_id NOT IN (${peerSet(uncounted)})) AS placed\n` +
    `    GLOBAL INNER JOIN (SELECT peer_id, domains[${kind}] AS domain FROM ${store.qualified('peers')} FINAL WHERE domain != '') AS domain_of\n` +
    '      ON domain_of.peer_id = placed.peer_id\n' +
    `    GLOBAL INNER JOIN (SELECT partition, storage_index, ${byPolicy(targets, 'maxSharesPerDomain', 'n')} AS most FROM (${health})) AS wanted\n` +
    '      ON wanted.storage_index = placed.storage_index AND wanted.partition = placed.partition\n' +
    '    GROUP BY partition, storage_index, share_number\n' +
    '  ) WHERE length(domain) = 1 GROUP BY partition, storage_index, only\n' +
    ') GROUP BY partition, storage_index'
  );
}

function byPolicy(targets: readonly TargetOfPolicy[], what: 'upTo' | 'maxSharesPerDomain', otherwise: string): string {
  if (targets.length === 0) return otherwise;
  const cases = targets.map(
    (target) =>
      `policy = ${quoted(target.policy)} AND k = ${target.k} AND n = ${target.n}, ${Math.trunc(target[what])}`,
  );
  return `multiIf(${cases.join(', ')}, toUInt16(${otherwise}))`;
}

function peerSet(peers: readonly PeerId[]): string {
  return peers.length === 0 ? "''" : peers.map(peerSql).join(', ');
}

function peerSql(peer: PeerId): string {
  return `toFixedString(unhex('${Buffer.from(peerIdToBytes(peer)).toString('hex')}'), 32)`;
}

export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
