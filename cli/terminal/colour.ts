/** Colour, where it means something: what is wrong stands out. Nothing is said by colour alone. */
import { styleText } from 'node:util';

export const colourWishes = ['auto', 'always', 'never'] as const;
export type ColourWish = (typeof colourWishes)[number];

/** What a word tells, not how it looks. */
export type Mood = 'good' | 'notice' | 'bad' | 'faint';

export type Paint = (mood: Mood | undefined, text: string) => string;

/**
 * What was asked for on the command line goes before the environment, and that before what the stream is.
 * `NO_COLOR` counts where it is not empty (no-color.org), `FORCE_COLOR` where it is not `0`.
 */
export function wantsColour(
  wish: ColourWish,
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (wish !== 'auto') return wish === 'always';
  const { NO_COLOR: none = '', FORCE_COLOR: forced, TERM: terminal } = environment;
  if (none !== '') return false;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return isTerminal && terminal !== 'dumb';
}

const styles = { good: 'green', notice: 'yellow', bad: 'red', faint: 'dim' } as const;

export const plainPaint: Paint = (_mood, text) => text;

export function createPaint(isColoured: boolean): Paint {
  if (!isColoured) return plainPaint;
  return (mood, text) => (mood === undefined ? text : styleText(styles[mood], text, { validateStream: false }));
}

const moods: Readonly<Record<string, Mood>> = {
  lost: 'bad',
  critical: 'bad',
  page: 'bad',
  down: 'bad',
  revoked: 'bad',
  failed: 'bad',
  irrecoverable: 'bad',
  corrupt: 'bad',
  'at-risk': 'notice',
  warning: 'notice',
  firing: 'bad',
  resolved: 'good',
  suspect: 'notice',
  draining: 'notice',
  maintenance: 'notice',
  partial: 'notice',
  paused: 'notice',
  pausing: 'notice',
  silenced: 'faint',
  acked: 'faint',
  expired: 'faint',
  departed: 'faint',
  healthy: 'good',
  up: 'good',
  repaired: 'good',
  restored: 'good',
  proven: 'good',
};

/** Of a state, a grade, a severity or an outcome; by its first word where others follow. */
export function moodOf(word: string): Mood | undefined {
  return moods[word] ?? moods[word.split(/[ ,]/)[0] as string];
}
