/** The state that /v1/stream tells: at first all of it, then what changed. */
import { useEffect, useState } from 'preact/hooks';

export type Grade = 'lost' | 'critical' | 'at-risk' | 'degraded' | 'healthy';
export const grades: readonly Grade[] = ['lost', 'critical', 'at-risk', 'degraded', 'healthy'];
export const peerStates = ['up', 'suspect', 'down', 'departed', 'draining', 'maintenance'] as const;
export type PeerState = (typeof peerStates)[number];

export interface Moment {
  readonly atMs: number;
  readonly files: readonly (readonly [margin: number, files: number])[];
}

export interface BriefFile {
  readonly storageIndex: string;
  readonly grade: Grade;
  readonly available: number;
  readonly counted: number;
  readonly margin: number;
  readonly k: number;
  readonly n: number;
  readonly sizeBytes: number;
  readonly cause: string;
}

export interface BriefAlert {
  readonly key: string;
  readonly severity: 'page' | 'warning';
  readonly summary: string;
  readonly next: string;
  readonly files: number;
  readonly sinceMs: number;
}

export interface RunningRepair {
  readonly storageIndex: string;
  readonly grade: Grade;
  readonly shares: number;
  readonly progress: number;
  readonly bytes: number;
}

export interface EndedRepair {
  readonly id: string;
  readonly storageIndex: string;
  readonly outcome: string;
  readonly errorCode: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly k: number;
  readonly n: number;
  readonly availableBefore: number;
  readonly availableAfter: number;
  readonly sharesPlaced: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly cause: string;
}

export interface Figures {
  /** Null where it is not known, here and below; then `byGrade` is empty. */
  readonly files: number | null;
  readonly bytes: number | null;
  readonly filesWithoutManifest: number | null;
  readonly settlingFiles: number | null;
  readonly byGrade: readonly { readonly grade: Grade; readonly files: number; readonly bytes: number }[];
  readonly peersByState: readonly { readonly state: PeerState; readonly peers: number }[];
  readonly ownedPartitions: number;
  readonly partitions: number;
  readonly freshness: { readonly state: 'fresh' | 'stale'; readonly reasons: readonly string[] };
}

export interface LiveState {
  readonly pulse: { readonly asOfMs: number; readonly sweptAtMs: number };
  readonly mesh: Figures;
  readonly alerts: { readonly total: number; readonly open: readonly BriefAlert[] };
  readonly margins: Moment['files'];
  readonly moments: readonly Moment[];
  readonly atRisk: { readonly total: number; readonly files: readonly BriefFile[] };
  readonly running: { readonly total: number; readonly repairs: readonly RunningRepair[] };
  readonly repairers: { readonly answering: number; readonly brake: string | null };
  readonly repairs: readonly EndedRepair[];
  /** By `kind=domain`: peers in each state, in the order of `peerStates`. */
  readonly domains: Readonly<Record<string, readonly number[]>>;
}

export interface Live {
  /** Null before the first message. */
  readonly state: LiveState | null;
  readonly isConnected: boolean;
}

type News = Partial<Omit<LiveState, 'domains'>> & {
  readonly domains?: Readonly<Record<string, readonly number[] | null>>;
};

const mostMoments = 720;
/** The analyzer says something every two seconds at least. */
const silenceMs = 12_000;

export function merge(state: LiveState | null, news: News): LiveState {
  const domains: Record<string, readonly number[]> = { ...state?.domains };
  for (const [key, row] of Object.entries(news.domains ?? {})) {
    if (row === null) delete domains[key];
    else domains[key] = row;
  }
  const moments = [...(state?.moments ?? []), ...(news.moments ?? [])].slice(-mostMoments);
  return { ...state, ...news, domains, moments } as LiveState;
}

let live: Live = { state: null, isConnected: false };
const listeners = new Set<(live: Live) => void>();

function become(next: Live): void {
  live = next;
  for (const listener of listeners) listener(live);
}

export function follow(): void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout>;
  const awake = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => become({ ...live, isConnected: false }), silenceMs);
  };
  const open = (): void => {
    let isFirst = true;
    source = new EventSource('/v1/stream');
    source.addEventListener('state', (event: MessageEvent<string>) => {
      awake();
      // A stream that begins anew begins with everything.
      const state = merge(isFirst ? null : live.state, JSON.parse(event.data) as News);
      isFirst = false;
      become({ state, isConnected: true });
    });
    source.addEventListener('open', () => {
      isFirst = true;
    });
    source.addEventListener('error', () => {
      become({ ...live, isConnected: false });
      // A refusal ends it for good: then it is tried again here.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    });
  };
  awake();
  open();
}

export function useLive(): Live {
  const [state, setState] = useState(live);
  useEffect(() => {
    listeners.add(setState);
    setState(live);
    return () => {
      listeners.delete(setState);
    };
  }, []);
  return state;
}
