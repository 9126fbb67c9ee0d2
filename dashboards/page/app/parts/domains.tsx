/** Peers by failure domain: a cell for each where they are few, a bar for each domain where they are many. */
import type { JSX } from 'preact';
import { type LiveState, peerStates } from '../live.ts';
import { Link } from '../route.tsx';
import { plural, short, whole } from '../words.ts';
import { Bar, Empty } from './parts.tsx';

/** More cells than this say nothing to the eye, and slow it down. */
const mostCells = 400;
const mostDomains = 60;

interface Domain {
  readonly name: string;
  readonly counts: readonly number[];
  readonly peers: number;
}

/** The kind that shows most at a glance: with the most domains of those that have not too many. */
export function kindToShow(domains: LiveState['domains']): string | null {
  const sizes = new Map<string, number>();
  for (const key of Object.keys(domains)) {
    const kind = key.slice(0, key.indexOf('='));
    sizes.set(kind, (sizes.get(kind) ?? 0) + 1);
  }
  const few = [...sizes].filter(([, size]) => size <= mostDomains);
  const best = (few.length > 0 ? few : [...sizes]).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return best[0]?.[0] ?? null;
}

export function Domains({ state }: { readonly state: LiveState }): JSX.Element {
  const kind = kindToShow(state.domains);
  const all: Domain[] = Object.entries(state.domains)
    .filter(([key]) => key.startsWith(`${kind}=`))
    .map(([key, counts]) => ({
      name: key.slice((kind?.length ?? 0) + 1),
      counts,
      peers: counts.reduce((sum, count) => sum + count, 0),
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const peers = all.reduce((sum, domain) => sum + domain.peers, 0);
  if (kind === null) return <Empty>No peer with a failure domain is known yet.</Empty>;
  return (
    <>
      <ul class="domains" id="domains">
        {all.slice(0, mostDomains).map((domain) => (
          <li key={domain.name}>
            <Link href={`/peers?kind=${encodeURIComponent(kind)}&domain=${encodeURIComponent(domain.name)}`}>
              {domain.name}
              <span class="number">
                {short(domain.counts[0] ?? 0)}/{short(domain.peers)}
              </span>
            </Link>
            {peers <= mostCells ? <Cells domain={domain} /> : <DomainBar domain={domain} />}
          </li>
        ))}
      </ul>
      {all.length > mostDomains ? <p class="quiet small">and {whole(all.length - mostDomains)} more</p> : null}
      <ul class="legend" id="peer-legend">
        {peerStates.map((name) => {
          const count = state.mesh.peersByState.find((each) => each.state === name)?.peers ?? 0;
          return count === 0 && name !== 'up' && name !== 'down' ? null : (
            <li key={name}>
              <span class="mark" data-color={name}>
                {name} <b>{whole(count)}</b>
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function describe({ counts, peers }: Domain): string {
  const others = peerStates.flatMap((state, i) => (i === 0 || (counts[i] ?? 0) === 0 ? [] : [`${counts[i]} ${state}`]));
  return `${counts[0] ?? 0} of ${plural(peers, 'peer')} up${others.length === 0 ? '' : `, ${others.join(', ')}`}`;
}

function Cells({ domain }: { readonly domain: Domain }): JSX.Element {
  return (
    <span class="cells" role="img" aria-label={describe(domain)} title={describe(domain)}>
      {domain.counts.flatMap((count, state) =>
        Array.from({ length: count }, (_, i) => <i key={`${state}-${i}`} data-color={peerStates[state]} />),
      )}
    </span>
  );
}

function DomainBar({ domain }: { readonly domain: Domain }): JSX.Element {
  return (
    <Bar
      parts={domain.counts.map((count, state) => [peerStates[state] as string, count / Math.max(1, domain.peers)])}
      label={describe(domain)}
    />
  );
}
