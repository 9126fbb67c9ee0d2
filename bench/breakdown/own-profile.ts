/** A CPU profile of this process, taken by itself. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import type { CpuProfile } from './profile-subjects.ts';

export interface ProfileOptions {
  readonly intervalUs: number;
  /** Where it is written to as well. */
  readonly path?: string;
}

/** @returns what ends the profile. */
export async function profileSelf({ intervalUs, path }: ProfileOptions): Promise<() => Promise<CpuProfile>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: intervalUs });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    if (path !== undefined) writeFileSync(path, JSON.stringify(profile));
    return profile as unknown as CpuProfile;
  };
}
