/** What a campaign would do and cost: a function of what the store and the peers say. Times are ms, sizes bytes. */
import { z } from 'zod';

const whole = z.number().int().min(0);

const planPeer = z.strictObject({
  peerId: z.string(),
  name: z.string(),
  bytesRead: whole,
  bytesWritten: whole,
  freeBytes: whole,
  /** It would take more than it has room for; what it cannot take goes to others. */
  fills: z.boolean(),
});

export const planSchema = z.strictObject({
  atMs: whole,
  /** Files that are selected. */
  files: whole,
  filesToRepair: whole,
  sharesToWrite: whole,
  sharesToRead: whole,
  bytesRead: whole,
  bytesWritten: whole,
  /** Those that move most, most first. */
  peers: z.array(planPeer),
  domains: z.array(z.strictObject({ kind: z.string(), value: z.string(), bytesRead: whole, bytesWritten: whole })),
  /** How long it takes at the fastest and at the slowest; null where nothing is known of this mesh's speed. */
  duration: z.strictObject({ leastMs: whole, mostMs: whole, basis: z.string() }).nullable(),
  cost: z.strictObject({ currency: z.string(), read: z.number(), write: z.number(), keepMonthly: z.number() }),
  marginsBefore: z.array(z.tuple([z.number().int(), whole])),
  marginsAfter: z.array(z.tuple([z.number().int(), whole])),
  /** Mean over the files that are repaired, of log10 of the probability of loss. */
  ninesGained: z.number(),
  /** Selected files that would still be below what they shall have, and why. */
  stillAtRisk: z.array(z.strictObject({ reason: z.string(), files: whole })),
});
export type CampaignPlan = z.infer<typeof planSchema>;

/** Files that are alike in what a plan needs to know of them. */
export interface FileGroup {
  readonly k: number;
  readonly n: number;
  readonly available: number;
  readonly margin: number;
  /** Shares that each of the files is to get. */
  readonly restore: number;
  /** Of those, summed over the files: no peer is left that could take them. */
  readonly unplaceable: number;
  readonly files: number;
  /** Of one share, summed over the files. */
  readonly shareBytes: number;
}

export interface PlanPeer {
  readonly peerId: string;
  readonly name: string;
  readonly domains: Readonly<Record<string, string>>;
  readonly freeBytes: number;
  readonly isWritable: boolean;
}

/** What one peer holds of the selected files that are repaired. */
export interface HeldByPeer {
  readonly peerId: string;
  /** Expected bytes read from it, where every holder of a file is as likely a source as any other. */
  readonly bytesRead: number;
  /** Bytes that it would take as a target like any other, and does not, since it holds a share of the file. */
  readonly bytesSpared: number;
}

export interface PlanInput {
  readonly atMs: number;
  readonly groups: readonly FileGroup[];
  readonly held: readonly HeldByPeer[];
  readonly peers: readonly PlanPeer[];
  /** Bytes that each writable peer would take if it held no share of any of the files. */
  readonly bytesToEachTarget: number;
  /** Shares that go to one peer and no other; null where any may take them. */
  readonly onto: string | null;
  /** Every share is read, and none written. */
  readonly isVerify: boolean;
  /** Shares only move: a file has as many afterwards as before. */
  readonly keepsMargin: boolean;
  /** Each share is copied from the peer that has it, and not made anew from k of them. */
  readonly isCopy: boolean;
  /** At the slowest and the fastest, bytes read and written a second; null where nothing was measured. */
  readonly speed: PlanSpeed | null;
  readonly prices: PlanPrices;
  readonly log10Loss: (shares: number, k: number) => number;
}

export interface PlanSpeed {
  readonly slowBytesPerSecond: number;
  readonly fastBytesPerSecond: number;
  readonly basis: string;
}

export interface PlanPrices {
  readonly currency: string;
  readonly readPerGB: number;
  readonly writePerGB: number;
  readonly keepPerGBMonth: number;
}

/** Peers that a plan names: it travels whole in one record. */
export const maxPlanPeers = 200;
const maxPlanDomains = 200;

export function makePlan(input: PlanInput): CampaignPlan {
  const { groups, isVerify, prices, atMs } = input;
  const sum = (of: (group: FileGroup) => number): number => Math.round(groups.reduce((all, one) => all + of(one), 0));
  const placed = (group: FileGroup): number => {
    if (group.available < group.k) return 0;
    return group.restore * group.files - Math.min(group.unplaceable, group.restore * group.files);
  };
  const shareSize = (group: FileGroup): number => (group.files === 0 ? 0 : group.shareBytes / group.files);
  const isRepaired = (group: FileGroup): boolean => placed(group) > 0;
  /** Shares read of each file. */
  const readsOf = (group: FileGroup): number => {
    if (!isRepaired(group)) return 0;
    return input.isCopy ? placed(group) / group.files : group.k;
  };
  const bytesWritten = sum((group) => placed(group) * shareSize(group));
  const bytesRead = sum((group) => (isVerify ? group.available * group.shareBytes : readsOf(group) * group.shareBytes));
  const peers = peerFigures(input, bytesRead, bytesWritten);
  const repaired = groups.filter(isRepaired);
  const repairedFiles = repaired.reduce((all, { files }) => all + files, 0);
  const after = (group: FileGroup): number =>
    input.keepsMargin
      ? group.available
      : Math.min(group.n, group.available + Math.floor(placed(group) / Math.max(1, group.files)));
  const nines = repaired.reduce(
    (all, group) =>
      all + group.files * (input.log10Loss(group.available, group.k) - input.log10Loss(after(group), group.k)),
    0,
  );
  return {
    atMs,
    files: sum(({ files }) => files),
    filesToRepair: isVerify ? 0 : repairedFiles,
    sharesToWrite: sum(placed),
    sharesToRead: sum((group) => (isVerify ? group.available * group.files : readsOf(group) * group.files)),
    bytesRead,
    bytesWritten,
    peers: peers.toSorted((a, b) => b.bytesRead + b.bytesWritten - a.bytesRead - a.bytesWritten).slice(0, maxPlanPeers),
    domains: domainFigures(peers, input.peers),
    duration: durationOf(bytesRead + bytesWritten, input.speed),
    cost: {
      currency: prices.currency,
      read: (bytesRead / 1e9) * prices.readPerGB,
      write: (bytesWritten / 1e9) * prices.writePerGB,
      keepMonthly: (bytesWritten / 1e9) * prices.keepPerGBMonth,
    },
    marginsBefore: margins(groups, ({ margin }) => margin),
    marginsAfter: margins(groups, (group) => after(group) - group.k),
    ninesGained: repairedFiles === 0 ? 0 : Math.round((nines / repairedFiles) * 100) / 100,
    stillAtRisk: stillAtRisk(input, peers, bytesWritten),
  };
}

type PeerFigures = CampaignPlan['peers'][number];

function peerFigures(input: PlanInput, bytesRead: number, bytesWritten: number): PeerFigures[] {
  const held = new Map(input.held.map((one) => [one.peerId, one]));
  const writes = spread(
    input.peers
      .filter(({ isWritable, peerId }) => isWritable && (input.onto === null || input.onto === peerId))
      .map(({ peerId, freeBytes }) => {
        const spared = held.get(peerId)?.bytesSpared ?? 0;
        return { peerId, freeBytes, weight: Math.max(0, input.bytesToEachTarget - spared) };
      }),
    bytesWritten,
  );
  const expectedReads = input.held.reduce((all, one) => all + one.bytesRead, 0);
  return input.peers.flatMap(({ peerId, name, freeBytes }) => {
    const reads = expectedReads === 0 ? 0 : ((held.get(peerId)?.bytesRead ?? 0) / expectedReads) * bytesRead;
    const written = writes.get(peerId);
    if (reads < 1 && (written?.bytes ?? 0) < 1) return [];
    return [
      {
        peerId,
        name,
        bytesRead: Math.round(reads),
        bytesWritten: Math.round(written?.bytes ?? 0),
        freeBytes,
        fills: written?.fills ?? false,
      },
    ];
  });
}

interface Target {
  readonly peerId: string;
  readonly freeBytes: number;
  readonly weight: number;
}

/** Shares `bytes` out by weight, to none more than it has room for: what a full one cannot take goes to the others. */
export function spread(
  targets: readonly Target[],
  bytes: number,
): ReadonlyMap<string, { readonly bytes: number; readonly fills: boolean }> {
  const result = new Map<string, { bytes: number; fills: boolean }>();
  let open = targets.filter(({ weight }) => weight > 0);
  let left = bytes;
  while (left > 0 && open.length > 0) {
    const weights = open.reduce((all, { weight }) => all + weight, 0);
    const wanted = (target: Target): number => (left * target.weight) / weights;
    const full = open.filter((target) => wanted(target) > target.freeBytes);
    if (full.length === 0) {
      for (const target of open) result.set(target.peerId, { bytes: wanted(target), fills: false });
      return result;
    }
    for (const { peerId, freeBytes } of full) result.set(peerId, { bytes: freeBytes, fills: true });
    left -= full.reduce((all, { freeBytes }) => all + freeBytes, 0);
    open = open.filter((target) => !full.includes(target));
  }
  return result;
}

function domainFigures(figures: readonly PeerFigures[], peers: readonly PlanPeer[]): CampaignPlan['domains'] {
  const domainsOf = new Map(peers.map(({ peerId, domains }) => [peerId, domains]));
  const sums = new Map<string, { kind: string; value: string; bytesRead: number; bytesWritten: number }>();
  for (const { peerId, bytesRead, bytesWritten } of figures) {
    for (const [kind, value] of Object.entries(domainsOf.get(peerId) ?? {})) {
      const key = `${kind}=${value}`;
      const before = sums.get(key) ?? { kind, value, bytesRead: 0, bytesWritten: 0 };
      sums.set(key, {
        ...before,
        bytesRead: before.bytesRead + bytesRead,
        bytesWritten: before.bytesWritten + bytesWritten,
      });
    }
  }
  return [...sums.values()]
    .sort((a, b) => b.bytesRead + b.bytesWritten - a.bytesRead - a.bytesWritten || (a.value < b.value ? -1 : 1))
    .slice(0, maxPlanDomains);
}

function durationOf(bytes: number, speed: PlanSpeed | null): CampaignPlan['duration'] {
  if (speed === null) return null;
  const at = (bytesPerSecond: number): number => Math.ceil((bytes * 1000) / Math.max(1, bytesPerSecond));
  return { leastMs: at(speed.fastBytesPerSecond), mostMs: at(speed.slowBytesPerSecond), basis: speed.basis };
}

function margins(groups: readonly FileGroup[], of: (group: FileGroup) => number): [number, number][] {
  const counts = new Map<number, number>();
  for (const group of groups) counts.set(of(group), (counts.get(of(group)) ?? 0) + group.files);
  return [...counts].filter(([, files]) => files > 0).sort(([a], [b]) => a - b);
}

function stillAtRisk(
  { groups, isVerify }: PlanInput,
  peers: readonly PeerFigures[],
  bytesWritten: number,
): CampaignPlan['stillAtRisk'] {
  if (isVerify) return [];
  const files = (such: (group: FileGroup) => boolean): number =>
    groups.filter(such).reduce((all, group) => all + group.files, 0);
  const lost = files(({ available, k, restore }) => available < k && restore > 0);
  const crowded = files(({ available, k, unplaceable, restore }) => available >= k && restore > 0 && unplaceable > 0);
  const room = peers.reduce((all, { bytesWritten: bytes }) => all + bytes, 0);
  const missing = Math.max(0, bytesWritten - room - peers.length);
  return [
    ...(lost === 0 ? [] : [{ reason: 'fewer than k shares can be read: nothing can be regenerated', files: lost }]),
    ...(crowded === 0 ? [] : [{ reason: 'too few peers that hold no share of the file', files: crowded }]),
    ...(missing === 0
      ? []
      : [
          {
            reason: `the peers have too little room: ${missing} bytes find no place`,
            files: files(({ restore, available, k }) => restore > 0 && available >= k),
          },
        ]),
  ];
}

/** How much a plan that was made anew differs from an earlier one: the largest change of files, shares or bytes, as a ratio. */
export function planDrift(before: CampaignPlan, now: CampaignPlan): number {
  const changes = (['files', 'filesToRepair', 'sharesToWrite', 'bytesRead', 'bytesWritten'] as const).map((name) =>
    before[name] === now[name] ? 0 : Math.abs(now[name] - before[name]) / Math.max(1, before[name]),
  );
  return Math.max(...changes);
}
