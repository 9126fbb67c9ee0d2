/** The services one by one, for machines that run them under their own supervisor. */
import type { Command } from 'commander';
import { startAgent } from '../services/agent.ts';
import { startAnalyzer } from '../services/analyzer.ts';
import { startCollector } from '../services/collector.ts';
import { startRepairer } from '../services/repairer.ts';
import { runService } from '../services/run-service.ts';
import { contextOf } from '../context.ts';

export function addServiceCommands(program: Command): void {
  program
    .command('collector')
    .description('run the collector: takes events of agents in, over TLS, into the log')
    .action((_options: object, command: Command) => runService('collector', contextOf(command), startCollector));
  program
    .command('analyzer')
    .description('run an analyzer: margins, grades, the at-risk list, the HTTP API and the page')
    .action((_options: object, command: Command) => runService('analyzer', contextOf(command), startAnalyzer));
  program
    .command('repairer')
    .description('run a repairer: regenerates missing shares of files on the at-risk list')
    .action((_options: object, command: Command) => runService('repairer', contextOf(command), startRepairer));
  program
    .command('agent')
    .description('run the agent beside a storage peer: reports, checks and serves its folder of shares')
    .option('--shares <dir>', 'folder of shares, laid out as Tahoe does (agent.shares)')
    .option('--collector <url>', 'the collector to report to (agent.collectorUrl)')
    .option('--pin <pin>', "the collector's pin, as `meshward token` prints it (agent.collectorPin)")
    .option('--token <token>', 'enrol with this one-time token first; better given as MESHWARD_TOKEN')
    .option('--domain <kind=name>', 'failure domain of this peer; may be given several times', collect, [])
    .action((options: AgentFlags, command: Command) => {
      const forced = {
        ...(options.shares === undefined ? {} : { 'agent.shares': options.shares }),
        ...(options.collector === undefined ? {} : { 'agent.collectorUrl': options.collector }),
        ...(options.pin === undefined ? {} : { 'agent.collectorPin': options.pin }),
      };
      const token = options.token ?? process.env['MESHWARD_TOKEN'] ?? null;
      return runService('agent', contextOf(command, forced), (by) => startAgent(by, { token, domains: options.domain }));
    });
}

interface AgentFlags {
  readonly shares?: string;
  readonly collector?: string;
  readonly pin?: string;
  readonly token?: string;
  readonly domain: readonly string[];
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
