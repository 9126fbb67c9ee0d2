/** The secrets of services and operators: from the files that the configuration names, or from the data directory, where they are made once. */
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';
import { readKeyFile, readSecretFile } from '#tahoe/identity/key-file.ts';
import { keyFileName, openKeyFolder, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { type Context, foldersOf } from './context.ts';
import { openSecret, secretBytes } from './secret-file.ts';

type Where = Pick<Context, 'config' | 'dataDir'>;

export interface CollectorKey {
  readonly identity: PeerIdentity;
  /** Of keys that peers shall take too, while one replaces the other. */
  readonly otherPins: readonly PeerId[];
}

export async function openCollectorKey({ config, dataDir }: Where): Promise<CollectorKey> {
  const path = config.keys.collectorKeyFile;
  const commonName = 'meshward-collector';
  if (path === '')
    return { identity: await openKeyFolder(foldersOf(dataDir, config).collectorKey, { commonName }), otherPins: [] };
  const { first, keys } = await readKeyFile(path, 'keys.collectorKeyFile', commonName);
  return { identity: first, otherPins: keys.slice(1).map(({ peerId }) => peerId) };
}

export interface FirstOperator {
  readonly id: PeerId;
  readonly name: string;
}

/** Who can write to this file, or to the data directory, decides who operates the mesh. */
export async function firstOperators({ config, dataDir }: Where): Promise<readonly FirstOperator[]> {
  const path = config.keys.operatorsFile;
  if (path !== '') return readOperators(path);
  const folder = foldersOf(dataDir, config).operatorKey;
  const { peerId } = await openKeyFolder(folder, { commonName: 'meshward-operator' });
  return [{ id: peerId, name: 'first operator' }];
}

async function readOperators(path: string): Promise<readonly FirstOperator[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new MeshwardError('config-invalid', `${path} (keys.operatorsFile) cannot be read: ${describeError(error)}`, {
      next: 'Mount what `meshward keys create` makes.',
      cause: error,
    });
  });
  return parseOperators(text, path);
}

/** @param text a line for each operator: its id, a blank, its name; lines that begin with # say nothing. */
export function parseOperators(text: string, path: string): readonly FirstOperator[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [id = '', ...words] = line.split(/\s+/);
      if (isPeerId(id)) return { id, name: words.join(' ') || 'operator' };
      throw new MeshwardError('config-invalid', `${path} (keys.operatorsFile): a line names no operator`, {
        next: 'Write the id of a key, a blank and a name in each line; `meshward operator key` prints the id of a key.',
      });
    });
}

/** @throws MeshwardError `config-invalid` where there is none: none is made here. */
export async function openOperatorKey({ config, dataDir }: Where): Promise<PeerIdentity> {
  const path = config.keys.operatorKeyFile;
  const commonName = 'meshward-operator';
  if (path !== '') return (await readKeyFile(path, 'keys.operatorKeyFile', commonName)).first;
  const folder = foldersOf(dataDir, config).operatorKey;
  try {
    await access(join(folder, keyFileName));
  } catch {
    throw new MeshwardError('config-invalid', `there is no operator key in ${folder}`, {
      next: 'Name the data directory of the collector with --data-dir, or the key itself with keys.operatorKeyFile.',
    });
  }
  return openKeyFolder(folder, { commonName });
}

/** Leases of shares that this installation writes are made from it. @param folder of the data directory, where no file is named. */
export async function openLeaseSecret(
  { config, dataDir }: Where,
  folder: 'repairer' | 'operatorKey',
): Promise<Uint8Array> {
  const path = config.keys.leaseSecretFile;
  if (path === '') return openSecret(foldersOf(dataDir, config)[folder], 'lease-secret');
  const secret = await readSecretFile(path, 'keys.leaseSecretFile');
  if (secret.length === secretBytes) return new Uint8Array(secret);
  throw new MeshwardError('config-invalid', `${path} (keys.leaseSecretFile) does not hold ${secretBytes} bytes`, {
    next: 'Mount what `meshward keys create` makes.',
  });
}
