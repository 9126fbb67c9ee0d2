/** What a campaign does and to which files, as flags of a command. */
import { type Command, Option } from 'commander';
import {
  type CampaignDefinition,
  type CampaignKind,
  campaignPriorities,
  maxSelectedIndexes,
  parseDefinition,
  type Selection,
} from '#mesh/campaigns/definition.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Grade, grades } from '#mesh/grade.ts';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { choiceOption, choicesOption } from './choices.ts';
import { collect } from './command-help.ts';
import { parseDomains } from './failure-domain.ts';
import { type NamedPeer, resolvePeer, resolvePeers } from './peer-reference.ts';
import { parseCount, parseDuration } from './quantities.ts';

export interface CampaignFlags {
  readonly grade: readonly Grade[];
  readonly margin?: string;
  readonly policy: readonly string[];
  readonly tag: readonly string[];
  readonly peer: readonly string[];
  readonly domain: readonly string[];
  readonly ninesBelow?: string;
  readonly unverified?: string;
  readonly unproven?: string;
  readonly stdin: boolean;
  readonly selectionOf?: string;
  readonly all: boolean;
  readonly drain?: readonly string[];
  readonly replace?: readonly string[];
  readonly rebalance?: string;
  readonly verify: boolean;
  readonly upTo?: string;
  readonly priority: CampaignDefinition['priority'];
  readonly budgetShare: string;
}

export function addCampaignFlags(command: Command): Command {
  const list = (flags: string, text: string): Option => new Option(flags, text).argParser(collect as never).default([]);
  return command
    .addOption(
      choicesOption('--grade <grade>', 'files of this grade; may be given several times, as most of these', grades),
    )
    .option('--margin <range>', 'files with a margin in this range, such as ..10 or 0..25')
    .addOption(list('--policy <name>', 'files of this policy'))
    .addOption(list('--tag <tag>', 'files with this tag'))
    .addOption(list('--peer <peer>', 'files with a share on this peer'))
    .addOption(list('--domain <kind=value>', 'files with a share in this failure domain'))
    .option('--nines-below <nines>', 'files whose survival has fewer nines')
    .option('--unverified <duration>', 'files that no campaign has verified for so long, such as 30d')
    .option('--unproven <duration>', 'files that were not proven recoverable for so long')
    .option(
      '--stdin',
      `files named on standard input by storage index, one a line; at most ${maxSelectedIndexes}`,
      false,
    )
    .option('--selection-of <campaign>', 'the files that another campaign selected')
    .option('--all', 'every file', false)
    .option('--drain <peer...>', 'place elsewhere what these peers hold, so that they can be switched off')
    .option('--replace <peers...>', 'two peers, OLD NEW: give what the old one holds to the new one')
    .option('--rebalance <kind>', 'spread files over domains of this kind, such as zone')
    .option('--verify', 'read every share, and repair nothing', false)
    .option('--up-to <shares>', 'shares that a file shall have; by default what its policy says')
    .addOption(
      choiceOption(
        '--priority <when>',
        'whether files at risk go first; critical ones always do',
        campaignPriorities,
      ).default('after-repairs'),
    )
    .option('--budget-share <part>', 'part of the repairers’ bytes a second that it may use', '0.5');
}

export interface CampaignContext {
  readonly peers: () => Promise<readonly NamedPeer[]>;
  readonly selectionOf: (campaign: string) => Promise<Selection>;
  readonly readLines: () => Promise<readonly string[]>;
}

/** @throws MeshwardError `bad-input` naming the flag. */
export async function definitionOf(flags: CampaignFlags, context: CampaignContext): Promise<CampaignDefinition> {
  const kind = kindOf(flags);
  const needsPeers = flags.peer.length > 0 || kind === 'drain' || kind === 'replace';
  const peers = needsPeers ? await context.peers() : [];
  const selection = await selectionOf(flags, peers, context);
  if (Object.keys(selection).length === 0 && !flags.all && (kind === 'repair' || kind === 'verify')) {
    throw new MeshwardError('bad-input', 'nothing says which files are meant', {
      next: 'Select some (--grade, --margin, --peer, … see --help), or say --all.',
    });
  }
  const replaced = flags.replace ?? [];
  return parseDefinition({
    kind,
    selection,
    upTo: flags.upTo === undefined ? null : parseCount(flags.upTo, '--up-to', 1, 256),
    leave:
      kind === 'drain'
        ? resolvePeers(flags.drain ?? [], peers).map(({ peerId }) => peerId)
        : kind === 'replace'
          ? [resolvePeer(String(replaced[0]), peers).peerId]
          : [],
    onto: kind === 'replace' ? resolvePeer(String(replaced[1]), peers).peerId : null,
    domainKind: flags.rebalance ?? null,
    priority: flags.priority,
    budgetShare: parsePart(flags.budgetShare),
  });
}

function kindOf({ drain, replace, rebalance, verify, upTo }: CampaignFlags): CampaignKind {
  const chosen: CampaignKind[] = [
    ...(drain === undefined ? [] : ['drain' as const]),
    ...(replace === undefined ? [] : ['replace' as const]),
    ...(rebalance === undefined ? [] : ['rebalance' as const]),
    ...(verify ? ['verify' as const] : []),
  ];
  if (chosen.length > 1 || (chosen.length === 1 && upTo !== undefined)) {
    throw new MeshwardError('bad-input', '--drain, --replace, --rebalance, --verify and --up-to exclude each other', {
      next: 'Plan a campaign for each.',
    });
  }
  if (replace !== undefined && replace.length !== 2) {
    throw new MeshwardError('bad-input', '--replace takes two peers: the old one and the new one', {
      next: 'Write --replace OLD NEW.',
    });
  }
  return chosen[0] ?? 'repair';
}

async function selectionOf(
  flags: CampaignFlags,
  peers: readonly NamedPeer[],
  context: CampaignContext,
): Promise<Selection> {
  const base = flags.selectionOf === undefined ? {} : await context.selectionOf(flags.selectionOf);
  const margin = flags.margin === undefined ? {} : parseMargin(flags.margin);
  const domains = Object.entries(parseDomains(flags.domain)).map(([kind, value]) => ({ kind, value }));
  return {
    ...base,
    ...(flags.grade.length === 0 ? {} : { grades: [...flags.grade] }),
    ...margin,
    ...(flags.policy.length === 0 ? {} : { policies: [...flags.policy] }),
    ...(flags.tag.length === 0 ? {} : { tags: [...flags.tag] }),
    ...(flags.peer.length === 0
      ? {}
      : { peers: resolvePeers(flags.peer, peers).map(({ peerId }) => peerId as string) }),
    ...(domains.length === 0 ? {} : { domains }),
    ...(flags.ninesBelow === undefined ? {} : { ninesBelow: parseNumber(flags.ninesBelow, '--nines-below', 0, 1000) }),
    ...(flags.unverified === undefined ? {} : { unverifiedForMs: parseDuration(flags.unverified, '--unverified') }),
    ...(flags.unproven === undefined ? {} : { unprovenForMs: parseDuration(flags.unproven, '--unproven') }),
    ...(flags.stdin ? { files: await namedFiles(context) } : {}),
  };
}

async function namedFiles({ readLines }: CampaignContext): Promise<ReturnType<typeof parseStorageIndex>[]> {
  const lines = (await readLines()).map((line) => line.trim()).filter((line) => line !== '');
  const files = [...new Set(lines.map(parseStorageIndex))].sort();
  if (files.length > 0 && files.length <= maxSelectedIndexes) return files;
  throw new MeshwardError('bad-input', `standard input names ${files.length} files`, {
    next: `Name 1 to ${maxSelectedIndexes} storage indexes, one a line; more in several campaigns.`,
  });
}

function parseMargin(text: string): Pick<Selection, 'marginFrom' | 'marginTo'> {
  const match = /^(-?\d{1,3})?\.\.(-?\d{1,3})?$/.exec(text.trim());
  if (match === null || (match[1] === undefined && match[2] === undefined)) {
    throw new MeshwardError('bad-input', `--margin "${text.slice(0, 30)}" is no range`, {
      next: 'Write it such as ..10, 0..25 or 50.. ; both ends belong to it.',
    });
  }
  return {
    ...(match[1] === undefined ? {} : { marginFrom: Number(match[1]) }),
    ...(match[2] === undefined ? {} : { marginTo: Number(match[2]) }),
  };
}

function parsePart(text: string): number {
  const part = parseNumber(text, '--budget-share', 0, 1);
  if (part > 0) return part;
  throw new MeshwardError('bad-input', '--budget-share is nothing', { next: 'Give a part above 0 and at most 1.' });
}

export function parseNumber(text: string, what: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= most) return value;
  throw new MeshwardError('bad-input', `${what} is not a number from ${least} to ${most}`, {
    next: `Give a number from ${least} to ${most}.`,
  });
}
