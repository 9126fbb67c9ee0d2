/** One file explained: could it be recovered, where each share is and why it counts or not, and what repair does about it. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { FileDetail, Placement, ProofList } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { Answered, Empty, Mark, Notice, Rows, type Tone } from '../parts/parts.tsx';
import { ago, bytes, duration, percent, plural } from '../words.ts';

const refreshMs = 3000;

export function FileDrawer({
  storageIndex,
  close,
}: {
  readonly storageIndex: string;
  readonly close: () => void;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const file = useAnswer<FileDetail>(`/v1/files/${storageIndex}`, refreshMs);
  const proofs = useAnswer<ProofList>(`/v1/proofs?limit=1&storageIndex=${storageIndex}`, 10 * refreshMs);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="drawer"
      aria-label={`File ${storageIndex}`}
      onClose={close}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <header>
        <h2 class="mono">{storageIndex}</h2>
        <button onClick={() => dialog.current?.close()}>Close</button>
      </header>
      <div>
        <Answered asked={file}>
          {(detail) => (
            <>
              <Answer file={detail} />
              <Facts file={detail} proofs={proofs.value} />
              <ShareMap file={detail} />
              <Shares file={detail} />
            </>
          )}
        </Answered>
      </div>
    </dialog>
  );
}

const repairTones: Readonly<Record<string, Tone>> = {
  impossible: 'bad',
  retrying: 'bad',
  held: 'warn',
  waiting: 'warn',
};
const repairWords: Readonly<Record<string, string>> = {
  'not-needed': 'No repair is needed',
  settling: 'It is not judged yet',
  running: 'It is being repaired now',
  waiting: 'It waits for repair',
  held: 'Its repair is held',
  retrying: 'Its repair is tried again',
  impossible: 'It cannot be repaired now',
};

function Answer({ file }: { readonly file: FileDetail }): JSX.Element {
  const missing = file.k - file.available;
  return (
    <div>
      {file.freshness.state === 'stale' ? (
        <Notice tone="warn">
          <p>
            <b>Health is stale: this may have changed</b>
          </p>
          <p>{file.freshness.reasons.join('; ')}</p>
        </Notice>
      ) : null}
      <Notice tone={file.recoverableNow ? (file.margin < 10 ? 'warn' : 'good') : 'bad'}>
        <p>
          <b>
            {file.recoverableNow
              ? `It can be recovered now, and is ${plural(file.margin, 'share')} from not`
              : `It cannot be recovered now: ${plural(missing, 'share')} short`}
          </b>
        </p>
        <p>
          {file.available} of its {file.n} shares are on peers that are up; any {file.k} give it back.
          {file.cause === '' ? '' : ` Why not more: ${file.cause}.`}
        </p>
      </Notice>
      {file.repairState === undefined ? null : (
        <Notice tone={repairTones[file.repairState] ?? 'quiet'}>
          <p>
            <b>{repairWords[file.repairState] ?? file.repairState}</b>
          </p>
          <p>{file.repairWhy}.</p>
        </Notice>
      )}
    </div>
  );
}

function tolerance(fewest: number, one: string): string {
  return fewest <= 1 ? `no ${one}` : `any ${plural(fewest - 1, one)}`;
}

function Facts({ file, proofs }: { readonly file: FileDetail; readonly proofs: ProofList | null }): JSX.Element {
  const [proof] = proofs?.proofs ?? [];
  const survives = [
    tolerance(file.tolerancePeers, 'peer'),
    ...Object.entries(file.toleranceDomains).map(([kind, fewest]) => tolerance(fewest, kind)),
  ];
  return (
    <dl class="facts">
      <dt>grade</dt>
      <dd>
        <Mark of={file.grade} />
      </dd>
      <dt>survives the loss of</dt>
      <dd>{file.tolerancePeers === 0 ? 'nothing more' : survives.join(', or ')}</dd>
      <dt>counted, retained</dt>
      <dd>
        {file.counted} with those in grace, {file.retained} with those on peers that are down
        {file.corrupt === 0 ? '' : `; ${file.corrupt} damaged`}
      </dd>
      <dt>repaired</dt>
      <dd>
        below {file.repairBelow} counted shares, up to {file.repairUpTo}
      </dd>
      <dt>last proof</dt>
      <dd>
        {proof === undefined
          ? 'none of late'
          : `${proof.outcome} ${ago(proof.atMs)}, from ${plural(proof.shares, 'share')}${proof.errorCode === '' ? '' : `: ${proof.errorCode}`}`}
      </dd>
      <dt>size, policy</dt>
      <dd>
        {bytes(file.sizeBytes)}, {file.policy}
        {file.tag === '' ? '' : `, tag ${file.tag}`}
      </dd>
    </dl>
  );
}

type ShareWord = 'available' | 'grace' | 'corrupt' | 'away' | 'none';

function wordOf({ available, corrupt, counted }: Placement): ShareWord {
  if (corrupt) return 'corrupt';
  if (available) return 'available';
  return counted === true ? 'grace' : 'away';
}

const order: readonly ShareWord[] = ['available', 'grace', 'away', 'corrupt', 'none'];
const shareWords: Readonly<Record<ShareWord, string>> = {
  available: 'available',
  grace: 'on a silent peer in grace',
  away: 'on a peer that is away',
  corrupt: 'damaged',
  none: 'held by nobody',
};

function ShareMap({ file }: { readonly file: FileDetail }): JSX.Element {
  const best = new Map<number, ShareWord>();
  for (const placement of file.placements) {
    const word = wordOf(placement);
    const known = best.get(placement.shareNumber);
    if (known === undefined || order.indexOf(word) < order.indexOf(known)) best.set(placement.shareNumber, word);
  }
  const words = Array.from({ length: file.n }, (_, number) => best.get(number) ?? 'none');
  return (
    <section aria-label="Shares by number">
      <h3>Shares by number</h3>
      <ol class="sharemap">
        {words.map((word, number) => (
          <li key={number} data-share={word} title={`share ${number}: ${shareWords[word]}`}>
            {number}
            <span class="hidden"> {shareWords[word]}</span>
          </li>
        ))}
      </ol>
      <p class="quiet small">
        {order
          .map((word) => [shareWords[word], words.filter((each) => each === word).length] as const)
          .filter(([, count]) => count > 0)
          .map(([word, count]) => `${count} ${word}`)
          .join(' · ')}
      </p>
    </section>
  );
}

function Shares({ file }: { readonly file: FileDetail }): JSX.Element {
  return (
    <section aria-label="Every share">
      <h3>Every share</h3>
      {file.placements.length === 0 ? (
        <Empty>No peer says to hold a share of it.</Empty>
      ) : (
        <Rows name="Every share">
          <thead>
            <tr>
              <th class="number">share</th>
              <th>peer</th>
              <th>where</th>
              <th class="number">last heard</th>
              <th class="number" title="The part of this peer's shares that its agent has read and checked">
                verified
              </th>
              <th>counts?</th>
            </tr>
          </thead>
          <tbody>
            {file.placements.map((placement) => (
              <tr key={`${placement.shareNumber} ${placement.peerId}`}>
                <td class="number">{placement.shareNumber}</td>
                <td>
                  <Mark of={placement.peerState} word={placement.peerName} />
                </td>
                <td>{Object.values(placement.domains ?? {}).join(', ')}</td>
                <td class="number">{heard(placement.silenceMs)}</td>
                <td class="number">{verified(placement.verifiedRatio)}</td>
                <td class="text">{placement.why}</td>
              </tr>
            ))}
          </tbody>
        </Rows>
      )}
    </section>
  );
}

function heard(silenceMs: number | null | undefined): string {
  if (silenceMs === null || silenceMs === undefined) return 'never';
  return silenceMs < 1500 ? 'now' : `${duration(silenceMs)} ago`;
}

function verified(ratio: number | null | undefined): string {
  return ratio === null || ratio === undefined ? '–' : percent(ratio);
}
