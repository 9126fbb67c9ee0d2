/** `meshward peer kill | wipe | return`: what happens to peers of the demonstration, and of nothing else. */
import type { Command } from 'commander';
import { type ApiSender, apiSender } from '#access/api-sender.ts';
import { createApiClient } from '#analyzer/api/client.ts';
import type { PeerAction } from '#demo/control.ts';
import type { ApiError } from '#mesh/api-error.ts';
import { describeError, type ErrorCode, errorCodes, MeshwardError } from '#mesh/errors.ts';
import { collect, describeUse } from '../command-help.ts';
import { type Context, foldersOf, runningContextOf } from '../context.ts';
import { isInDomains, parseDomains } from '../failure-domain.ts';
import { type RunFile, readRunFile } from '../run-file.ts';

interface DemoFlags {
  readonly domain: readonly string[];
}

const descriptions: Readonly<Record<PeerAction, string>> = {
  kill: 'demonstration: stop peers as if their machines had died; their shares stay on the disk',
  wipe: 'demonstration: take every share from peers, as a lost disk does; they go on running',
  return: 'demonstration: start peers again that were killed',
};

const done: Readonly<Record<PeerAction, string>> = { kill: 'killed', wipe: 'wiped', return: 'back' };

export function addDemoPeerCommands(peer: Command): void {
  for (const action of Object.keys(descriptions) as PeerAction[]) {
    const command = peer
      .command(action)
      .argument('[name...]', 'names of peers')
      .description(descriptions[action])
      .option('--domain <kind=name>', 'every peer of this failure domain; may be given several times', collect, []);
    describeUse(command, {
      examples: [`meshward peer ${action} alder-01 alder-02`, `meshward peer ${action} --domain zone=alder`],
      exits: {
        3: 'no peer of it has the name, or is in the domain',
        4: 'no demonstration runs with this data directory',
      },
    });
    command.action((names: string[], flags: DemoFlags, command: Command) =>
      act(runningContextOf(command), action, names, flags),
    );
  }
}

async function act(context: Context, action: PeerAction, given: readonly string[], flags: DemoFlags): Promise<void> {
  const run = await readRunFile(foldersOf(context.dataDir, context.config).runFile);
  if (run.demo === undefined) {
    throw new MeshwardError('service-unavailable', 'no demonstration runs with this data directory', {
      next: `Start one with \`npm start\`. Peers of a real mesh are stopped on their own machines; see \`meshward peer --help\` for what the mesh can be told of them.`,
    });
  }
  const names = await chooseNames(run, given, flags, apiSender(context.config.access));
  await ask(run.demo, action, names);
  context.output.result(
    { action, peers: names },
    () =>
      `${names.length === 1 ? names[0] : `${names.length} peers`} ${names.length === 1 ? 'is' : 'are'} ${done[action]}: ${names.join(', ')}`,
  );
}

async function chooseNames(
  run: RunFile,
  given: readonly string[],
  flags: DemoFlags,
  send: ApiSender,
): Promise<readonly string[]> {
  const domains = parseDomains(flags.domain);
  const names = new Set(given);
  if (flags.domain.length > 0) {
    const { peers } = await createApiClient(run.apiUrl, undefined, send).peers();
    for (const peer of peers) if (isInDomains(peer.domains, domains)) names.add(peer.name);
  }
  if (names.size > 0) return [...names];
  throw new MeshwardError(
    flags.domain.length > 0 ? 'file-unknown' : 'bad-input',
    flags.domain.length > 0 ? 'no peer is in this failure domain' : 'no peer is named',
    {
      next: 'Name peers, or a failure domain with --domain; `meshward peers` lists them.',
    },
  );
}

async function ask(demo: NonNullable<RunFile['demo']>, action: PeerAction, names: readonly string[]): Promise<void> {
  let response: Response;
  try {
    response = await fetch(new URL(`/v1/peers/${action}`, demo.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${demo.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ names }),
      signal: AbortSignal.timeout(120_000),
    });
  } catch (error) {
    throw new MeshwardError('service-unavailable', `the demonstration does not answer: ${describeError(error)}`, {
      next: 'See whether it still runs; start it again with `npm start`.',
      retryable: true,
    });
  }
  if (!response.ok) throw refusal(response.status, await response.text());
}

function refusal(status: number, text: string): MeshwardError {
  try {
    const { error } = JSON.parse(text) as ApiError;
    const code: ErrorCode = errorCodes.find((known) => known === error.code) ?? 'internal';
    return new MeshwardError(code, error.message, { next: error.next, retryable: error.retryable });
  } catch {
    return new MeshwardError('service-unavailable', `the demonstration answered with status ${status}`, {
      next: 'Start it again with `npm start`.',
      retryable: true,
    });
  }
}
