/**
 * Keys of an installation as plain files, ready to be mounted: `collector/` for collectors, `repairer/` for repairers, `access/` for all of
 * them, `operator/` for the person who commands. Replacing a key takes steps between which every replica is started anew, so that at each moment what
 * one side shows, the other side takes.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { changeTokenFile } from '#access/token-file.ts';
import { createToken } from '#access/tokens.ts';
import { systemClock } from '#mesh/clock.ts';
import { writeDurably } from '#mesh/durable-file.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { keysInPem } from '#tahoe/identity/key-file.ts';
import { createPeerKey, type PeerKey, privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { secretBytes } from './secret-file.ts';
import { type FirstOperator, parseOperators } from './service-keys.ts';

const collectorKeyFile = 'collector/collector.key.pem';
const operatorsFile = 'collector/operators';
const leaseSecretFile = 'repairer/lease-secret';
const operatorKeyFile = 'operator/operator.key.pem';
/** Beside what is mounted: says which of two keys of the collector is the newer one. */
const swappedFile = 'collector-keys-swapped';
const accessTokensFile = 'access/tokens.json';
const accessTokenFile = 'access/token';
const sessionKeyFile = 'access/session-key';
/** Of the token that services send each other. */
const accessTokenMs = 365 * 86_400_000;
const nextOperatorKeyFile = 'operator/next-operator.key.pem';

export type RotatedKey = 'collector' | 'operator' | 'lease' | 'access';

export interface KeysShown {
  /** The first is the one that collectors show. */
  readonly collectorPins: readonly PeerId[];
  readonly operators: readonly FirstOperator[];
  /** Of the key in operator/. */
  readonly operatorId: PeerId;
}

export interface RotationStep {
  readonly key: RotatedKey;
  readonly step: number;
  readonly of: number;
  readonly done: string;
  /** What a person does before the next step. */
  readonly next: string;
}

/** @throws MeshwardError `bad-input` where the folder holds keys already: nothing is overwritten. */
export async function createKeys(folder: string): Promise<KeysShown> {
  const held = await readText(join(folder, collectorKeyFile)).catch(() => null);
  if (held !== null) {
    throw new MeshwardError('bad-input', `${folder} holds keys already`, {
      next: 'Name an empty folder; `meshward keys rotate` replaces a key, step by step.',
    });
  }
  const operator = createPeerKey();
  await write(folder, operatorKeyFile, privateKeyPem(operator));
  await write(folder, leaseSecretFile, randomBytes(secretBytes));
  await write(folder, sessionKeyFile, randomBytes(secretBytes));
  await addAccessToken(folder);
  await write(folder, operatorsFile, operatorLines([{ id: operator.peerId, name: 'first operator' }]));
  await write(folder, collectorKeyFile, privateKeyPem(createPeerKey()));
  return showKeys(folder);
}

export async function showKeys(folder: string): Promise<KeysShown> {
  const [operator] = await readKeys(folder, operatorKeyFile);
  return {
    collectorPins: (await readKeys(folder, collectorKeyFile)).map(({ peerId }) => peerId),
    operators: await readOperators(folder),
    operatorId: (operator as PeerKey).peerId,
  };
}

/** Goes one step on. What was written before stays good until the step that its `next` asks for is taken. */
export function rotateKey(folder: string, key: RotatedKey): Promise<RotationStep> {
  switch (key) {
    case 'collector':
      return rotateCollector(folder);
    case 'operator':
      return rotateOperator(folder);
    case 'lease':
      return rotateLease(folder);
    case 'access':
      return rotateAccess(folder);
  }
}

/** One key: add the next behind it. Two, the older first: swap them. Two, the newer first: the older goes. */
async function rotateCollector(folder: string): Promise<RotationStep> {
  const [first, second] = await readKeys(folder, collectorKeyFile);
  const marker = join(folder, swappedFile);
  const hasSwapped = (await readText(marker).catch(() => null)) !== null;
  const put = (keys: readonly PeerKey[]): Promise<void> =>
    write(folder, collectorKeyFile, keys.map(privateKeyPem).join(''));
  const step = (number: number, done: string, next: string): RotationStep => {
    return { key: 'collector', step: number, of: 3, done, next };
  };
  if (second === undefined) {
    const made = createPeerKey();
    await put([first as PeerKey, made]);
    return step(
      1,
      `the next key ${made.peerId} stands behind the one in use`,
      'Mount the folder anew and restart the collectors. They tell every agent that posts; wait until each has (an hour, or as long as peers may be away), then run this again.',
    );
  }
  if (!hasSwapped) {
    await write(folder, swappedFile, 'the newer key stands first\n');
    await put([second, first as PeerKey]);
    return step(
      2,
      `collectors show ${second.peerId} from their next start, and peers take both`,
      'Mount the folder anew and restart the collectors one after the other. When all run, run this again.',
    );
  }
  await put([first as PeerKey]);
  await rm(marker, { force: true });
  return step(
    3,
    `${second.peerId} is no longer taken by agents once collectors have told them`,
    `Mount the folder anew and restart the collectors. An agent that was away all the time needs --pin ${(first as PeerKey).peerId}.`,
  );
}

async function rotateOperator(folder: string): Promise<RotationStep> {
  const operators = await readOperators(folder);
  const [current] = await readKeys(folder, operatorKeyFile);
  const nextText = await readText(join(folder, nextOperatorKeyFile)).catch(() => null);
  const [next] = nextText === null ? [] : keysInPem(nextText);
  const put = (all: readonly FirstOperator[]): Promise<void> => write(folder, operatorsFile, operatorLines(all));
  const { peerId: currentId } = current as PeerKey;
  if (next === undefined) {
    const made = createPeerKey();
    const name = operators.find(({ id }) => id === currentId)?.name ?? 'operator';
    await write(folder, nextOperatorKeyFile, privateKeyPem(made));
    await put([...operators, { id: made.peerId, name }]);
    return {
      key: 'operator',
      step: 1,
      of: 2,
      done: `${made.peerId} is named as an operator beside ${currentId}`,
      next: 'Mount collector/ anew and restart the collectors, then run this again.',
    };
  }
  await put(operators.filter(({ id }) => id !== currentId));
  await rename(join(folder, nextOperatorKeyFile), join(folder, operatorKeyFile));
  return {
    key: 'operator',
    step: 2,
    of: 2,
    done: `commands use ${next.peerId} from now on`,
    next: `Mount collector/ anew, restart the collectors, and take the old key out: meshward operator revoke -- ${currentId}`,
  };
}

async function rotateLease(folder: string): Promise<RotationStep> {
  await write(folder, leaseSecretFile, randomBytes(secretBytes));
  return {
    key: 'lease',
    step: 1,
    of: 1,
    done: 'the lease secret is a new one: leases that were made from the old one stay until they expire',
    next: 'Mount repairer/ anew and restart the repairers, in any order.',
  };
}

/** Both are good until the older one expires, so that replicas may change over in any order. */
async function rotateAccess(folder: string): Promise<RotationStep> {
  await addAccessToken(folder);
  return {
    key: 'access',
    step: 1,
    of: 1,
    done: 'services send a new token; the old one is good until it expires',
    next: 'Mount access/ anew: services read it again by themselves. Do so once a year, before the token expires.',
  };
}

async function addAccessToken(folder: string): Promise<void> {
  const nowMs = systemClock.nowMs();
  const about = { name: 'services', role: 'operator', createdAtMs: nowMs, expiresAtMs: nowMs + accessTokenMs } as const;
  const { token, record } = createToken(about);
  await changeTokenFile(join(folder, accessTokensFile), systemClock, (tokens) => [...tokens, record]);
  await write(folder, accessTokenFile, `${token}\n`);
}

function operatorLines(operators: readonly FirstOperator[]): string {
  return operators.map(({ id, name }) => `${id} ${name}\n`).join('');
}

async function readOperators(folder: string): Promise<readonly FirstOperator[]> {
  const path = join(folder, operatorsFile);
  return parseOperators(await readText(path), path);
}

async function readKeys(folder: string, name: string): Promise<readonly PeerKey[]> {
  const keys = keysInPem(await readText(join(folder, name)));
  if (keys.length > 0) return keys;
  throw new MeshwardError('bad-input', `${join(folder, name)} holds no private key in PEM form`, {
    next: 'Restore it from a backup, or make keys in an empty folder: meshward keys create DIR.',
  });
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new MeshwardError('bad-input', `${path} cannot be read: ${describeError(error)}`, {
      next: 'Name the folder that `meshward keys create` made.',
      cause: error,
    });
  });
}

/** What is mounted or copied from here is whole. */
async function write(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeDurably(path, content);
}
