/** `meshward repair limits | hold | release`: how fast repair may be, and whether it may be at all. */

import type { Command } from 'commander';
import { type ApiSender, apiSender } from '#access/api-sender.ts';
import type { LimitsAnswer } from '#analyzer/api/campaign-schemas.ts';
import { type RateName, rateNames } from '#mesh/campaigns/limits.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type RepairerStatus, repairerStatus } from '#mesh/repairer-status.ts';
import { type CommandHelp, describeUse } from '../command-help.ts';
import { type Context, foldersOf, runningContextOf } from '../context.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import { addNoun } from '../nouns.ts';
import { parseBytes, parseDuration } from '../quantities.ts';
import { findRunFile } from '../run-file.ts';
import { formatBytes } from '../terminal/amounts.ts';
import { listingView, type View } from '../terminal/view.ts';
import { showsView } from '../view-command.ts';
import { addRepairListCommand } from './repair-list.ts';

type LimitsFlags = ApiFlags & CollectorFlags & { readonly why?: string } & Partial<Record<RateName, string>>;

interface WordFlags extends CollectorFlags {
  readonly why: string;
  readonly for: string;
  readonly end: boolean;
}

const exits: NonNullable<CommandHelp['exits']> = {
  4: 'the analyzer or the collector is away',
  5: 'another operator changed it at the same time',
  6: 'the key is not an operator of the mesh',
};

const meanings: Readonly<Record<RateName, string>> = {
  bytes: 'bytes a second in all',
  requests: 'requests a second in all',
  peerReadBytes: 'bytes a second read from one peer',
  peerWriteBytes: 'bytes a second written to one peer',
  peerRequests: 'requests a second to one peer',
  domainReadBytes: 'bytes a second read from one failure domain',
  domainWriteBytes: 'bytes a second written to one failure domain',
  domainRequests: 'requests a second to one failure domain',
};

export function addRepairCommands(program: Command): void {
  const repair = addNoun(program, {
    name: 'repair',
    alias: 'repairs',
    description: 'what came of repairs, how fast repair may be, and whether bulk repair may run at all',
  });
  addRepairListCommand(repair);
  const limits = repair
    .command('limits')
    .description('show the limits with what is used of them, or set some; each repairer keeps them for itself');
  for (const name of rateNames)
    limits.option(
      `--${dashed(name)} <amount>`,
      `${meanings[name]}; 0 is unlimited, "default" what the configuration says`,
    );
  addCollectorOptions(addApiOption(limits)).option('--why <text>', 'why; needed where something is set, and kept');
  showsView(limits, { list: true }, limit);
  describeUse(limits, {
    examples: [
      'meshward repair limits',
      'meshward repair limits --bytes 50MB --peer-write-bytes 5MB --why "users complain"',
      'meshward repair limits --bytes default --why "quiet again"',
    ],
    notes: ['Critical files do not wait for a limit; what they move counts all the same.'],
    exits,
  });

  const word = (name: 'hold' | 'release', description: string, help: Pick<CommandHelp, 'examples' | 'notes'>): void => {
    describeUse(
      addCollectorOptions(repair.command(name).description(description))
        .requiredOption('--why <text>', 'why; kept')
        .option('--for <duration>', 'how long it holds', name === 'hold' ? '24h' : '1h')
        .option('--end', 'take back what was said before', false),
      { ...help, exits },
    ).action(async (flags: WordFlags, command: Command) => {
      const context = runningContextOf(command);
      const forMs = parseDuration(flags.for, '--for');
      const says = flags.end ? 'end' : name;
      const said = await withCollector(context, flags, (collector) =>
        collector.setBrake({ says, forMs, why: flags.why }),
      );
      context.output.result(said, () => describeBrake(said.settings.brake));
    });
  };
  word('hold', 'stop bulk repair and campaigns; critical files are repaired all the same', {
    examples: ['meshward repair hold --why "network is being changed"', 'meshward repair hold --end --why "done"'],
  });
  word('release', 'let bulk repair run though the brake would hold it', {
    examples: ['meshward repair release --for 2h --why "the peers are really gone"'],
    notes: ['The brake holds bulk repair where much goes silent at once: look at `meshward peers` first.'],
  });
}

async function limit(context: Context, flags: LimitsFlags): Promise<View> {
  const rates = Object.fromEntries(
    rateNames.flatMap((name): [RateName, number | null][] => {
      const said = flags[name];
      return said === undefined ? [] : [[name, said === 'default' ? null : parseBytes(said, `--${dashed(name)}`)]];
    }),
  );
  if (Object.keys(rates).length > 0) {
    const { why } = flags;
    if (why === undefined) {
      throw new MeshwardError('bad-input', 'nothing says why the limits are set', { next: 'Add --why TEXT.' });
    }
    await withCollector(context, flags, (collector) => collector.setLimits({ rates, why }));
  }
  const answer = await (await findApi(context, flags)).repairLimits();
  const repairers = await askRepairers(await repairerUrls(context), apiSender(context.config.access));
  return limitsView(answer, repairers);
}

interface AskedRepairer {
  readonly url: string;
  readonly status: RepairerStatus | null;
}

async function repairerUrls({ config, dataDir }: Context): Promise<readonly string[]> {
  const run = await findRunFile(foldersOf(dataDir, config).runFile);
  return run === null ? config.api.repairerUrls : [run.repairerUrl];
}

function askRepairers(urls: readonly string[], send: ApiSender): Promise<AskedRepairer[]> {
  return Promise.all(
    urls.map(async (url) => {
      try {
        const response = await send(new URL('/v1/state', url), { signal: AbortSignal.timeout(2000) });
        return { url, status: repairerStatus.parse(await response.json()) };
      } catch {
        return { url, status: null };
      }
    }),
  );
}

function limitsView(answer: LimitsAnswer, repairers: readonly AskedRepairer[]): View {
  const shown = (name: string, value: number): string =>
    value === 0 ? 'unlimited' : /bytes/i.test(name) ? `${formatBytes(value)}/s` : `${value}/s`;
  const effective = repairers.find(({ status }) => status?.rates !== undefined)?.status?.rates ?? {};
  const used = repairers.map(({ url, status }) =>
    status === null
      ? `${url}: does not answer`
      : `${url}: ${formatBytes(status.used?.bytesPerSecond ?? 0)}/s and ${status.used?.requestsPerSecond ?? 0} requests/s used; ${
          status.brake === null ? 'nothing holds it' : `held: ${status.brake}`
        }`,
  );
  return listingView<RateName>({
    rows: rateNames,
    value: { ...answer, repairers },
    none: '',
    columns: [
      { title: 'limit', value: dashed },
      {
        title: 'set',
        value: (name) => answer.rates[name] ?? null,
        text: (name) => (answer.rates[name] === undefined ? 'as configured' : shown(name, answer.rates[name])),
      },
      {
        title: 'in effect',
        value: (name) => effective[name] ?? null,
        text: (name) => (effective[name] === undefined ? '?' : shown(name, effective[name])),
      },
      { title: 'what it limits', value: (name) => meanings[name], fit: 'text' },
    ],
    below: [
      ...used,
      describeBrake(answer.brake),
      ...(answer.isWindowOpen ? [] : ['No repair window is open now: only critical files are repaired.']),
    ],
  });
}

function describeBrake(brake: LimitsAnswer['brake']): string {
  if (brake === null) return 'No operator overrides the brake.';
  const until = new Date(brake.untilMs).toISOString();
  return brake.says === 'hold'
    ? `${brake.by} holds bulk repair until ${until}: ${brake.why}`
    : `${brake.by} lets bulk repair run whatever the brake says, until ${until}: ${brake.why}`;
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
