/**
 * Small wrong changes, each of which some test must notice: `npm run faults -- --mutants` makes each in a copy of the sources. Whoever adds a
 * promise adds the change that breaks it.
 */

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  readonly caughtBy: Catcher;
}

export type Catcher =
  /** Of `faults.ts`, on the embedded log, against the oracle: only analyzers are wrong, and what judges them is right. */
  | { readonly kind: 'fault'; readonly name: string }
  /** Of `repair/repair-faults.ts`: only repairers are wrong. */
  | { readonly kind: 'repair-fault'; readonly name: string }
  /** A test file. */
  | { readonly kind: 'test'; readonly path: string };

const fault = (name: string): Catcher => ({ kind: 'fault', name });
const repairFault = (name: string): Catcher => ({ kind: 'repair-fault', name });
const test = (path: string): Catcher => ({ kind: 'test', path });

export const mutants: readonly Mutant[] = [
  // --- order of batches ----------------------------------------------------------------------------------------------
  {
    name: 'late batches are applied again',
    file: 'analyzer/files/share-map/peer-progress.ts',
    from: 'if (compareOrder(batch, progress) <= 0) return null;',
    to: '',
    caughtBy: fault('records that nobody can read'),
  },
  {
    name: 'the incarnation of a batch does not count',
    file: 'mesh/incarnation.ts',
    from: 'return a.incarnation - b.incarnation || a.sequence - b.sequence;',
    to: 'return a.sequence - b.sequence;',
    caughtBy: fault('records that nobody can read'),
  },
  {
    name: 'how far batches were applied is not remembered',
    file: 'analyzer/files/share-map/peer-progress.ts',
    from: 'this.#known.set(peer, { ...progress });',
    to: 'this.#known.set(peer, { ...progress, incarnation: 0, sequence: 0 });',
    // What comes again comes in order and mostly does no harm: a kill shows it now and then only.
    caughtBy: test('analyzer/files/share-map/testing/plain-share-map.test.ts'),
  },
  // --- order of effects ----------------------------------------------------------------------------------------------
  {
    name: 'how far what owners said was applied is forgotten at a restart',
    file: 'analyzer/files/share-map/peer-progress.ts',
    from: '      this.#changed.add(peer);\n      this.#keepOwner(peer, progress);',
    to: '      this.#keepOwner(peer, progress);',
    caughtBy: test('analyzer/files/share-map/testing/plain-share-map.test.ts'),
  },
  {
    name: 'offsets are committed before the store has what led to them',
    file: 'analyzer/files/keeper.ts',
    from: 'await this.#whileChangesGoOn(() => store.savePartitions(changes));',
    to: 'for (const each of reached) await this.#commit(each);\n    await this.#whileChangesGoOn(() => store.savePartitions(changes));',
    caughtBy: fault('killed before the store has it'),
  },
  {
    name: 'the store learns that batches were applied before it has what they said',
    file: 'analyzer/clickhouse/clickhouse-store.ts',
    from: '    await this.#writer.flush();\n    await this.#writer.enqueue(\n      tables.applied,',
    to: '    await this.#writer.enqueue(\n      tables.applied,',
    caughtBy: fault('killed before the store has it'),
  },
  {
    name: 'a record that cannot be read is passed over without a letter',
    file: 'analyzer/files/dead-letter.ts',
    from: 'await log.append(topics.deadLetters.name, [letter]);',
    to: 'await Promise.resolve([log, topics, letter]);',
    caughtBy: fault('records that nobody can read'),
  },
  {
    name: 'offsets are committed before letters are kept',
    file: 'analyzer/files/keeper.ts',
    from: 'await deadLetters;',
    to: 'void deadLetters;',
    caughtBy: test('analyzer/service-offsets.test.ts'),
  },
  // --- tokens --------------------------------------------------------------------------------------------------------
  {
    name: 'each try of an insert has another token',
    file: 'store/write-batch.ts',
    from: 'return this.#token;',
    to: 'return this.#token + Math.random();',
    caughtBy: fault('answers of the store break'),
  },
  {
    name: 'batches that differ have one token',
    file: 'store/write-batch.ts',
    from: 'for (const { bytes } of this.#parts) hash.update(bytes);',
    to: '',
    caughtBy: fault('answers of the store break'),
  },
  // --- fences and generations ----------------------------------------------------------------------------------------
  {
    name: 'whoever lost a partition commits on',
    file: 'log/embedded/group-file.ts',
    from: "'UPDATE ownership SET committed_offset = ? WHERE group_name = ? AND topic = ? AND partition = ? AND owner = ? AND generation = ?',\n          nextOffset,\n          group,\n          partition.topic,\n          partition.partition,\n          memberId,\n          partition.generation,",
    to: "'UPDATE ownership SET committed_offset = ? WHERE group_name = ? AND topic = ? AND partition = ?',\n          nextOffset,\n          group,\n          partition.topic,\n          partition.partition,",
    caughtBy: test('test/contracts/event-log-embedded.test.ts'),
  },
  {
    name: 'whoever lost a partition writes its rows on',
    file: 'analyzer/files/partition/ownership.ts',
    from: "if (hasCode(error, 'log-fenced')) return false;",
    to: "if (hasCode(error, 'log-fenced')) return true;",
    caughtBy: test('analyzer/files/partition/ownership.test.ts'),
  },
  {
    name: 'entries of the at-risk list bear the generation of nobody',
    file: 'analyzer/files/publisher.ts',
    from: '[generationHeader]: String(owned.assigned.generation)',
    to: "[generationHeader]: '0'",
    caughtBy: fault('analyzers come, go and are killed'),
  },
  {
    name: 'what a former owner writes on the at-risk list is left standing',
    file: 'analyzer/files/partition/list-ownership.ts',
    from: 'const foreign = isOurs ? [] : await this.#foreignIn(this.#nextOffset, end);',
    to: 'const foreign = isOurs ? [] : (await this.#foreignIn(this.#nextOffset, end)).slice(0, 0);',
    caughtBy: test('analyzer/files/partition/list-ownership.test.ts'),
  },
  {
    name: 'the fence of the at-risk list keeps nobody out',
    file: 'mesh/list-fence.ts',
    from: "if (offset >= fence.fenceOffset) return 'fenced';",
    to: "if (offset >= fence.fenceOffset) return 'counts';",
    caughtBy: test('repairer/queue/list-fence.test.ts'),
  },
  {
    name: 'rows of a newer owner are not newer',
    file: 'store/versions.ts',
    from: 'return generation * savesOfGeneration + Math',
    to: 'return generation * 0 + Math',
    caughtBy: test('analyzer/clickhouse/clickhouse-files.test.ts'),
  },
  // --- files that nobody should know ---------------------------------------------------------------------------------
  {
    name: 'deleted files stay on the list and in the store',
    file: 'analyzer/files/publisher.ts',
    from: 'if (isWatched(owned, file)) continue;',
    to: 'if (isWatched(owned, file) || !owned.caughtUp || owned.number >= 0) continue;',
    caughtBy: fault('files deleted, and shares of files that nobody knows'),
  },
  // --- peers ---------------------------------------------------------------------------------------------------------
  {
    name: 'who answers under a foreign key is believed',
    file: 'tahoe/identity/pinned-connector.ts',
    from: 'settle(failures.pinMismatch(shown));',
    to: 'settle(null);',
    caughtBy: test('tahoe/gbs/client.test.ts'),
  },
  {
    name: 'what was written is not read back',
    file: 'repairer/repair/read-back.ts',
    from: 'return error ?? new Error(',
    to: 'return undefined; new Error(',
    caughtBy: test('repairer/repair/repair.test.ts'),
  },
  {
    name: 'what a repair moves is on no account',
    file: 'peers/budget.ts',
    from: 'waitMs: bucket.take(amount)',
    to: 'waitMs: bucket.take(0)',
    caughtBy: test('peers/budget.test.ts'),
  },
  // --- campaigns -----------------------------------------------------------------------------------------------------
  {
    name: 'shares that were made anew are believed in',
    file: 'repairer/repair/repair.ts',
    from: 'const written = await checkedSample(complete, this.#tools.settings.readBackRatio, this.#readBack);',
    to: 'const written = { good: complete, bad: [] };',
    caughtBy: repairFault('targets keep wrong bytes'),
  },
  {
    name: 'shares that were copied are believed in',
    file: 'repairer/repair/repair.ts',
    from: 'const { bad } = await checkedSample(copies, this.#tools.settings.readBackRatio, this.#readBack);',
    to: 'const bad = [];',
    caughtBy: repairFault('drained onto peers that keep wrong bytes'),
  },
  {
    name: 'files that a campaign has dealt with are dealt with again',
    file: 'store/queries/campaigns.ts',
    from: "`(partition, storage_index) GLOBAL NOT IN ${dealtWith('')}`,",
    to: '',
    caughtBy: repairFault('repairers are killed'),
  },
  {
    name: 'a campaign that is paused is begun again',
    file: 'repairer/campaigns/worker.ts',
    from: "if (campaign?.state !== 'running' || one.running !== null",
    to: 'if (campaign === undefined || one.running !== null',
    caughtBy: test('repairer/campaigns/worker.test.ts'),
  },
  {
    name: 'what a campaign does goes on when it is paused',
    file: 'repairer/campaigns/worker.ts',
    from: "else if (campaign.state !== 'running') await this.#stand(",
    to: "else if (campaign.state === 'cancelled') await this.#stand(",
    caughtBy: repairFault('campaigns are paused'),
  },
  {
    name: 'what failed is told to be restored',
    file: 'repairer/campaigns/file-work.ts',
    from: "      return 'failed';",
    to: "      return 'restored';",
    caughtBy: repairFault('targets fill up'),
  },
  {
    name: 'shares on a peer that is left count as being elsewhere',
    file: 'repairer/campaigns/assignment.ts',
    from: 'const elsewhere = distinct(counted(file, peerOf).filter(({ peerId }) => !leaves.has(peerId)));',
    to: 'const elsewhere = distinct(counted(file, peerOf));',
    caughtBy: repairFault('peers are drained while others fail'),
  },
];

/** @throws Error where the text to change is not there exactly once. */
export function mutatedText({ name, file, from, to }: Mutant, text: string): string {
  const pieces = text.split(from);
  if (pieces.length !== 2)
    throw new Error(
      `the mutant "${name}" does not fit ${file} any more: what it changes stands there ${pieces.length - 1} times`,
    );
  return pieces.join(to);
}
