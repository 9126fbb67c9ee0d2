/** What stands around every view: where one can go, whether data is being lost, and how fresh that is. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Live, useLive } from './live.ts';
import { SignedIn } from './parts/caller.tsx';
import type { Tone } from './parts/parts.tsx';
import { Link, useRoute } from './route.tsx';
import { verdictOf } from './verdict.ts';
import { ago, clock, short } from './words.ts';

interface Place {
  readonly path: string;
  readonly name: string;
  readonly count?: (live: Live) => readonly [count: number, tone: Tone];
}

const places: readonly (readonly Place[])[] = [
  [
    { path: '/', name: 'Mesh' },
    { path: '/alerts', name: 'Alerts', count: ({ state }) => [state?.alerts.total ?? 0, toneOfAlerts(state)] },
    { path: '/files', name: 'Files at risk', count: ({ state }) => [state?.atRisk.total ?? 0, 'warn'] },
    { path: '/repairs', name: 'Repairs', count: ({ state }) => [state?.running.total ?? 0, 'quiet'] },
    { path: '/campaigns', name: 'Campaigns' },
  ],
  [
    { path: '/exposure', name: 'Exposure' },
    { path: '/resilience', name: 'Resilience' },
    { path: '/peers', name: 'Peers' },
  ],
  [{ path: '/dashboards', name: 'Dashboards' }],
];

function toneOfAlerts(state: Live['state']): Tone {
  return state?.alerts.open.some(({ severity }) => severity === 'page') === true ? 'bad' : 'warn';
}

export function Shell({ children }: { readonly children: ComponentChildren }): JSX.Element {
  const live = useLive();
  const { path } = useRoute();
  const isHere = (place: string): boolean =>
    place === '/' ? path === '/' : path === place || path.startsWith(`${place}/`);
  return (
    <div class="shell">
      <a class="skip" href="#view">
        To the figures
      </a>
      <div class="side">
        <Link class="brand" href="/">
          <img src="/icon.svg" alt="" width="24" height="24" /> Meshward
        </Link>
        <nav aria-label="Views">
          {places.map((group) => (
            <ul key={group[0]?.path}>
              {group.map((place) => {
                const [count, tone] = place.count?.(live) ?? [0, ''];
                return (
                  <li key={place.path}>
                    <Link href={place.path} {...(isHere(place.path) ? { 'aria-current': 'page' as const } : {})}>
                      {place.name}
                      {count === 0 ? null : (
                        <span class="count" data-tone={tone}>
                          {short(count)}
                        </span>
                      )}
                    </Link>
                  </li>
                );
              })}
            </ul>
          ))}
        </nav>
        <SignedIn />
        <footer>
          <a href="/openapi.json">HTTP API</a>
          <a href="/metrics">metrics</a>
        </footer>
      </div>
      <Status live={live} />
      {children}
    </div>
  );
}

function Status({ live }: { readonly live: Live }): JSX.Element {
  const { tone, words, more } = verdictOf(live);
  return (
    <div class="status">
      <p class="verdict" id="answer" role="status" data-tone={tone}>
        {words}
      </p>
      {more === '' ? null : <p class="quiet">{more}</p>}
      <Freshness live={live} />
    </div>
  );
}

function Freshness({ live }: { readonly live: Live }): JSX.Element {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const { state, isConnected } = live;
  const isFresh = isConnected && state?.mesh.freshness.state === 'fresh';
  const asOfMs = state?.pulse.asOfMs ?? 0;
  const words =
    state === null ? 'connecting' : `${isFresh ? 'fresh' : 'stale'}${asOfMs === 0 ? '' : `, as of ${clock(asOfMs)}`}`;
  return (
    <p
      class="freshness"
      id="freshness"
      data-state={state === null ? 'unknown' : isFresh ? 'fresh' : 'stale'}
      title={asOfMs === 0 ? '' : ago(asOfMs, nowMs)}
    >
      {words}
    </p>
  );
}
