/** The services one by one, for machines that run them under their own supervisor. */
import type { Command } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { collect, describeUse } from '../command-help.ts';
import { contextOf } from '../context.ts';

const serviceExits = {
  4: 'the log or the database cannot be used, and waiting does not help (one that is away or full is waited for)',
  6: 'Kafka or ClickHouse does not let this user in',
} as const;

interface AgentFlags {
  readonly shares?: string;
  readonly collector?: string;
  readonly pin?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly domain: readonly string[];
}

/** Null: the agent is enrolled already. @throws MeshwardError `bad-input` for one that is given and empty. */
export function tokenOf({ token }: Pick<AgentFlags, 'token'>, variable: string | undefined): string | null {
  const given = (token ?? variable)?.trim();
  if (given !== '') return given ?? null;
  throw new MeshwardError('bad-input', `the token is empty (${token === undefined ? 'MESHWARD_TOKEN' : '--token'})`, {
    next: 'Give the token that `meshward token` printed; an agent that is enrolled already needs none, and no such variable.',
  });
}

// Each service is loaded when it is started: a command that talks to one must not wait for all of them.
export function addServiceCommands(program: Command): void {
  describeUse(
    program
      .command('collector')
      .description('run the collector: takes events of agents in, over TLS, into the log')
      .action(async (_options: object, command: Command) => {
        const { startCollector } = await import('../services/collector.ts');
        const { runService } = await import('../services/run-service.ts');
        await runService('collector', contextOf(command), startCollector);
      }),
    { examples: ['meshward --data-dir /var/lib/meshward collector'], exits: serviceExits },
  );
  describeUse(
    program
      .command('analyzer')
      .description('run an analyzer: margins, grades, the at-risk list, the HTTP API and the page')
      .action(async (_options: object, command: Command) => {
        const { startAnalyzer } = await import('../services/analyzer.ts');
        const { runService } = await import('../services/run-service.ts');
        await runService('analyzer', contextOf(command), startAnalyzer);
      }),
    { examples: ['meshward --config meshward.yaml analyzer'], exits: serviceExits },
  );
  describeUse(
    program
      .command('repairer')
      .description('run a repairer: regenerates missing shares of files on the at-risk list')
      .action(async (_options: object, command: Command) => {
        const { startRepairer } = await import('../services/repairer.ts');
        const { runService } = await import('../services/run-service.ts');
        await runService('repairer', contextOf(command), startRepairer);
      }),
    { examples: ['meshward --config meshward.yaml repairer'], exits: serviceExits },
  );
  describeUse(
    program
      .command('agent')
      .description('run the agent beside a storage peer: reports, checks and serves its folder of shares')
      .option('--shares <dir>', 'folder of shares, laid out as Tahoe does (agent.shares)')
      .option('--collector <url>', 'the collector to report to (agent.collectorUrl)')
      .option('--pin <pin>', "the collector's pin, as `meshward token` prints it (agent.collectorPin)")
      .option('--token <token>', 'enrol with this one-time token first; better given as MESHWARD_TOKEN')
      .option('--token-file <file>', 'file with that token; not read once the agent is enrolled')
      .option('--domain <kind=name>', 'failure domain of this peer; may be given several times', collect, [])
      .action(async (flags: AgentFlags, command: Command) => {
        const forced = {
          ...(flags.shares === undefined ? {} : { 'agent.shares': flags.shares }),
          ...(flags.collector === undefined ? {} : { 'agent.collectorUrl': flags.collector }),
          ...(flags.pin === undefined ? {} : { 'agent.collectorPin': flags.pin }),
        };
        const token = tokenOf(flags, process.env['MESHWARD_TOKEN']);
        const { startAgent } = await import('../services/agent.ts');
        const { runService } = await import('../services/run-service.ts');
        await runService('agent', contextOf(command, forced), (by) =>
          startAgent(by, { token, tokenFile: flags.tokenFile ?? null, domains: flags.domain }),
        );
      }),
    {
      examples: [
        'MESHWARD_TOKEN=… meshward agent --shares /srv/tahoe/storage --collector https://collector.example:7701 --pin PIN',
      ],
      exits: {
        4: 'the collector is away while the agent enrols',
        6: 'the token, the pin or the key of this peer is not taken',
      },
    },
  );
}
