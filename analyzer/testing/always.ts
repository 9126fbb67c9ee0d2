import type { WriteGuard } from '#store/write-batch.ts';

/** Of tests in which nobody else writes. */
export const always: WriteGuard = { holds: () => Promise.resolve(true) };
