// One builder at a time. The lock is a file that names its owner's process; an owner that died does not hold it.
import { closeSync, linkSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const waitLimitMs = 600_000;

export async function withBuildLock(path, work) {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    const deadlineMs = performance.now() + waitLimitMs;
    while (!tryLock(path, own)) {
      if (performance.now() > deadlineMs)
        throw new Error(`another build has held ${path} for ten minutes; remove the file if none is running`);
      await delay(100);
    }
    try {
      return await work();
    } finally {
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

// A hard link appears with its content or not at all, so that nobody reads an owner that is not written yet.
function tryLock(path, own) {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  if (!ownerLives(path)) stealFromDead(path);
  return false;
}

function ownerLives(path) {
  try {
    process.kill(Number(readFileSync(path, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// Only one process may remove a dead owner's lock, or a second would remove the lock of the process that came after.
function stealFromDead(path) {
  const claim = `${path}.steal`;
  try {
    closeSync(openSync(claim, 'wx'));
  } catch {
    return;
  }
  try {
    if (!ownerLives(path)) rmSync(path, { force: true });
  } finally {
    rmSync(claim, { force: true });
  }
}
