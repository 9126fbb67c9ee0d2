/** `meshward token`: what a new peer needs to join. */
import type { Command } from 'commander';
import type { TokenAnswer } from '#collector/gateway/bodies.ts';
import { systemClock } from '#mesh/clock.ts';
import { collect, describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { aligned } from '../describe-file.ts';
import { formatDomains, parseDomains } from '../failure-domain.ts';
import { addCollectorOptions, type CollectorFlags, withCollector } from '../mesh-address.ts';
import { formatDuration } from '../output.ts';
import { resolvePeer } from '../peer-reference.ts';
import { parseDuration } from '../quantities.ts';

interface TokenFlags extends CollectorFlags {
  readonly domain: readonly string[];
  readonly lifetime?: string;
  readonly replaces?: string;
}

export function addTokenCommand(parent: Command): void {
  const words = parent.parent === null ? 'meshward token' : 'meshward peer token';
  const command = parent
    .command('token')
    .description('make a one-time token that enrols a new peer, and print the command to run on its machine')
    .option('--domain <kind=name>', 'failure domain that the peer is bound to; may be given several times', collect, [])
    .option('--lifetime <duration>', 'how long the token is good, such as 24h (collector.tokenLifetimeMs)')
    .option('--replaces <peer>', 'name or id of the peer whose settings and domains the new one takes over');
  describeUse(addCollectorOptions(command), {
    examples: [`${words} --domain zone=alder --domain region=north`, `${words} --replaces alder-07 --lifetime 1h`],
    exits: {
      3: 'no peer is called what --replaces names',
      4: 'the collector is away',
      6: 'the key in this data directory is not an operator of the mesh',
    },
    notes: ['The token is a secret until it is used or expires; it is shown this once.'],
  });
  command.action((flags: TokenFlags, command: Command) => makeToken(runningContextOf(command), flags));
}

async function makeToken(context: Context, flags: TokenFlags): Promise<void> {
  const domains = parseDomains(flags.domain);
  const lifetimeMs = flags.lifetime === undefined ? undefined : parseDuration(flags.lifetime, '--lifetime');
  await withCollector(context, flags, async (collector, address) => {
    const replaced =
      flags.replaces === undefined ? undefined : resolvePeer(flags.replaces, await collector.directory());
    const answer = await collector.createToken({
      ...(Object.keys(domains).length === 0 ? {} : { domains }),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
      ...(replaced === undefined ? {} : { replacesPeerId: replaced.peerId }),
    });
    const collectorUrl = context.config.collector.publicUrl === '' ? address.url : context.config.collector.publicUrl;
    const command = agentCommand(answer, collectorUrl);
    context.output.result({ ...answer, collectorUrl, domains, replaces: replaced?.peerId ?? null, command }, () =>
      [
        aligned([
          ['token', answer.token],
          ['good for', formatDuration(Math.ceil(Math.max(0, answer.expiresAtMs - systemClock.nowMs()) / 1000) * 1000)],
          ['domains', Object.keys(domains).length === 0 ? 'as the peer says' : formatDomains(domains)],
          ...(replaced === undefined ? [] : [['replaces', replaced.name] as [string, string]]),
          ['collector', collectorUrl],
          ['pin', answer.collectorPin],
        ]),
        '',
        'Run on the machine of the peer:',
        `  ${command}`,
      ].join('\n'),
    );
  });
}

/** The token goes by the environment: arguments can be seen by every user of a machine. */
export function agentCommand({ token, collectorPin }: TokenAnswer, collectorUrl: string): string {
  return `MESHWARD_TOKEN=${token} meshward agent --shares /path/to/shares --collector ${collectorUrl} --pin ${collectorPin}`;
}
