/** The file of access tokens: JSON that commands change and services read. It holds no token, only what each is known by. */
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type Clock, sleep } from '#mesh/clock.ts';
import { writeDurably } from '#mesh/durable-file.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { roles } from '#mesh/role.ts';
import type { TokenRecord } from './tokens.ts';

const timeMs = z.number().int().min(0);

const tokenRecord = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string().min(1).max(100),
  role: z.enum(roles),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  createdAtMs: timeMs,
  expiresAtMs: timeMs,
  revokedAtMs: timeMs.nullable(),
});

/** More would make each reading slow; those that ended long ago are left out when the file is written. */
export const maxTokens = 10_000;

const tokenFile = z.strictObject({ tokens: z.array(tokenRecord).max(maxTokens) });

/** @throws MeshwardError `config-invalid`. */
export function parseTokenFile(text: string, path: string): readonly TokenRecord[] {
  try {
    return tokenFile.parse(JSON.parse(text)).tokens;
  } catch {
    // What stands there is not repeated: a token may have been put there by mistake.
    throw new MeshwardError('config-invalid', `${path} is not a file of access tokens`, {
      next: 'Restore it, or remove it and make new tokens: `meshward access create`.',
    });
  }
}

/** Empty where there is no file yet. @throws MeshwardError `config-invalid`. */
export async function readTokenFile(path: string): Promise<readonly TokenRecord[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable(path, 'read', error);
  }
  return parseTokenFile(text, path);
}

/** Tokens that ended this long ago are forgotten: what is told of them then is that they are unknown. */
const rememberedMs = 365 * 86_400_000;
const lockPatienceMs = 10_000;
const lockLookMs = 50;

/**
 * Puts what `change` makes of the tokens in their place. Of two that change it at once each sees the other's change.
 * @throws MeshwardError `config-invalid` where the file cannot be written.
 */
export async function changeTokenFile(
  path: string,
  clock: Clock,
  change: (tokens: readonly TokenRecord[]) => readonly TokenRecord[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw unusable(path, 'written', error);
  });
  const unlock = await lock(`${path}.lock`, clock);
  try {
    const nowMs = clock.nowMs();
    const tokens = change(await readTokenFile(path)).filter(
      ({ expiresAtMs, revokedAtMs }) => Math.min(expiresAtMs, revokedAtMs ?? expiresAtMs) > nowMs - rememberedMs,
    );
    if (tokens.length > maxTokens) {
      throw new MeshwardError('bad-input', `${path} holds ${maxTokens} tokens, and takes no more`, {
        next: 'Use another file, or let tokens of one purpose be one token.',
      });
    }
    await writeWhole(path, `${JSON.stringify({ tokens }, null, 2)}\n`);
  } finally {
    await unlock();
  }
}

async function lock(path: string, clock: Clock): Promise<() => Promise<void>> {
  const untilMs = clock.monotonicMs() + lockPatienceMs;
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, 'written', error);
      if (clock.monotonicMs() > untilMs) {
        throw new MeshwardError(
          'config-invalid',
          `${path} is there: another command changes the tokens, or one was broken off`,
          {
            next: 'Remove that file if no such command runs.',
            cause: error,
          },
        );
      }
      await sleep(clock, lockLookMs);
    }
  }
}

/** No reader ever sees half of it. */
function writeWhole(path: string, text: string): Promise<void> {
  return writeDurably(path, text).catch((error: unknown) => {
    throw unusable(path, 'written', error);
  });
}

function unusable(path: string, what: 'read' | 'written', error: unknown): MeshwardError {
  return new MeshwardError('config-invalid', `the file of access tokens cannot be ${what}: ${path}`, {
    next: 'Check the path (access.tokensFile) and who may use it. A mounted secret is changed where it comes from.',
    cause: error,
  });
}
