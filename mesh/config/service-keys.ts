/** Sections `keys` and `shutdown` of the configuration: secrets that are mounted, and how a service ends. */
import { z } from 'zod';
import { durationMs, key, text } from './key.ts';

export const keysSection = z.strictObject({
  collectorKeyFile: key(
    text,
    '',
    'path',
    "File with the collector's private key (PEM), the same at every collector. Further keys in it are those that peers take too while one replaces the other. Empty makes one in dataDir.",
  ),
  operatorsFile: key(
    text,
    '',
    'path',
    'File that names the first operators, a line each: the id of the key, a blank, a name. Empty is the key in dataDir, which is made where there is none.',
  ),
  operatorKeyFile: key(
    text,
    '',
    'path',
    "File with an operator's private key (PEM), for commands. Empty is the key in dataDir.",
  ),
  leaseSecretFile: key(
    text,
    '',
    'path',
    'File with the 32 bytes that leases of repaired shares are made from, the same at every repairer. Empty makes one in dataDir.',
  ),
});

export const shutdownSection = z.strictObject({
  lingerMs: key(
    z.number().int().min(0),
    0,
    'ms',
    'A service that is to end says so on /readyz and goes on for as long, so that balancers send it nothing new.',
  ),
  timeoutMs: key(
    durationMs,
    25_000,
    'ms',
    'How long a service may then take to hand its partitions over and to end; what hangs is left behind. Both together must be less than what the supervisor grants.',
  ),
});
