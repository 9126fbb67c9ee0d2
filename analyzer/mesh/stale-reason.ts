/** Why health is stale, as values; words are made where people and other analyzers read them. */

export type StaleCause =
  | { readonly kind: 'failed'; readonly error: string }
  /** The analyzer cannot begin yet: what it stands on cannot be opened. */
  | { readonly kind: 'waiting'; readonly what: 'log' | 'database'; readonly error: string }
  | { readonly kind: 'nothing-owned' }
  | { readonly kind: 'ticks-ahead' }
  | { readonly kind: 'no-tick' }
  | { readonly kind: 'old-tick'; readonly ageMs: number }
  /** Ticks are back after a pause, and peers may still be waiting to be heard: their silence does not count yet. */
  | { readonly kind: 'resuming'; readonly leftMs: number }
  | { readonly kind: 'rebuilding'; readonly partitions: number }
  | { readonly kind: 'store-waiting'; readonly waitedMs: number }
  | { readonly kind: 'inventories-owed'; readonly peers: number }
  /** Files of which peers hold shares, and of which for long nobody has said what they are: they are not watched. */
  | { readonly kind: 'without-manifest'; readonly files: number }
  /** Partitions of which no analyzer has reported of late. */
  | { readonly kind: 'unreported'; readonly partitions: number }
  /** What another analyzer has said in its report, in its words. */
  | { readonly kind: 'reported'; readonly words: string };

/** A cause, and which analyzer's it is where several speak. */
export type StaleReason = StaleCause & { readonly analyzer?: string };

/** What passes by itself within a minute: nobody is told of it, and no other analyzer would know better. */
export function isPassing({ kind }: StaleCause): boolean {
  return kind === 'resuming';
}

export function staleReasonWords(reason: StaleReason): string {
  const words = causeWords(reason);
  return reason.analyzer === undefined ? words : `${reason.analyzer}: ${words}`;
}

/** Words for people: what another analyzer says too is said once. */
export function staleReasonsInWords(reasons: readonly StaleReason[]): string[] {
  const own = new Set(reasons.filter(({ analyzer }) => analyzer === undefined).map(causeWords));
  return reasons
    .filter((reason) => reason.analyzer === undefined || !own.has(causeWords(reason)))
    .map(staleReasonWords);
}

function causeWords(cause: StaleCause): string {
  switch (cause.kind) {
    case 'failed':
      return cause.error;
    case 'waiting':
      return `the ${cause.what} cannot be opened: ${cause.error}`;
    case 'nothing-owned':
      return 'no partition is owned yet';
    case 'ticks-ahead':
      return 'ticks come from the future and are left out: the clock of a collector, or of this machine, is wrong';
    case 'no-tick':
      return 'the log has had no tick yet: is a collector running?';
    case 'old-tick':
      return `the log's newest tick is ${seconds(cause.ageMs)} s old: collectors are away, or this analyzer lags`;
    case 'resuming':
      return `the log has had a pause: peers have ${seconds(cause.leftMs)} s to be heard again before their silence counts`;
    case 'rebuilding':
      return cause.partitions === 1
        ? '1 partition is being rebuilt'
        : `${cause.partitions} partitions are being rebuilt`;
    case 'store-waiting':
      return `ClickHouse has not taken anything for ${seconds(cause.waitedMs)} s: events wait in the log`;
    case 'inventories-owed': {
      const peers = cause.peers === 1 ? '1 peer owes' : `${cause.peers} peers owe`;
      return `records of the log were never read: ${peers} an inventory since`;
    }
    case 'without-manifest':
      return `${cause.files === 1 ? '1 file has' : `${cause.files} files have`} shares and no manifest: nobody has said what it takes to watch them`;
    case 'unreported':
      return `no analyzer has told of ${cause.partitions === 1 ? '1 partition' : `${cause.partitions} partitions`}`;
    case 'reported':
      return cause.words;
  }
}

function seconds(spanMs: number): number {
  return Math.round(spanMs / 1000);
}
