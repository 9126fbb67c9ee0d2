/** Files worked on in this process, and what that took of it. */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { profileSelf } from '../breakdown/own-profile.ts';
import { type CpuProfile, subjectSlices, sumBySubject } from '../breakdown/profile-subjects.ts';
import { ownCpuSeconds } from '../load/child.ts';
import { inLanes } from '../load/lanes.ts';
import type { ProfileFigures, WorkFigures } from './protocol.ts';
import type { RequestMeter } from './request-meter.ts';

/** @param work on one file, measured by itself. */
export async function measuredWork<T, R>(
  files: readonly T[],
  atOnce: number,
  meter: RequestMeter,
  work: (file: T) => Promise<R>,
): Promise<{ readonly results: readonly R[]; readonly figures: WorkFigures }> {
  const { queuedSeconds, waitedSeconds } = meter;
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  const beganMs = performance.now();
  const fileSeconds: number[] = [];
  const results = await inLanes(files, atOnce, async (file) => {
    const fileBeganMs = performance.now();
    const result = await work(file);
    fileSeconds.push((performance.now() - fileBeganMs) / 1000);
    return result;
  });
  const seconds = (performance.now() - beganMs) / 1000;
  delay.disable();
  return {
    results,
    figures: {
      seconds,
      fileSeconds,
      roundTrips: meter.takeRoundTrips() / files.length,
      stallMs: delay.max / 1e6,
      queuedSeconds: meter.queuedSeconds - queuedSeconds,
      waitedSeconds: meter.waitedSeconds - waitedSeconds,
      peakMiB: peakMiB(),
    },
  };
}

/** Of this process since it began: what the system counts for `resourceUsage` begins with the memory of the process that started it. */
function peakMiB(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kib) / 1024;
}

/** What a process of the bench answers to who wants its profile. */
export function profileAnswers(): {
  profile(path: string): Promise<void>;
  profiled(): Promise<ProfileFigures>;
} {
  let endProfile: (() => Promise<CpuProfile>) | undefined;
  let cpuBefore = 0;
  return {
    async profile(path) {
      cpuBefore = ownCpuSeconds();
      endProfile = await profileSelf({ intervalUs: 500, path });
    },
    async profiled() {
      const cpuSeconds = ownCpuSeconds() - cpuBefore;
      const loopUs = sumBySubject(subjectSlices((await endProfile?.()) as CpuProfile));
      return { loopUs, cpuSeconds };
    },
  };
}
