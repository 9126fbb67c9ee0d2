/** `meshward service install`: units of systemd for the services of this machine. */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, type Command } from 'commander';
import { MeshwardError } from '#mesh/errors.ts';
import { describeUse } from '../command-help.ts';
import { contextOf } from '../context.ts';
import { renderUnit, type UnitName, type UnitOptions, unitFileName, unitNames } from '../systemd-unit.ts';

interface InstallFlags {
  readonly keys?: string;
  readonly user?: string;
  readonly write: boolean;
  readonly dir: string;
}

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));

export function addServiceInstallCommand(program: Command): void {
  const service = program.command('service').description('services under the supervisor of this machine (systemd)');
  describeUse(
    service
      .command('install')
      .addArgument(new Argument('<name...>', 'which services').choices(unitNames))
      .description('print hardened units of systemd, or write them')
      .option('--keys <dir>', 'folder that `meshward keys create` made; each service is handed only what it needs')
      .option('--user <name>', 'who runs it; without it systemd makes a user. An agent needs the owner of the shares')
      .option('--write', 'write them, in place of those that are there', false)
      .option('--dir <dir>', 'where units are written', '/etc/systemd/system')
      .action(async (names: readonly UnitName[], flags: InstallFlags, command: Command) => {
        await install(names, flags, command);
      }),
    {
      examples: [
        'meshward --config /etc/meshward/meshward.yaml service install analyzer',
        'sudo meshward --config /etc/meshward/meshward.yaml service install collector analyzer repairer --keys /etc/meshward/keys --write',
        'sudo meshward --config /etc/meshward/meshward.yaml service install agent --user tahoe --write',
      ],
      notes: [
        'Nothing is started. Afterwards: systemctl daemon-reload, then systemctl enable --now meshward-NAME.',
        'Where logs go is the business of journald: services write to standard error.',
      ],
    },
  );
}

async function install(names: readonly UnitName[], flags: InstallFlags, command: Command): Promise<void> {
  const context = contextOf(command);
  const { config: file } = command.optsWithGlobals<{ config?: string }>();
  const options = optionsOf(context.config, file ?? process.env['MESHWARD_CONFIG'], flags);
  const units = names.map((name) => {
    if (name === 'agent' && (options.user === null || context.config.agent.shares === '')) {
      throw new MeshwardError('bad-input', 'an agent needs --user, and agent.shares in its configuration', {
        next: 'Give --user the owner of the shares, and set agent.shares to their folder.',
      });
    }
    const shares = name === 'agent' ? resolve(context.config.agent.shares) : null;
    return { file: unitFileName(name), text: renderUnit(name, { ...options, shares }) };
  });
  if (!flags.write) {
    const isSingle = units.length === 1;
    context.output.result({ units }, () =>
      units.map(({ file: name, text }) => (isSingle ? text : `# ${name}\n${text}`)).join('\n'),
    );
    return;
  }
  for (const { file: name, text } of units) await writeFile(join(flags.dir, name), text, { mode: 0o644 });
  const written = units.map(({ file: name }) => join(flags.dir, name));
  context.output.result({ written }, () =>
    [
      ...written,
      `Start them: systemctl daemon-reload && systemctl enable --now ${units.map((unit) => unit.file).join(' ')}`,
    ].join('\n'),
  );
}

function optionsOf(
  { shutdown }: ReturnType<typeof contextOf>['config'],
  file: string | undefined,
  { keys, user }: InstallFlags,
): Omit<UnitOptions, 'shares'> {
  if (file === undefined) {
    throw new MeshwardError('bad-input', 'a unit names its configuration', {
      next: 'Give it with --config, such as --config /etc/meshward/meshward.yaml.',
    });
  }
  return {
    node: process.execPath,
    program: mainFile,
    config: resolve(file),
    keys: keys === undefined ? null : resolve(keys),
    user: user ?? null,
    stopMs: shutdown.lingerMs + shutdown.timeoutMs,
  };
}
