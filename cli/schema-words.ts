/** What the collector's schemas refuse in a body, in the words of the command line: people gave options, and no body. */
import { MeshwardError } from '#mesh/errors.ts';

/** The options, by the fields of the bodies that they fill. */
const options: Readonly<Record<string, string>> = {
  token: 'the token',
  name: 'the name (agent.name)',
  domains: '--domain',
  nurl: 'the address of the share server (agent.host, agent.port)',
  capacityBytes: 'agent.capacityBytes',
  lifetimeMs: '--lifetime',
  replacesPeerId: '--replaces',
  heartbeatMs: '--heartbeat',
  inventoryIntervalS: '--inventory-every',
  verifyBytesPerSecond: '--verify-rate',
  serveBytesPerSecond: '--serve-rate',
  untilMs: '--for',
  reason: '--reason',
  tag: '--tag',
  cap: 'the cap',
};

const units: readonly (readonly [string, string])[] = [
  ['PerSecond', ' bytes a second'],
  ['Bytes', ' bytes'],
  ['Ms', ' ms'],
  ['S', ' s'],
];

/** The error itself where it is of another kind. */
export function inOptions(error: unknown): unknown {
  if (!(error instanceof MeshwardError) || error.code !== 'bad-input') return error;
  const found = /^body\/(\S+) (.*)$/s.exec(error.message);
  if (found === null) return error;
  const field = (found[1] as string).split('/').findLast((part) => part in options);
  if (field === undefined) return error;
  const unit = units.find(([ending]) => field.endsWith(ending))?.[1] ?? '';
  return new MeshwardError('bad-input', `${options[field]} ${say(found[2] as string, unit)}`, {
    next: 'Give it as `--help` of this command describes it.',
    cause: undefined,
  });
}

function say(refusal: string, unit: string): string {
  return refusal
    .replace(/^must be >= (\d+)$/, `must be at least $1${unit}`)
    .replace(/^must be <= (\d+)$/, `must be at most $1${unit}`)
    .replace(/^must NOT have fewer than 1 characters$/, 'is empty')
    .replace(/^must NOT have fewer than (\d+) characters$/, 'has fewer than $1 characters')
    .replace(/^must NOT have more than (\d+) (characters|properties|items)$/, 'has more than $1 $2')
    .replace(/^must match pattern .*$/, 'is not of the form that is wanted')
    .replace(/^property name must be valid$/, 'has a kind that is none: write kind=name, such as zone=alder');
}
