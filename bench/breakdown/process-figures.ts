/** What a process of a bench tells of its processor time, from a profile of itself. */
import { profileSelf } from './own-profile.ts';
import { type BySubject, type CpuProfile, samplesBySubject } from './profile-subjects.ts';
import { type ThreadTimes, threadTimes, timesSince } from './thread-times.ts';

export interface ProcessFigures {
  /** Samples of the event loop. */
  readonly samples: BySubject;
  readonly threads: ThreadTimes;
}

export interface Watched {
  readonly profile: CpuProfile;
  readonly figures: ProcessFigures;
}

/** Five processes of a bench share what the machine has, and each sample of each takes some of it. */
const intervalUs = 1000;

/** @returns what ends it. */
export async function watchSelf(): Promise<() => Promise<Watched>> {
  const end = await profileSelf({ intervalUs });
  const before = threadTimes();
  return async () => {
    const threads = timesSince(before, threadTimes());
    const profile = await end();
    return { profile, figures: { samples: samplesBySubject(profile), threads } };
  };
}

/** What a process answers that serves others and follows no files. */
export function watchAnswers(): { watch(): Promise<void>; watched(): Promise<ProcessFigures | undefined> } {
  let end: (() => Promise<Watched>) | undefined;
  return {
    async watch() {
      end = await watchSelf();
    },
    async watched() {
      const watched = await end?.();
      end = undefined;
      return watched?.figures;
    },
  };
}
