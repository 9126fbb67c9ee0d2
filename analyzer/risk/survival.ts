/**
 * How likely a file is to be lost without repair, kept as log10 of the loss probability.
 *
 * A file with `m` shares is lost when fewer than `k` of them remain at the horizon. Were shares lost independently, each
 * with probability q, the count that remains would be binomial:
 *
 *     P(loss) = Σ_{j<k} C(m, j) (1−q)^j q^(m−j)
 *
 * Shares are not independent: peers of one domain fail together, so the true loss is more likely than this says. The
 * figure orders files and moves the right way with every share; it is no promise. Sums run in logarithms, since the terms
 * span hundreds of orders of magnitude.
 */
export class SurvivalTable {
  readonly #logLost: number;
  readonly #logKept: number;
  readonly #logFactorials: number[] = [0];
  readonly #known = new Map<number, number>();

  /** @param shareLossRatio q, between 0 and 1 (both are moved a little inwards). */
  constructor(shareLossRatio: number) {
    const q = Math.min(0.999, Math.max(1e-6, shareLossRatio));
    this.#logLost = Math.log(q);
    this.#logKept = Math.log1p(-q);
    for (let i = 1; i <= 256; i++) this.#logFactorials.push((this.#logFactorials[i - 1] as number) + Math.log(i));
  }

  /** log10 of the loss probability: 0 where fewer than k shares are left, and the lower the safer. `m ≤ 256`. */
  log10Loss(m: number, k: number): number {
    if (m < k) return 0;
    const key = m * 257 + k;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const terms = Array.from(
      { length: k },
      (_, j) => this.#logChoose(m, j) + j * this.#logKept + (m - j) * this.#logLost,
    );
    const largest = Math.max(...terms);
    const log10 = Math.min(
      0,
      (largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0))) / Math.LN10,
    );
    this.#known.set(key, log10);
    return log10;
  }

  #logChoose(m: number, j: number): number {
    const at = (i: number): number => this.#logFactorials[i] as number;
    return at(m) - at(j) - at(m - j);
  }
}
