/** Names of runbooks out of keys of alerts. */

/** Kinds whose runbook is not called as they are. */
const others: Readonly<Record<string, string>> = {
  'objective-recoverable': 'MeshwardRecoverableBudgetBurn',
  'objective-above-repair': 'MeshwardRepairBudgetBurn',
  'sink-failing': 'MeshwardAlertSinkFailing',
};

const list = (words: readonly string[]): string => `[${words.map((word) => `'${word}'`).join(', ')}]`;

/** `files-lost` is told of in MeshwardFilesLost, `domain-lost:zone alder` in MeshwardDomainLost. @param key SQL of the alert's key. */
export function runbookOf(key: string): string {
  const kind = `splitByChar(':', ${key})[1]`;
  const words = `arrayMap(word -> concat(upper(substring(word, 1, 1)), substring(word, 2)), splitByChar('-', ${kind}))`;
  const named = `concat('Meshward', arrayStringConcat(${words}))`;
  return `transform(${kind}, ${list(Object.keys(others))}, ${list(Object.values(others))}, ${named})`;
}
