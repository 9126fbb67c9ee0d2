/** How the mesh itself is: its files, what its alerts say, its repairs, its peers, and what could not be taken. */
import { apiSender } from '#access/api-sender.ts';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import type { MeshAnswer, PeerAnswer, RepairAnswer } from '#analyzer/api/schemas.ts';
import { type LetterSummary, listLetters } from '#collector/dead-letters/letters.ts';
import { systemClock } from '#mesh/clock.ts';
import { hasCode } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { openLog } from '../connections.ts';
import { type Context, foldersOf } from '../context.ts';
import { describeOutdated } from '../describe-peers.ts';
import type { RunFile } from '../run-file.ts';
import { type Check, type Finding, failed, passed, skipped } from './check.ts';
import { exists } from './storage-checks.ts';

const answerTimeoutMs = 5_000;
/** What was refused or failed longer ago is no news. */
const letterAgeMs = 24 * 3_600_000;
const repairAgeMs = 3_600_000;
const mostLetters = 1000;
const mostRepairs = 500;

export function meshChecks(context: Context, run: RunFile | null): readonly Check[] {
  const api = createApiClient(
    run?.apiUrl ?? context.config.repairer.apiUrl,
    answerTimeoutMs,
    apiSender(context.config.access),
  );
  const ask = (name: string, look: (api: ApiClient) => Promise<Finding>): Check => ({
    name,
    kind: 'mesh',
    run: () => look(api).catch(whereAway),
  });
  return [
    ask('files', async (from) => judgeFiles(await from.mesh())),
    ask('alerts', async (from) => judgeAlerts(await from.mesh())),
    ask('repairs', async (from) => judgeRepairs(await from.repairs(mostRepairs), systemClock.nowMs())),
    ask('peers', async (from) => judgePeers((await from.peers()).peers)),
    { name: 'dead letters', kind: 'mesh', run: () => lookAtLetters(context) },
  ];
}

/** Whose fault it is that nothing is known here, other checks say. */
function whereAway(error: unknown): Finding {
  if (hasCode(error, 'service-unavailable') || hasCode(error, 'store-unavailable'))
    return skipped('no analyzer or no database answers: it is not known');
  throw error;
}

export function judgeFiles({ files, byGrade, filesWithoutManifest, freshness, sweptAtMs }: MeshAnswer): Finding {
  if (files === null)
    return skipped(`no file is known yet: ${freshness.reasons.join('; ') || 'nothing was judged so far'}`);
  const of = (grade: string): number => byGrade.find((each) => each.grade === grade)?.files ?? 0;
  const [lost, critical, atRisk] = [of('lost'), of('critical'), of('at-risk')];
  const unwatched =
    (filesWithoutManifest ?? 0) === 0 ? '' : `; shares of ${filesWithoutManifest} files without a manifest are there`;
  const dated =
    freshness.state === 'fresh' || sweptAtMs === 0
      ? ''
      : `; so the sweep of ${new Date(sweptAtMs).toISOString()} found them`;
  if (lost + critical + atRisk === 0) return passed(`${files} files, none of them at risk${unwatched}${dated}`);
  const words = [
    ...(lost > 0 ? [`${lost} cannot be recovered now`] : []),
    ...(critical > 0 ? [`${critical} are critical`] : []),
    ...(atRisk > 0 ? [`${atRisk} are at risk`] : []),
  ];
  return failed(
    `of ${files} files ${words.join(', ')}${unwatched}${dated}`,
    lost > 0
      ? 'Bring peers back that hold their shares: `meshward file at-risk --grade lost` lists the files, `meshward file show FILE --placements` the peers.'
      : '`meshward file at-risk` lists them with their causes; the line on repairs says whether they are being mended.',
  );
}

/** What is said of files and of freshness, other checks say too. */
export function judgeAlerts({ alerts }: MeshAnswer): Finding {
  const others = alerts.filter(({ key }) => !/^(files-lost|files-critical|files-at-risk|health-stale)$/.test(key));
  const [first] = others.toSorted((a, b) => Number(b.severity === 'page') - Number(a.severity === 'page'));
  if (first === undefined) return passed('nothing else is wrong');
  return failed(others.map(({ summary }) => summary).join('; '), first.next);
}

/** A file's newest try counts. */
export function judgeRepairs(repairs: readonly RepairAnswer[], nowMs: number): Finding {
  const newest = new Map<string, RepairAnswer>();
  for (const repair of repairs) {
    const known = newest.get(repair.storageIndex);
    const isRecent = nowMs - repair.endedAtMs <= repairAgeMs;
    if (isRecent && (known === undefined || repair.endedAtMs > known.endedAtMs))
      newest.set(repair.storageIndex, repair);
  }
  const tried = [...newest.values()];
  const failing = tried.filter(({ outcome }) => outcome === 'failed');
  const mended = tried.filter(({ outcome }) => outcome === 'repaired' || outcome === 'partial').length;
  if (failing.length === 0) return passed(`${mended} files were mended in the last hour, and none failed`);
  const reasons = [...Map.groupBy(failing, ({ errorCode }) => errorCode || 'unknown')]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([code, of]) => `${of.length} ${code}`);
  const what =
    failing.length === 1 ? 'the last repair of 1 file failed' : `the last repairs of ${failing.length} files failed`;
  return failed(`${what} (${reasons.join(', ')}); ${mended} were mended in the last hour`, repairAdvice(failing));
}

const adviceOfRepairs: Readonly<Record<string, string>> = {
  'repair-no-target': 'Add peers or room, or bring peers back: `meshward peers` shows who takes shares.',
  'not-enough-shares': 'Bring peers back that hold their shares: `meshward file at-risk` names the causes.',
  'gbs-unreachable': 'See that repairers can reach the peers at the addresses that they were enrolled with.',
};

function repairAdvice(failing: readonly RepairAnswer[]): string {
  const code = failing.map(({ errorCode }) => errorCode).find((each) => each in adviceOfRepairs);
  return adviceOfRepairs[code ?? ''] ?? 'Look into the log of the repairer; docs/errors.md says what its codes mean.';
}

export function judgePeers(peers: readonly PeerAnswer[]): Finding {
  const [outdated] = describeOutdated(peers);
  if (outdated === undefined) return passed(`${peers.length} are known; each is heard under the key that is its own`);
  return failed(
    outdated,
    'See the logs of these agents. Where one says that another agent speaks with its key, stop one of the two; one that lost its count goes on by itself.',
  );
}

async function lookAtLetters(context: Context): Promise<Finding> {
  const { config, dataDir } = context;
  const folder = foldersOf(dataDir, config).log;
  if (config.log.adapter === 'embedded' && !(await exists(folder))) return skipped('there is no log yet');
  const { log, topics } = await openLog(context, { role: 'cli', logger: silentLogger });
  try {
    const sinceMs = systemClock.nowMs() - letterAgeMs;
    return judgeLetters(await listLetters(log, topics.deadLetters.name, { sinceMs }, mostLetters));
  } finally {
    await log.close();
  }
}

export function judgeLetters(letters: readonly LetterSummary[]): Finding {
  const open = letters.filter(({ replayed }) => replayed === null);
  if (open.length === 0) return passed('none in the last 24 h that was not replayed');
  const codes = [...Map.groupBy(open, ({ code }) => code)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .map(([code, of]) => `${of.length} ${code}`);
  const count = letters.length >= mostLetters ? `${open.length} or more` : String(open.length);
  return failed(
    `${count} in the last 24 h: ${codes.join(', ')}`,
    '`meshward dead-letters list --since 24h` names senders and reasons; what can be taken by now, `meshward dead-letters replay` takes.',
  );
}
