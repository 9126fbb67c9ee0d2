/** `meshward access create | list | revoke | denials`: who may use the HTTP API and the page. */
import type { Command } from 'commander';
import type { TokenRecord } from '#access/tokens.ts';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Role, roles } from '#mesh/role.ts';
import { describeUse } from '../command-help.ts';
import { type Context, contextOf, runningContextOf } from '../context.ts';
import { aligned } from '../describe-file.ts';
import { type ApiFlags, addApiOption, findApi } from '../mesh-address.ts';
import { table } from '../output.ts';
import { parseCount, parseDuration } from '../quantities.ts';

interface FileFlags {
  readonly file?: string;
}

interface CreateFlags extends FileFlags {
  readonly role: string;
  readonly name: string;
  readonly for: string;
}

interface DenialFlags extends ApiFlags {
  readonly limit: string;
}

const longestMs = 3650 * 86_400_000;
const inPlace =
  'Services read the file again within a second: nothing is restarted. Where it is a mounted secret, change it where it comes from.';

export function addAccessCommands(program: Command): void {
  const access = program.command('access').description('who may use the HTTP API and the page, beyond loopback');
  const onFile = (command: Command): Command =>
    command.option('--file <file>', 'file of access tokens, hashed (access.tokensFile)');

  describeUse(
    onFile(access.command('create'))
      .description('make an access token; it is printed this once, and kept as a hash')
      .requiredOption('--role <role>', 'viewer reads; operator also has plans made; approver also sees who was denied')
      .requiredOption('--name <name>', 'who or what has it, for lists and logs')
      .requiredOption('--for <duration>', 'how long it is good, such as 90d'),
    {
      examples: [
        'meshward access create --role viewer --name grafana --for 90d',
        'meshward access create --role operator --name ada --for 30d --file tokens.json',
      ],
      notes: [inPlace],
    },
  ).action((flags: CreateFlags, command: Command) => create(contextOf(command), flags));

  describeUse(onFile(access.command('list')).description('access tokens: who has them, their roles, until when'), {
    examples: ['meshward access list'],
  }).action(async (flags: FileFlags, command: Command) => {
    const context = contextOf(command);
    const { readTokenFile } = await import('#access/token-file.ts');
    const tokens = (await readTokenFile(tokensFileOf(context, flags))).map(withState);
    context.output.result({ tokens }, () =>
      table(
        ['name', 'role', 'state', 'until', 'id'],
        tokens.map(({ name, role, state, expiresAtMs, id }) => [name, role, state, dayOf(expiresAtMs), id]),
      ),
    );
  });

  describeUse(
    onFile(access.command('revoke'))
      .argument('<token>', 'its id, or its name')
      .description('take an access token out: it and the logins that were made with it end at once'),
    {
      examples: ['meshward access revoke 9f86d081884c7d65', 'meshward access revoke grafana'],
      exits: { 3: 'no good token has this id or name' },
      notes: [inPlace],
    },
  ).action((reference: string, flags: FileFlags, command: Command) => revoke(contextOf(command), reference, flags));

  describeUse(
    addApiOption(access.command('denials'))
      .description('who was denied what by an analyzer since it was started, newest first')
      .option('--limit <n>', 'how many', '50'),
    {
      examples: ['meshward access denials --limit 20'],
      exits: { 4: 'the analyzer is away', 6: 'the token of access.apiTokenFile is not one of an approver' },
    },
  ).action((flags: DenialFlags, command: Command) => denials(runningContextOf(command), flags));
}

function tokensFileOf({ config }: Context, { file }: FileFlags): string {
  const path = file ?? config.access.tokensFile;
  if (path !== '') return path;
  throw new MeshwardError('bad-input', 'nothing names the file of access tokens', {
    next: 'Give --file FILE, or set access.tokensFile to the file that the services read.',
  });
}

async function create(context: Context, flags: CreateFlags): Promise<void> {
  const path = tokensFileOf(context, flags);
  const role = roleOf(flags.role);
  const name = flags.name.trim();
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,99}$/u.test(name)) {
    throw new MeshwardError('bad-input', '--name is not a name of up to 100 letters, digits, blanks and . _ @ -', {
      next: 'Give a name that says who or what has the token, such as "grafana" or "ada".',
    });
  }
  const lifetimeMs = parseDuration(flags.for, '--for');
  if (lifetimeMs < 1 || lifetimeMs > longestMs) {
    throw new MeshwardError('bad-input', '--for is not a time of up to ten years', { next: 'Give one such as 90d.' });
  }
  const { createToken } = await import('#access/tokens.ts');
  const { changeTokenFile } = await import('#access/token-file.ts');
  const createdAtMs = systemClock.nowMs();
  const { token, record } = createToken({ name, role, createdAtMs, expiresAtMs: createdAtMs + lifetimeMs });
  await changeTokenFile(path, systemClock, (tokens) => {
    if (tokens.some((known) => known.name === name && withState(known).state === 'good')) {
      throw new MeshwardError('bad-input', `a token of the name ${name} is good already`, {
        next: 'Revoke that one first, or give this one another name.',
      });
    }
    return [...tokens, record];
  });
  const { id, expiresAtMs } = record;
  context.output.result({ token, id, name, role, expiresAtMs, file: path }, () =>
    aligned([
      ['token', token],
      ['id', id],
      ['name', name],
      ['role', role],
      ['until', dayOf(expiresAtMs)],
    ]),
  );
  context.output.note(
    'The token is shown this once. Commands read theirs from the file that access.apiTokenFile names.',
  );
}

async function revoke(context: Context, reference: string, flags: FileFlags): Promise<void> {
  const { changeTokenFile } = await import('#access/token-file.ts');
  const revokedAtMs = systemClock.nowMs();
  let revoked: TokenRecord | undefined;
  await changeTokenFile(tokensFileOf(context, flags), systemClock, (tokens) => {
    const isGood = (token: TokenRecord): boolean => withState(token).state === 'good';
    revoked =
      tokens.find((token) => token.id === reference && isGood(token)) ??
      tokens.find((token) => token.name === reference && isGood(token));
    if (revoked === undefined) {
      throw new MeshwardError('access-token-unknown', 'no good token has this id or name', {
        next: 'See `meshward access list`.',
      });
    }
    return tokens.map((token) => (token === revoked ? { ...token, revokedAtMs } : token));
  });
  const { id = '', name = '', role = 'viewer' } = revoked ?? {};
  context.output.result({ id, name, role, revokedAtMs }, () => `${name} (${role}, ${id}) is let in no more.`);
}

async function denials(context: Context, flags: DenialFlags): Promise<void> {
  const limit = parseCount(flags.limit, '--limit', 1, 1000);
  const found = await (await findApi(context, flags)).denials(limit);
  context.output.result({ denials: found }, () =>
    found.length === 0
      ? 'Nobody was denied.'
      : table(
          ['when', 'reason', 'from', 'caller', 'method', 'route'],
          found.map((each) => [
            new Date(each.atMs).toISOString(),
            each.reason,
            each.address,
            each.caller ?? '-',
            each.method,
            each.route,
          ]),
        ),
  );
}

function roleOf(text: string): Role {
  const role = roles.find((known) => known === text);
  if (role !== undefined) return role;
  throw new MeshwardError('bad-input', '--role is none of viewer, operator and approver', {
    next: 'Give the least that is needed: viewer for dashboards, and for people who look.',
  });
}

function withState({ sha256: _sha256, ...token }: TokenRecord) {
  const isOver = systemClock.nowMs() >= token.expiresAtMs;
  return { ...token, state: token.revokedAtMs !== null ? 'revoked' : isOver ? 'expired' : 'good' };
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');
}
