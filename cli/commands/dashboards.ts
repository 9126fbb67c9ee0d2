/** `meshward dashboards export | install`: the dashboards for a Grafana that is there already. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { retentionOf } from '../connections.ts';
import { contextOf } from '../context.ts';
import { softwareVersion } from '../version.ts';

interface ExportFlags {
  readonly provisioning: boolean;
  readonly runbooks?: string;
}

interface InstallFlags {
  readonly grafana: string;
  readonly tokenFile: string;
  readonly folder: string;
  readonly runbooks?: string;
}

const runbooksOption = [
  '--runbooks <url>',
  'address of the folder with the runbooks; without it, that of alerts (alerts.runbookUrl)',
] as const;
const requestTimeoutMs = 20_000;

export function addDashboardCommands(program: Command): void {
  const dashboards = program
    .command('dashboards')
    .description('dashboards for Grafana, on the ClickHouse of this mesh');
  describeUse(
    dashboards
      .command('export')
      .argument('<dir>', 'folder that the files are written into')
      .description('write the dashboards as JSON, as file provisioning and the sidecar of Grafana take them')
      .option('--provisioning', "with Grafana's own files for the data source, the folder and alert rules", false)
      .option(...runbooksOption),
    {
      examples: [
        'meshward dashboards export /var/lib/grafana/dashboards/meshward',
        'meshward dashboards export ./grafana --provisioning',
      ],
      notes: ['Queries follow the life times of the configuration (clickhouse.keepRawDays and its like).'],
    },
  ).action((dir: string, flags: ExportFlags, command: Command) => writeFiles(dir, flags, command));
  describeUse(
    dashboards
      .command('install')
      .description('put the dashboards into a Grafana through its HTTP API, or bring them up to date')
      .requiredOption('--grafana <url>', "Grafana's address, with its path where it has one")
      .requiredOption('--token-file <file>', 'file with the token of a service account with the role Editor')
      .option('--folder <title>', "title of the folder; it is made where Meshward's is not there", 'Meshward')
      .option(...runbooksOption),
    {
      examples: ['meshward dashboards install --grafana https://grafana.example --token-file /run/secrets/grafana'],
      exits: { 4: 'Grafana does not answer', 6: 'Grafana refuses the token or a dashboard' },
      notes: [
        'What is there already is overwritten and keeps its address. The data source is chosen in the dashboard.',
      ],
    },
  ).action((flags: InstallFlags, command: Command) => install(flags, command));
}

async function writeFiles(dir: string, flags: ExportFlags, command: Command): Promise<void> {
  const { config, output } = contextOf(command);
  const { exportDashboards } = await import('#dashboards/grafana/delivery.ts');
  const files = await exportDashboards(dir, {
    retention: retentionOf(config),
    provisioning: flags.provisioning,
    runbooksUrl: await runbooksOf(flags, config),
  });
  output.result({ files }, () => files.join('\n'));
}

async function install(flags: InstallFlags, command: Command): Promise<void> {
  const { config, output } = contextOf(command);
  const url = addressOf(flags.grafana);
  const token = await readToken(flags.tokenFile);
  const { ownDashboards } = await import('#dashboards/grafana/delivery.ts');
  const { installDashboards } = await import('#dashboards/grafana/install.ts');
  const { dashboards, hasPlugin } = await installDashboards({
    url,
    token,
    folder: flags.folder,
    dashboards: ownDashboards({ retention: retentionOf(config), runbooksUrl: await runbooksOf(flags, config) }),
    message: `meshward ${softwareVersion}`,
    fetch,
    timeoutMs: requestTimeoutMs,
  });
  if (hasPlugin === false)
    output.note('Grafana has no plugin for ClickHouse yet: grafana cli plugins install grafana-clickhouse-datasource');
  output.result({ dashboards, hasPlugin }, () => dashboards.map((one) => `${one.title}  ${one.url}`).join('\n'));
}

/** Where alerts lead to too, where nothing else is said. */
async function runbooksOf({ runbooks }: { readonly runbooks?: string }, config: Config): Promise<string> {
  if (runbooks !== undefined) return addressOf(runbooks);
  const { alertAddresses } = await import('../alerting.ts');
  return alertAddresses(config).runbookUrl;
}

/** A token in an address would end in logs. */
function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    throw new MeshwardError('bad-input', 'this is no http address without a password in it', {
      next: 'Give it as https://grafana.example or https://example.org/grafana.',
    });
  return text;
}

async function readToken(path: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new MeshwardError('bad-input', `--token-file cannot be read: ${describeError(error)}`, {
      next: 'Name a file that holds the token alone.',
    });
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new MeshwardError('bad-input', 'the file of --token-file does not hold a token', {
      next: 'It must hold one line: the token that Grafana showed when the service account got it.',
    });
  return token;
}
