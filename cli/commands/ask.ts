/** `meshward ask`: a peer asks with its own key whether files could be recovered right now. */
import type { Command } from 'commander';
import { agentFolders } from '#collector/agent/folders.ts';
import { openKeptPins } from '#collector/agent/kept-pins.ts';
import { CollectorPins } from '#collector/gateway/collector-pins.ts';
import type { AskedFile } from '#mesh/asking.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { askInBulk } from '../ask-in-bulk.ts';
import { type AskedLine, readAskedLines } from '../asked-lines.ts';
import { capFileOption } from '../cap-input.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf } from '../context.ts';
import { describeAskedFile, describeAskedFiles, type ToldFile } from '../describe-asked.ts';
import { exitCodes } from '../exit-codes.ts';
import { parsePins } from '../pin.ts';

interface AskFlags {
  readonly capFile?: string;
  readonly shares?: string;
  readonly keyDir?: string;
  readonly collector?: string;
  readonly pin?: string;
}

export function addAskCommand(program: Command): void {
  describeUse(
    program
      .command('ask')
      .argument('[caps...]', 'caps or storage indexes, or - to read them from standard input, one a line')
      .description('beside an agent: if I wanted this file back right now, could I?')
      .option(capFileOption[0], 'read caps from this file (- for standard input), one a line, as `put` prints them')
      .option('--shares <dir>', 'folder of shares of the agent beside which this is run (agent.shares)')
      .option('--key-dir <dir>', "folder of the peer's key, where it is not beside the shares (agent.keyDir)")
      .option('--collector <url>', 'the collector to ask (agent.collectorUrl)')
      .option('--pin <pin>', "the collector's pin (agent.collectorPin)"),
    {
      examples: [
        'meshward ask --shares /srv/tahoe/storage --collector https://collector.example:7701 --pin PIN 5fsbhvm3dzua36zgwfjbeg4bvy',
        'meshward --config agent.yaml ask --cap-file all-my.caps --json',
      ],
      exits: {
        3: 'nothing is known of a file',
        4: 'the collector or the analyzers are away, or it cannot be told of a file now',
        5: 'a file cannot be recovered now',
        6: 'the key of this peer is not enrolled, or was revoked',
      },
      notes: [
        'The peer proves itself with its own key; it needs no account. Only storage indexes are sent, never a key of a cap.',
        'Of many files the worst decides the exit code: 5 before 4 before 3.',
      ],
    },
  ).action((caps: string[], flags: AskFlags, command: Command) => ask(settingsOf(flags, command), caps, flags));
}

function settingsOf(flags: AskFlags, command: Command): Context {
  return contextOf(command, {
    ...(flags.shares === undefined ? {} : { 'agent.shares': flags.shares }),
    ...(flags.keyDir === undefined ? {} : { 'agent.keyDir': flags.keyDir }),
    ...(flags.collector === undefined ? {} : { 'agent.collectorUrl': flags.collector }),
    ...(flags.pin === undefined ? {} : { 'agent.collectorPin': flags.pin }),
  });
}

async function ask(context: Context, given: readonly string[], flags: AskFlags): Promise<void> {
  const lines = await readAskedLines(given, flags.capFile);
  const told = await tell(context, lines);
  const answers = told.map(({ name, file }) => (name === '' ? file : { ...file, name }));
  const [only] = told;
  if (told.length === 1 && only !== undefined && lines.isSingle)
    context.output.result(answers[0], () => describeAskedFile(only));
  else context.output.result({ files: answers }, () => describeAskedFiles(told));
  process.exitCode = worstExit(told);
}

async function tell(context: Context, { lines }: { readonly lines: readonly AskedLine[] }): Promise<ToldFile[]> {
  const asked = [...new Set(lines.flatMap(({ storageIndex }) => storageIndex ?? []))];
  const files = asked.length === 0 ? new Map<string, AskedFile>() : await withPeer(context, asked);
  return lines.map(({ name, storageIndex }) => {
    if (storageIndex === null) return { name, file: { answer: 'literal' as const, recoverableNow: true as const } };
    const file = files.get(storageIndex) ?? { storageIndex, answer: 'unanswered' as const, why: 'no answer came' };
    return { name, file };
  });
}

async function withPeer(context: Context, asked: Parameters<typeof askInBulk>[1]): Promise<Map<string, AskedFile>> {
  const { agent } = context.config;
  if (agent.collectorPin === '') {
    throw new MeshwardError('config-invalid', 'agent.collectorPin is empty: the collector cannot be known', {
      next: 'Set it (or --pin) to the pin that the agent of this peer uses.',
    });
  }
  // An agent's folders tell its key, and the pins that it was told after the collector's key was replaced.
  const folders = agent.shares === '' && agent.keyDir !== '' ? null : agentFolders(agent);
  const pins = parsePins(agent.collectorPin, 'the pin (--pin, agent.collectorPin)');
  // Loaded when needed: a command must start quickly.
  const { loadKeyFolder } = await import('#tahoe/identity/key-folder.ts');
  const { privateKeyPem } = await import('#tahoe/identity/peer-key.ts');
  const { createCollectorClient } = await import('#collector/gateway/client.ts');
  // None is made here: a key that nobody has enrolled would be asked for in vain.
  const identity = await loadKeyFolder(folders?.key ?? agent.keyDir);
  const collector = createCollectorClient({
    url: agent.collectorUrl,
    pin: folders === null ? new CollectorPins(pins) : await openKeptPins(folders.state, pins, silentLogger),
    key: privateKeyPem(identity),
    cert: identity.certificatePem,
  });
  const progress = context.output.progress('asked', asked.length);
  try {
    return await askInBulk(collector, asked, progress.update);
  } finally {
    if (asked.length > 1) progress.finish();
    await collector.close();
  }
}

function worstExit(told: readonly ToldFile[]): number {
  const some = (fits: (file: ToldFile['file']) => boolean): boolean => told.some(({ file }) => fits(file));
  if (some((file) => file.answer === 'known' && !file.recoverableNow)) return exitCodes.negative;
  if (some(({ answer }) => answer === 'unanswered')) return exitCodes.unavailable;
  return some(({ answer }) => answer === 'unknown') ? exitCodes.notFound : exitCodes.ok;
}
