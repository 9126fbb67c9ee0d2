/** The page. */
import { type JSX, render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { follow } from './live.ts';
import { Notice, View } from './parts/parts.tsx';
import { Link, useRoute } from './route.tsx';
import { Shell } from './shell.tsx';
import { AlertsView } from './views/alerts.tsx';
import { BoardsView } from './views/boards.tsx';
import { CampaignsView } from './views/campaigns.tsx';
import { ExposureView } from './views/exposure.tsx';
import { FilesView } from './views/files.tsx';
import { MeshView } from './views/mesh.tsx';
import { PeersView } from './views/peers.tsx';
import { RepairsView } from './views/repairs.tsx';
import { ResilienceView } from './views/resilience.tsx';

const views: Readonly<Record<string, () => JSX.Element>> = {
  '': MeshView,
  alerts: AlertsView,
  files: FilesView,
  repairs: RepairsView,
  campaigns: CampaignsView,
  exposure: ExposureView,
  resilience: ResilienceView,
  peers: PeersView,
  dashboards: BoardsView,
};

function Nowhere(): JSX.Element {
  return (
    <View title="Nothing here" question="This address is none of the page's.">
      <Notice tone="quiet">
        <p>
          <Link href="/">To the mesh</Link>
        </p>
      </Notice>
    </View>
  );
}

function App(): JSX.Element {
  const { path } = useRoute();
  const name = path.split('/')[1] ?? '';
  const Shown = views[name] ?? Nowhere;
  const before = useRef(name);
  useEffect(() => {
    const title = document.querySelector('h1')?.textContent ?? '';
    document.title = title === '' ? 'Meshward' : `${title} · Meshward`;
    if (before.current === name) return;
    before.current = name;
    // Who cannot see that the view has changed hears it.
    document.getElementById('view')?.focus({ preventScroll: true });
    scrollTo(0, 0);
    document.querySelector('[aria-current=page]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [name]);
  return (
    <Shell>
      <Shown key={name} />
    </Shell>
  );
}

follow();
render(<App />, document.getElementById('app') as HTMLElement);
