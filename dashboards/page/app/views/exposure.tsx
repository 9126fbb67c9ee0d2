/** What the loss of each failure domain would do: the worst first. */
import type { JSX } from 'preact';
import type { ExposureAnswer } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { Answered, Bar, Card, Empty, Notice, Rows, type Tone, View } from '../parts/parts.tsx';
import { go, Link, useRoute, withQuery } from '../route.tsx';
import { ago, percent, plural, short, whole } from '../words.ts';

const refreshMs = 10_000;
const shown = 120;

type Kind = ExposureAnswer['kinds'][number];
type Domain = Kind['domains'][number];

export function ExposureView(): JSX.Element {
  const asked = useAnswer<ExposureAnswer>('/v1/exposure', refreshMs);
  return (
    <View title="Exposure" question="What would we lose with a zone, a rack, a host?">
      <Answered asked={asked}>{(answer) => <Exposure answer={answer} />}</Answered>
    </View>
  );
}

/** The finest that can still be looked over; kinds come with the fewest domains first. */
function kindToShow(kinds: readonly Kind[]): Kind | undefined {
  return kinds.findLast(({ count }) => count <= 60) ?? kinds[0];
}

function Exposure({ answer }: { readonly answer: ExposureAnswer }): JSX.Element {
  const { query } = useRoute();
  const wanted = query.get('kind');
  const kind = answer.kinds.find((each) => each.kind === wanted) ?? kindToShow(answer.kinds);
  if (kind === undefined) return <Empty>No peer with a failure domain is known yet.</Empty>;
  return (
    <>
      <Worst answer={answer} kind={kind} />
      {answer.kinds.length < 2 ? null : (
        <div class="tools">
          <label>
            By
            <select value={kind.kind} onChange={(event) => go(withQuery({ kind: event.currentTarget.value }))}>
              {answer.kinds.map(({ kind: name, count }) => (
                <option key={name} value={name}>
                  {name} ({whole(count)})
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      <Card
        title={`The loss of one ${kind.kind}`}
        size="whole"
        note={`of ${whole(kind.count)}, the worst first; by the sweep ${answer.atMs === 0 ? 'to come' : ago(answer.atMs)}`}
      >
        <ul class="expose" id="exposure">
          {kind.domains.slice(0, shown).map((domain) => (
            <DomainTile key={domain.domain} kind={kind.kind} domain={domain} files={answer.files ?? 0} />
          ))}
        </ul>
        {kind.count > shown ? (
          <p class="quiet small">
            The other {plural(kind.count - Math.min(shown, kind.domains.length), 'domain')} would do no more than these.
          </p>
        ) : null}
      </Card>
      {answer.peers.length === 0 ? null : <Peers answer={answer} />}
    </>
  );
}

function Worst({ answer, kind }: { readonly answer: ExposureAnswer; readonly kind: Kind }): JSX.Element {
  const [worst] = kind.domains;
  if (worst === undefined || answer.files === null || answer.files === 0)
    return <Notice tone="quiet">No file is known yet.</Notice>;
  const { domain, filesBelowK, filesBelowRepair } = worst;
  if (filesBelowK > 0)
    return (
      <Notice tone="bad">
        <p>
          <b>
            Losing {kind.kind} {domain} alone would lose {plural(filesBelowK, 'file')}
          </b>
        </p>
        <p>
          They have too many of their shares there, or too few shares at all. Repair spreads what it writes; a campaign
          spreads the rest.
        </p>
      </Notice>
    );
  if (filesBelowRepair > 0)
    return (
      <Notice tone="warn">
        <p>
          <b>No single {kind.kind} can lose a file</b>
        </p>
        <p>
          The worst, {domain}, would put {plural(filesBelowRepair, 'file')} ({percent(filesBelowRepair / answer.files)})
          below the repair threshold: work, and no loss.
        </p>
      </Notice>
    );
  return (
    <Notice tone="good">
      <p>
        <b>No single {kind.kind} can lose a file, nor bring one below its repair threshold</b>
      </p>
    </Notice>
  );
}

function toneOf({ filesBelowK, filesBelowRepair }: Pick<Domain, 'filesBelowK' | 'filesBelowRepair'>): Tone {
  if (filesBelowK > 0) return 'bad';
  return filesBelowRepair > 0 ? 'warn' : 'good';
}

function DomainTile(props: { readonly kind: string; readonly domain: Domain; readonly files: number }): JSX.Element {
  const { kind, domain, files } = props;
  const all = domain.peers.reduce((sum, { peers }) => sum + peers, 0);
  const up = domain.peers.find(({ state }) => state === 'up')?.peers ?? 0;
  const isGone = up === 0 && all > 0;
  return (
    <li data-tone={isGone ? 'quiet' : toneOf(domain)}>
      <h3>
        <Link href={`/peers?kind=${encodeURIComponent(kind)}&domain=${encodeURIComponent(domain.domain)}`}>
          {domain.domain}
        </Link>
        <span>
          {short(up)}/{short(all)} up
        </span>
      </h3>
      <p>
        {domain.filesBelowK > 0 ? (
          <>
            <b class="bad">{short(domain.filesBelowK)}</b> lost,{' '}
          </>
        ) : null}
        {domain.filesBelowRepair > 0 ? (
          <>
            <b>{short(domain.filesBelowRepair)}</b> to repair,{' '}
            {percent(domain.filesBelowRepair / Math.max(1, files)).replace(' ', '\u00a0')}
          </>
        ) : isGone ? (
          'gone already: what it held is missed today'
        ) : (
          'no loss, no repair'
        )}
      </p>
      <Bar
        parts={domain.peers.map(({ state, peers }) => [state, peers / Math.max(1, all)])}
        label={domain.peers
          .filter(({ peers }) => peers > 0)
          .map(({ state, peers }) => `${peers} ${state}`)
          .join(', ')}
      />
    </li>
  );
}

function Peers({ answer }: { readonly answer: ExposureAnswer }): JSX.Element {
  return (
    <div class="grid" style={{ marginTop: '0.9rem' }}>
      <Card title="The loss of one peer" note="the worst first" size="whole">
        <Rows name="The loss of one peer">
          <thead>
            <tr>
              <th>peer</th>
              <th class="number">files lost</th>
              <th class="number">files to repair</th>
            </tr>
          </thead>
          <tbody>
            {answer.peers.slice(0, 20).map((peer) => (
              <tr key={peer.peerId}>
                <td>
                  <Link href={`/peers?search=${encodeURIComponent(peer.name)}`}>{peer.name}</Link>
                </td>
                <td class={`number ${peer.filesBelowK > 0 ? 'bad' : ''}`}>{whole(peer.filesBelowK)}</td>
                <td class="number">{whole(peer.filesBelowRepair)}</td>
              </tr>
            ))}
          </tbody>
        </Rows>
      </Card>
    </div>
  );
}
