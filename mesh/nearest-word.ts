/** What somebody probably meant who mistyped a word. */
import { distance } from 'fastest-levenshtein';

/** Of short words nearly everything is near everything; two letters that changed places count as two. */
function allowedMistakes(length: number): number {
  return length <= 3 ? 1 : Math.max(2, Math.floor(length * 0.4));
}

/** The nearest of `known`, upper and lower case being the same; undefined where none is near. */
export function nearestWord<Word extends string>(word: string, known: Iterable<Word>): Word | undefined {
  const meant = word.toLowerCase();
  let found: Word | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    const apart = distance(meant, each.toLowerCase());
    if (apart < least && apart <= allowedMistakes(Math.max(meant.length, each.length))) {
      least = apart;
      found = each;
    }
  }
  return found;
}

/** Said after what is unknown; empty where nothing is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const near = nearestWord(word, known);
  return near === undefined ? '' : ` Did you mean ${near}?`;
}
