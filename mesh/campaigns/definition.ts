/** What a campaign is to do to which files. JSON in the log and in the store; parsed once here, trusted inside. */
import { z } from 'zod';
import { MeshwardError } from '../errors.ts';
import { grades } from '../grade.ts';
import { isStorageIndex } from '../storage-index.ts';

/**
 * `repair` brings files up to a target; `drain` places elsewhere what the peers hold; `replace` places on one new peer what an
 * old one holds; `rebalance` spreads files over domains of a kind; `verify` reads every share and repairs nothing.
 */
export const campaignKinds = ['repair', 'drain', 'replace', 'rebalance', 'verify'] as const;
export type CampaignKind = (typeof campaignKinds)[number];

/** Never before critical files. `after-repairs` waits for every file that needs repair, `beside-repairs` shares the lanes' time with them. */
export const campaignPriorities = ['after-repairs', 'beside-repairs'] as const;
export type CampaignPriority = (typeof campaignPriorities)[number];

/** Most storage indexes that a selection may name: it travels whole in one record. */
export const maxSelectedIndexes = 10_000;
const most = 200;

const peerId = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const word = z.string().min(1).max(200);
const index = z.string().refine(isStorageIndex, 'it is no storage index');
const ageMs = z
  .number()
  .int()
  .min(0)
  .max(10 * 365 * 86_400_000);

/** Every condition that is given must hold; of the values of one condition, any. Nothing given selects every file. */
export const selectionSchema = z.strictObject({
  grades: z.array(z.enum(grades)).min(1).exactOptional(),
  marginFrom: z.number().int().min(-256).max(256).exactOptional(),
  marginTo: z.number().int().min(-256).max(256).exactOptional(),
  policies: z.array(word).min(1).max(most).exactOptional(),
  tags: z.array(z.string().max(200)).min(1).max(most).exactOptional(),
  /** Files with a share on any of them. */
  peers: z.array(peerId).min(1).max(most).exactOptional(),
  /** Files with a share on a peer of any of these domains, such as `zone=eu-1`. */
  domains: z
    .array(z.strictObject({ kind: word, value: word }))
    .min(1)
    .max(most)
    .exactOptional(),
  /** Files whose chance of survival has fewer nines than this; those that were not judged are among them. */
  ninesBelow: z.number().min(0).max(1000).exactOptional(),
  /** Files that no campaign has verified for so long. */
  unverifiedForMs: ageMs.exactOptional(),
  /** Files that were not proven recoverable for so long. */
  unprovenForMs: ageMs.exactOptional(),
  files: z.array(index).min(1).max(maxSelectedIndexes).exactOptional(),
});
export type Selection = z.infer<typeof selectionSchema>;

export const definitionSchema = z
  .strictObject({
    kind: z.enum(campaignKinds),
    selection: selectionSchema,
    /** Shares that a file shall have; null is what its policy says. */
    upTo: z.number().int().min(1).max(256).nullable(),
    /** Of `drain` and `replace`: the peers whose shares are placed elsewhere. */
    leave: z.array(peerId).max(most),
    /** Of `replace`: the peer that takes them. */
    onto: peerId.nullable(),
    /** Of `rebalance`: the kind of domain to spread over, such as `zone`. */
    domainKind: word.nullable(),
    priority: z.enum(campaignPriorities),
    /** Part of the repairers' bytes a second that it may use. */
    budgetShare: z.number().min(0.001).max(1),
  })
  .refine(({ kind, leave }) => (kind === 'drain' || kind === 'replace') === leave.length > 0, {
    message: 'drain and replace name the peers to leave, and no other kind does',
  })
  .refine(({ kind, onto, leave }) => (kind === 'replace') === (onto !== null) && !(onto && leave.includes(onto)), {
    message: 'replace names another peer that takes the shares, and no other kind does',
  })
  .refine(({ kind, domainKind }) => (kind === 'rebalance') === (domainKind !== null), {
    message: 'rebalance names a kind of domain, and no other kind does',
  });
export type CampaignDefinition = z.infer<typeof definitionSchema>;

/** @throws MeshwardError `bad-input`. */
export function parseDefinition(value: unknown): CampaignDefinition {
  const parsed = definitionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new MeshwardError(
    'bad-input',
    `the campaign cannot be understood: ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(': ')}`,
    { next: '`meshward campaign plan --help` shows what a campaign is made of.' },
  );
}

/** What the files of a campaign have in common: of `drain` and `replace`, a share on a peer that is left. */
export function effectiveSelection({ selection, leave }: CampaignDefinition): Selection {
  if (leave.length === 0) return selection;
  return { ...selection, peers: selection.peers?.filter((peer) => leave.includes(peer)) ?? leave };
}

/** For people, in one line. */
export function describeDefinition(definition: CampaignDefinition): string {
  const { kind, selection, upTo, leave, onto, domainKind } = definition;
  const what = {
    repair: `repair up to ${upTo === null ? 'what the policy says' : `${upTo} shares`}`,
    drain: `drain ${leave.length} peer${leave.length === 1 ? '' : 's'}`,
    replace: `replace ${leave.length === 1 ? 'a peer' : `${leave.length} peers`} by ${String(onto).slice(0, 8)}…`,
    rebalance: `spread over ${String(domainKind)}s`,
    verify: 'verify every share',
  }[kind];
  return `${what}: ${describeSelection(selection)}`;
}

export function describeSelection(selection: Selection): string {
  const days = (ms: number): string => `${Math.round((ms / 86_400_000) * 10) / 10} d`;
  const { grades: chosen, marginFrom, marginTo, policies, tags, peers, domains, ninesBelow, files } = selection;
  const parts = [
    ...(chosen === undefined ? [] : [`grade ${chosen.join(' or ')}`]),
    ...(marginFrom === undefined && marginTo === undefined
      ? []
      : [`margin ${marginFrom ?? '…'} to ${marginTo ?? '…'}`]),
    ...(policies === undefined ? [] : [`policy ${policies.join(' or ')}`]),
    ...(tags === undefined ? [] : [`tag ${tags.map((tag) => tag || '(none)').join(' or ')}`]),
    ...(peers === undefined ? [] : [`on ${peers.length} peer${peers.length === 1 ? '' : 's'}`]),
    ...(domains === undefined ? [] : [`in ${domains.map(({ kind, value }) => `${kind}=${value}`).join(' or ')}`]),
    ...(ninesBelow === undefined ? [] : [`fewer than ${ninesBelow} nines`]),
    ...(selection.unverifiedForMs === undefined ? [] : [`not verified for ${days(selection.unverifiedForMs)}`]),
    ...(selection.unprovenForMs === undefined ? [] : [`not proven for ${days(selection.unprovenForMs)}`]),
    ...(files === undefined ? [] : [`${files.length} named files`]),
  ];
  return parts.length === 0 ? 'every file' : parts.join(', ');
}

/** What a selection is compared with. Times are milliseconds since the epoch, null where it never happened. */
export interface FileFacts {
  readonly storageIndex: string;
  readonly policy: string;
  readonly tag: string;
  readonly grade: (typeof grades)[number];
  readonly margin: number;
  readonly log10Loss: number | null;
  /** Peers that hold a share of it, with their domains. */
  readonly holders: readonly { readonly peerId: string; readonly domains: Readonly<Record<string, string>> }[];
  readonly verifiedAtMs: number | null;
  readonly provenAtMs: number | null;
}

/** The selection as a predicate: what the store's queries compute, one file at a time. */
export function matchesSelection(selection: Selection, file: FileFacts, nowMs: number): boolean {
  const { grades: chosen, marginFrom, marginTo, policies, tags, peers, domains, ninesBelow, files } = selection;
  const isOld = (atMs: number | null, ageMs: number | undefined): boolean =>
    ageMs === undefined || atMs === null || atMs < nowMs - ageMs;
  return (
    (chosen === undefined || chosen.includes(file.grade)) &&
    (marginFrom === undefined || file.margin >= marginFrom) &&
    (marginTo === undefined || file.margin <= marginTo) &&
    (policies === undefined || policies.includes(file.policy)) &&
    (tags === undefined || tags.includes(file.tag)) &&
    (peers === undefined || file.holders.some(({ peerId: id }) => peers.includes(id))) &&
    (domains === undefined ||
      file.holders.some((holder) => domains.some(({ kind, value }) => holder.domains[kind] === value))) &&
    (ninesBelow === undefined || file.log10Loss === null || -file.log10Loss < ninesBelow) &&
    isOld(file.verifiedAtMs, selection.unverifiedForMs) &&
    isOld(file.provenAtMs, selection.unprovenForMs) &&
    (files === undefined || files.includes(file.storageIndex as never))
  );
}
