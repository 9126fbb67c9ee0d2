/** `meshward demo`: a mesh of real peers on this machine, and the story told on it. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf, demoDataDir } from '../context.ts';
import { parseBytes } from '../quantities.ts';
import type { DemoFlags } from '../run-demo.ts';
import { refuseSecondRun } from '../run-file.ts';

/** Everything that takes minutes in a real mesh takes seconds here. */
const hastyTimes = {
  'telemetry.logLevel': 'error',
  'log.sessionTimeoutMs': 3000,
  'collector.tickMs': 250,
  'agent.heartbeatMs': 1000,
  'analyzer.graceMs': 6000,
  'analyzer.graceMaxMs': 60_000,
  'analyzer.settleMs': 20_000,
  'analyzer.sweepIntervalMs': 2000,
  'analyzer.flushIntervalMs': 500,
  'analyzer.staleAfterMs': 5000,
  'repairer.maxConcurrentRepairs': 3,
  'repairer.retryAfterMs': 2000,
  'repairer.confirmTimeoutMs': 20_000,
} as const;

export function addDemoCommands(program: Command): void {
  describeUse(
    program
      .command('demo')
      .description('a mesh of real peers on this machine: watched, damaged, repaired, proven')
      .option('--once', 'tell the story to its end, print a summary and leave; fails where a promise was broken', false)
      .option('--files <dir>', 'store the files of this folder instead of the project’s own sources')
      .option('--peers <count>', 'how many peers', wholeNumber(100, 1000), 120)
      .option('--max-files <count>', 'store at most so many files', wholeNumber(1, 100_000), 100)
      .addOption(
        new Option('--max-size <size>', 'store at most so much in all, such as 500MB')
          .argParser(sizeInBytes)
          .default(64 * 2 ** 20, '64 MiB'),
      )
      .option('--seed <number>', 'repeat the choices of another run', wholeNumber(0, 0xffffffff), undefined)
      .option('--patience <factor>', 'multiply every time limit, for a slow machine', factor, 1)
      .option('--keep', 'keep what an earlier demonstration left, and leave what this one makes', false)
      .action(async (flags: DemoFlags, command: Command) => {
        const { dataDir } = command.optsWithGlobals<{ dataDir?: string }>();
        const forced = { ...hastyTimes, ...(dataDir === undefined ? { dataDir: demoDataDir } : {}) };
        const own = ownNames(contextOf(command, forced));
        const context = contextOf(command, { ...forced, ...own });
        await refuseSecondRun(context);
        const { runDemo } = await import('../run-demo.ts');
        const owned = { topics: 'log.topicPrefix' in own, database: 'clickhouse.database' in own };
        await runDemo(context, flags, owned);
      }),
    {
      examples: [
        'npm start',
        'npm start -- --once --files ~/papers',
        'npm start -- --kafka 127.0.0.1:9092 --clickhouse http://127.0.0.1:8123',
        'meshward peer kill alder-01',
      ],
      exits: {
        4: 'a service could not be started, or there are no free ports',
        5: 'a promise was broken: the message says which',
        130: 'interrupted before its end, with --once',
      },
      notes: [
        'While it runs, play with it from another terminal: meshward peers, peer kill, peer wipe, peer return, put, file show.',
        `Its data directory is ${demoDataDir} unless --data-dir names another; it is emptied at each start (see --keep).`,
        'On your own Kafka and ClickHouse it makes topics and a database of its own, named meshward-demo-… and meshward_demo_…, and removes them at its end.',
      ],
    },
  );
}

/** What Kafka brokers take at least, as they come. */
const kafkaSessionTimeoutMs = 6000;

/** On servers that others use too, a demonstration has topics and a database of its own, by its folder; unless they are named. */
function ownNames({ config, dataDir, effective }: Context): Readonly<Record<string, string | number>> {
  const own = createHash('sha256').update(`${hostname()} ${dataDir}`).digest('hex').slice(0, 8);
  const isFree = (key: string): boolean => effective.origins.get(key) === 'default';
  const names: Record<string, string | number> = {};
  if (config.log.adapter === 'kafka') {
    names['log.sessionTimeoutMs'] = kafkaSessionTimeoutMs;
    if (isFree('log.topicPrefix')) names['log.topicPrefix'] = `meshward-demo-${own}.`;
  }
  if (config.clickhouse.mode === 'external' && isFree('clickhouse.database'))
    names['clickhouse.database'] = `meshward_demo_${own}`;
  return names;
}

function sizeInBytes(text: string): number {
  return parseBytes(text, '--max-size');
}

function factor(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number above 0 is wanted, such as 2 or 0.5');
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`);
  };
}
