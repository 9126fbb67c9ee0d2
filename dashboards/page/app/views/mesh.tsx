/** The mesh in five seconds: is data being lost, how far from it, and where that is heading. */
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { grades, type LiveState, useLive } from '../live.ts';
import { Domains } from '../parts/domains.tsx';
import { Guide } from '../parts/guide.tsx';
import { Heat } from '../parts/heat.tsx';
import { Bar, Card, Empty, Figure, Mark, Rows, View, Waiting } from '../parts/parts.tsx';
import { RunningRepairs } from '../parts/running.tsx';
import { go, Link } from '../route.tsx';
import { filesOf, smallestMargin } from '../verdict.ts';
import { ago, brief, bytes, percent, short, whole } from '../words.ts';

export function MeshView(): JSX.Element {
  const live = useLive();
  const { state } = live;
  return (
    <View title="Mesh" question="Are we losing data, and how far are we from it?">
      <Guide live={live} />
      {state === null ? (
        <Waiting />
      ) : (
        <div class="grid">
          <Alerts state={state} />
          <Figures state={state} />
          <ByGrade state={state} />
          <Margins state={state} />
          <Card title="Peers" note="by failure domain" more={<Link href="/peers">All peers</Link>}>
            <Domains state={state} />
          </Card>
          <Card title="Repairs running" more={<Link href="/repairs">All repairs</Link>}>
            <RunningRepairs state={state} />
          </Card>
          <Urgent state={state} />
        </div>
      )}
    </View>
  );
}

function Alerts({ state }: { readonly state: LiveState }): JSX.Element | null {
  const { open, total } = state.alerts;
  if (total === 0) return null;
  const shown = open.slice(0, 3);
  return (
    <section class="whole alerts" aria-label="Open alerts">
      <ul>
        {shown.map(({ key, severity, summary, next, sinceMs }) => (
          <li key={key} class="notice" data-tone={severity === 'page' ? 'bad' : 'warn'}>
            <p>
              <b>{summary}</b> <span class="quiet">{ago(sinceMs)}</span>
            </p>
            <p>
              {next} <Link href="/alerts">Silence or acknowledge</Link>
            </p>
          </li>
        ))}
      </ul>
      {total > shown.length ? <Link href="/alerts">and {whole(total - shown.length)} more</Link> : null}
    </section>
  );
}

function Figures({ state }: { readonly state: LiveState }): JSX.Element {
  const { mesh, atRisk, running } = state;
  const settling = mesh.settlingFiles ?? 0;
  const unwatched = mesh.filesWithoutManifest ?? 0;
  const margin = smallestMargin(state);
  const up = mesh.peersByState.find(({ state: name }) => name === 'up')?.peers ?? 0;
  const all = mesh.peersByState.reduce((sum, { peers }) => sum + peers, 0);
  const gone = mesh.peersByState.find(({ state: name }) => name === 'departed')?.peers ?? 0;
  return (
    <section class="card whole" aria-label="Figures">
      <div class="figures">
        <Figure
          id="worst"
          value={margin === null ? '–' : String(margin)}
          name="smallest margin"
          tone={margin === null ? '' : margin < 0 ? 'bad' : margin < 10 ? 'warn' : 'good'}
        />
        <Figure
          id="at-risk-count"
          value={short(atRisk.total)}
          name="files to repair"
          tone={atRisk.total > 0 ? 'warn' : ''}
        />
        <Figure id="running-count" value={short(running.total)} name="repairs running" />
        <Figure
          id="peers-up"
          value={`${short(up)} / ${short(all - gone)}`}
          name="peers up"
          tone={up < all - gone ? 'warn' : ''}
        />
        <Figure id="files" value={mesh.files === null ? unknown : short(mesh.files)} name="files" />
        <Figure id="bytes" value={mesh.bytes === null ? unknown : bytes(mesh.bytes)} name="of data" />
      </div>
      {settling > 0 || unwatched > 0 ? (
        <p class="quiet small">
          {settling > 0 ? `${whole(settling)} new files are still being reported. ` : ''}
          {unwatched > 0
            ? `Of ${whole(unwatched)} files nobody has sent the manifest: their health cannot be told.`
            : ''}
        </p>
      ) : null}
    </section>
  );
}

const unknown = '–';

const meanings = {
  lost: 'cannot be recovered now',
  critical: 'a few shares from that',
  'at-risk': 'below the repair threshold',
  degraded: 'some shares missing',
  healthy: 'as many shares as wanted',
} as const;

function ByGrade({ state }: { readonly state: LiveState }): JSX.Element {
  const { mesh } = state;
  const partOf = (files: number): number => (mesh.files === null || mesh.files === 0 ? 0 : files / mesh.files);
  return (
    <Card title="Files by grade" size="slim">
      <table class="grades" id="grades">
        <thead class="hidden">
          <tr>
            <th>grade</th>
            <th>files</th>
            <th>part</th>
          </tr>
        </thead>
        <tbody>
          {grades.map((grade) => {
            const files = filesOf(state, grade);
            const part = partOf(files);
            return (
              <tr key={grade} class={files === 0 ? 'none' : ''}>
                <td>
                  <Mark of={grade} />
                  <small>{meanings[grade]}</small>
                </td>
                <td class="number">{mesh.files === null ? unknown : short(files)}</td>
                <td class="number quiet">{mesh.files === null ? '' : percent(part)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <Bar parts={grades.map((grade) => [grade, partOf(filesOf(state, grade))])} label="Files by grade" />
    </Card>
  );
}

const kLine = { at: 0, color: 'lost' } as const;

function Margins({ state }: { readonly state: LiveState }): JSX.Element {
  const { moments, pulse } = state;
  const columns = useMemo(() => moments.map(({ atMs, files }) => ({ atMs, cells: files })), [moments]);
  const first = columns.find(({ cells }) => cells.length > 0)?.atMs;
  return (
    <Card
      title="Margins over time"
      size="wide"
      note="shares above k; more files are darker; below the red line a file cannot be recovered"
    >
      {first === undefined ? (
        <Empty>No sweep has found a file yet.</Empty>
      ) : (
        <Heat
          columns={columns}
          fromMs={first}
          toMs={Math.max(first + 20_000, pulse.sweptAtMs + 2000)}
          height={262}
          label={`Files by margin over time; the smallest margin now is ${smallestMargin(state) ?? 'not known'}`}
          line={kLine}
        />
      )}
    </Card>
  );
}

function Urgent({ state }: { readonly state: LiveState }): JSX.Element {
  const { files, total } = state.atRisk;
  return (
    <Card
      title="Files to repair"
      size="whole"
      note="most urgent first"
      more={total === 0 ? null : <Link href="/files">All {whole(total)}</Link>}
    >
      {files.length === 0 ? (
        <Empty>No file needs repair.</Empty>
      ) : (
        <Rows name="Files to repair">
          <thead>
            <tr>
              <th>file</th>
              <th>grade</th>
              <th class="number">margin</th>
              <th class="number">available</th>
              <th class="number">size</th>
              <th>why</th>
            </tr>
          </thead>
          <tbody>
            {files.slice(0, 6).map((file) => (
              <tr key={file.storageIndex} class="opens" onClick={() => go(`/files?file=${file.storageIndex}`)}>
                <td class="mono">
                  <Link href={`/files?file=${file.storageIndex}`} title={file.storageIndex}>
                    {brief(file.storageIndex)}
                  </Link>
                </td>
                <td>
                  <Mark of={file.grade} />
                </td>
                <td class="number">{file.margin}</td>
                <td class="number">
                  {file.available} of {file.n}
                </td>
                <td class="number">{bytes(file.sizeBytes)}</td>
                <td class="text">{file.cause}</td>
              </tr>
            ))}
          </tbody>
        </Rows>
      )}
    </Card>
  );
}
