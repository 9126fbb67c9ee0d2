/** A CPU profile of this process, taken by itself. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import type { CpuProfile } from './profile-subjects.ts';

/** @returns what ends the profile; it is written to `path` too, where that is given. */
export async function profileSelf(path?: string): Promise<() => Promise<CpuProfile>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    if (path !== undefined) writeFileSync(path, JSON.stringify(profile));
    return profile as unknown as CpuProfile;
  };
}
