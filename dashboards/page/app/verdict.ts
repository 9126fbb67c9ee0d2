/** Are we losing data, and how far from it: the one sentence on top of every view. */
import type { Live, LiveState } from './live.ts';
import type { Tone } from './parts/parts.tsx';
import { plural, whole } from './words.ts';

export interface Verdict {
  readonly tone: Tone;
  readonly words: string;
  /** What the next question would be. */
  readonly more: string;
}

export function verdictOf({ state, isConnected }: Live): Verdict {
  if (state === null)
    return isConnected
      ? { tone: 'quiet', words: 'Asking…', more: '' }
      : { tone: 'quiet', words: 'Asking the analyzer…', more: 'Nothing was heard yet.' };
  if (!isConnected)
    return { tone: 'warn', words: 'Not known: the page has lost the analyzer', more: 'What is shown is old.' };
  const { mesh } = state;
  if (mesh.freshness.state === 'stale')
    return { tone: 'warn', words: 'Not known: health is stale', more: mesh.freshness.reasons.join('; ') };
  if (mesh.files === null || mesh.files === 0) return { tone: 'quiet', words: 'No file is known yet', more: '' };
  const lost = filesOf(state, 'lost');
  if (lost > 0)
    return {
      tone: 'bad',
      words: `${whole(lost)} of ${plural(mesh.files, 'file')} cannot be recovered now`,
      more: 'Peers that come back bring them back.',
    };
  const critical = filesOf(state, 'critical');
  const words = mesh.files === 1 ? 'The file can be recovered' : `All ${whole(mesh.files)} files can be recovered`;
  if (critical > 0) return { tone: 'bad', words, more: `${plural(critical, 'file')} close to not` };
  if (state.atRisk.total > 0) return { tone: 'warn', words, more: `${plural(state.atRisk.total, 'file')} to repair` };
  const margin = smallestMargin(state);
  return { tone: 'good', words, more: margin === null ? '' : `The closest is ${plural(margin, 'share')} from not.` };
}

export function filesOf({ mesh }: LiveState, grade: string): number {
  return mesh.byGrade.find((each) => each.grade === grade)?.files ?? 0;
}

export function smallestMargin({ margins }: LiveState): number | null {
  const worst = margins.find(([, files]) => files > 0);
  return worst === undefined ? null : worst[0];
}
