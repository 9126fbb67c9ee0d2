/** For who sees the demonstration for the first time: what is happening now, and what to try. */
import type { JSX } from 'preact';
import { useAnswer } from '../ask.ts';
import type { Live, LiveState } from '../live.ts';
import { filesOf, smallestMargin } from '../verdict.ts';
import { plural, whole } from '../words.ts';

export interface PageFacts {
  readonly guide: boolean;
  /** Whether silences and acknowledgements can be said here. */
  readonly actions: boolean;
  readonly dashboards: boolean;
  /** Whether people log in here. */
  readonly callers: boolean;
}

interface Chapter {
  readonly now: string;
  readonly because: string;
  readonly tries: readonly (readonly [command: string, effect: string])[];
}

const kill: Chapter['tries'][number] = ['npx meshward peer kill alder-01 alder-02', 'two peers fall silent'];
const wipe: Chapter['tries'][number] = ['npx meshward peer wipe birch-01', 'a disk loses its shares'];

export function chapterOf(state: LiveState): Chapter {
  const { mesh, atRisk, running, repairers } = state;
  const silent = mesh.peersByState
    .filter(({ state: name }) => name === 'suspect' || name === 'down')
    .reduce((sum, { peers }) => sum + peers, 0);
  const lost = filesOf(state, 'lost');
  if (mesh.files === null || mesh.files === 0)
    return {
      now: 'Peers are starting, and files are being stored on them.',
      because: 'Each file becomes 100 shares on 100 peers; any 25 of them give it back.',
      tries: [],
    };
  if (lost > 0)
    return {
      now: `${plural(lost, 'file')} cannot be recovered: fewer than 25 shares are on peers that are up.`,
      because: 'Nothing can be rebuilt from fewer. Peers that come back bring their shares back.',
      tries: [['npx meshward peer return alder-01', 'a killed peer comes back with its disk']],
    };
  if (running.total > 0)
    return {
      now: `Repair is at work: ${plural(running.total, 'file')} at this moment, ${whole(atRisk.total)} on the list.`,
      because:
        'It reads any 25 shares of a file, regenerates exactly the missing ones and puts them on peers of other zones.',
      tries: [['npx meshward repair limits', 'how fast repair may go; `repair hold` stops it for a while']],
    };
  if (atRisk.total > 0)
    return {
      now: `${plural(atRisk.total, 'file')} fell below 50 of 100 shares and wait for repair.`,
      because:
        repairers.brake === null
          ? `The smallest margin is ${smallestMargin(state)}: so many shares more could go before a file is lost.`
          : 'So much fell silent at once that it may be a cut cable: bulk repair holds, and says so.',
      tries: [['npx meshward file at-risk', 'the list, most urgent first, with the cause']],
    };
  if (silent > 0)
    return {
      now: `${plural(silent, 'peer')} ${silent === 1 ? 'is' : 'are'} silent, and no file needs repair for it.`,
      because:
        'A short silence moves nothing: shares on a silent peer count until its grace is over, and files have shares to spare.',
      tries: [['npx meshward peers', 'who is silent, since when, and how much grace is left'], kill],
    };
  return {
    now: 'The mesh is whole: no file needs repair.',
    because: `The smallest margin is ${smallestMargin(state)}: any so many shares of a file could go, and it would still come back.`,
    tries: [kill, wipe],
  };
}

export function Guide({ live }: { readonly live: Live }): JSX.Element | null {
  const { value } = useAnswer<PageFacts>('/page/facts');
  if (value?.guide !== true || live.state === null) return null;
  const { now, because, tries } = chapterOf(live.state);
  return (
    <section class="guide" aria-label="What is happening now">
      <div>
        <h2>{now}</h2>
        <p>{because}</p>
      </div>
      {tries.length === 0 ? null : (
        <div>
          <h3>Try, in another terminal</h3>
          <ul>
            {tries.map(([command, effect]) => (
              <li key={command}>
                <code>{command}</code> <span class="quiet">{effect}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}
