// One builder at a time on a machine. The lock is a folder with one entry, whose name says which process owns it; an owner that
// died does not hold it.
//
// The folder is made beside the lock, entry and all, and renamed into its place. A rename succeeds where nothing is, or an empty
// folder: never over an owner, and nobody sees a lock without one. No entry's name is used twice, so that any number of
// processes can take a dead owner's entry away at once: none of them can hit the owner that came after, however late it is,
// and a crash on the way leaves nothing that others would wait for.
import { randomUUID } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The lock was not had: `message` says who holds it, `next` what to do. */
export class BuildLockError extends Error {
  constructor(message, next) {
    super(message);
    this.name = 'BuildLockError';
    this.next = next;
  }
}

/** Does the work while no other process does; `path` must stand in a folder that is there. @throws BuildLockError */
export async function withBuildLock(path, work, { waitLimitMs = 600_000 } = {}) {
  const entry = `${process.pid}.${randomUUID()}`;
  const own = `${path}.${entry}`;
  try {
    mkdirSync(own);
    writeFileSync(join(own, entry), '');
    await takeLock(path, own, waitLimitMs);
  } catch (error) {
    rmSync(own, { recursive: true, force: true });
    throw error;
  }
  try {
    removeLeftovers(path);
    return await work();
  } finally {
    removeOwner(path, join(path, entry));
    removeIfEmpty(path);
  }
}

async function takeLock(path, own, waitLimitMs) {
  const deadlineMs = performance.now() + waitLimitMs;
  while (!tryRename(own, path)) {
    const owner = liveOwner(path);
    if (owner !== undefined && performance.now() >= deadlineMs) throw heldByOther(path, owner, waitLimitMs);
    await delay(owner === undefined ? 1 : 100);
  }
}

function tryRename(own, path) {
  try {
    renameSync(own, path);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(error.code)) return false;
    throw error;
  }
}

/** The one that holds the lock, or undefined where it is free: entries of the dead are taken away on the way. */
function liveOwner(path) {
  for (const owner of ownersOf(path)) {
    if (isAlive(owner.pid)) return owner;
    removeOwner(path, owner.file);
  }
  return undefined;
}

function ownersOf(path) {
  try {
    return readdirSync(path).map((entry) => ({ pid: Number.parseInt(entry, 10), file: join(path, entry) }));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    if (error.code !== 'ENOTDIR') throw error;
  }
  return ownerOfFile(path);
}

// A file in the lock's place is how an earlier version held it. What is removed for it is a file only, never a folder.
function ownerOfFile(path) {
  try {
    return [{ pid: Number.parseInt(readFileSync(path, 'utf8'), 10), file: path }];
  } catch (error) {
    if (['ENOENT', 'EISDIR'].includes(error.code)) return [];
    throw error;
  }
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// Another process may have removed it first, and put a lock of its own there.
function removeOwner(path, file) {
  try {
    unlinkSync(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(error.code)) return;
    if (file === path && lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return;
    throw new BuildLockError(
      `${file} is left of a build that has ended and cannot be removed (${error.code})`,
      `Remove ${path} with the rights of its owner, then run: node native/build.js`,
    );
  }
}

function removeIfEmpty(folder) {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(error.code)) throw error;
  }
}

/** Takes away what processes left that died while they waited; `lock.steal` is an earlier version's, and nobody's now. */
function removeLeftovers(path) {
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path)).filter((name) => name.startsWith(prefix))) {
    const pid = /^\d+/.exec(name.slice(prefix.length))?.[0];
    const isLeft = pid === undefined ? name === `${prefix}steal` : !isAlive(Number(pid));
    if (isLeft) removeLitter(join(dirname(path), name));
  }
}

// What another user's process left stays: it is in nobody's way.
function removeLitter(path) {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(error.code)) throw error;
  }
}

function heldByOther(path, owner, waitLimitMs) {
  return new BuildLockError(
    `process ${owner.pid} has held ${path} for ${Math.round(waitLimitMs / 60_000)} minutes`,
    `See what it does (ps -fp ${owner.pid}): if it builds, wait for its end, else remove ${path}; then run: node native/build.js`,
  );
}
