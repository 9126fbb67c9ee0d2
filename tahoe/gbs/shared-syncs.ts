/**
 * Syncs of whole file systems, shared by all who want one: many peers of a process may lie on one disk. One runs at a time, and who comes
 * meanwhile waits for the next, since what they wrote may be too late for the one that runs.
 */

export function sharedSyncs<Outcome>(
  sync: (path: string) => Promise<Outcome>,
  deviceOf: (path: string) => Promise<number>,
): (path: string) => Promise<Outcome> {
  const running = new Map<number, Promise<Outcome>>();
  const next = new Map<number, Promise<Outcome>>();

  function start(device: number, path: string): Promise<Outcome> {
    const one = sync(path).finally(() => {
      if (running.get(device) === one) running.delete(device);
    });
    running.set(device, one);
    return one;
  }

  return async (path) => {
    const device = await deviceOf(path);
    const current = running.get(device);
    if (current === undefined) return start(device, path);
    const waiting =
      next.get(device) ??
      current
        .then(
          () => undefined,
          () => undefined,
        )
        .then(() => {
          next.delete(device);
          return start(device, path);
        });
    next.set(device, waiting);
    return waiting;
  };
}
