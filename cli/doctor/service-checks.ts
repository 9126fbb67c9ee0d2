/** What runs: ClickHouse, collector, analyzer, repairer. */
import { type ApiSender, apiSender } from '#access/api-sender.ts';
import type { SinkListAnswer } from '#analyzer/api/alert-schemas.ts';
import { createApiClient } from '#analyzer/api/client.ts';
import { describeError } from '#mesh/errors.ts';
import type { RepairerStatus } from '#mesh/repairer-status.ts';
import { connectStore, type Store } from '#store/client.ts';
import { migrations } from '#store/migrations/list.ts';
import { uint32 } from '#store/row-binary/columns.ts';
import { hasServerType } from '#store/store-errors.ts';
import { readPassword } from '../connections.ts';
import type { Context } from '../context.ts';
import { describeFreshness } from '../describe-file.ts';
import { withCollector } from '../mesh-address.ts';
import { withClickHouse } from '../recorded-proofs.ts';
import type { RunFile } from '../run-file.ts';
import { type Check, type Finding, failed, passed, skipped, startServices } from './check.ts';

const answerTimeoutMs = 5_000;
export function serviceChecks(context: Context, run: RunFile | null): readonly Check[] {
  const { config } = context;
  const send = apiSender(config.access);
  return [
    { name: 'clickhouse', kind: 'service', run: () => lookAtClickHouse(context) },
    {
      name: 'collector',
      kind: 'service',
      async run() {
        const ops = run?.collectorOpsUrl ?? `http://127.0.0.1:${config.collector.opsPort}`;
        const ready = await readiness(ops, send);
        if (ready !== null) return ready;
        const peers = await withCollector(context, {}, (collector) => collector.directory());
        const revoked = peers.filter((peer) => peer.revoked).length;
        return passed(
          `takes events; ${peers.length} peers are enrolled${revoked === 0 ? '' : `, ${revoked} of them revoked`}`,
        );
      },
    },
    {
      name: 'analyzer',
      kind: 'service',
      async run() {
        const url = run?.apiUrl ?? config.repairer.apiUrl;
        const mesh = await createApiClient(url, answerTimeoutMs, send).mesh();
        const said = `${url} has ${mesh.files ?? 'not yet found out its'} files in ${mesh.ownedPartitions} of ${mesh.partitions} partitions; health is ${describeFreshness(mesh.freshness)}`;
        if (mesh.freshness.state === 'fresh') return passed(said);
        return failed(
          said,
          'See that a collector runs (it makes the ticks) and that ClickHouse answers; a rebuild takes its time.',
        );
      },
    },
    {
      name: 'alert sinks',
      kind: 'service',
      run: async () =>
        alertSinks(await createApiClient(run?.apiUrl ?? config.repairer.apiUrl, answerTimeoutMs, send).alertSinks()),
    },
    {
      name: 'repairer',
      kind: 'service',
      async run() {
        const url = run?.repairerUrl ?? `http://${config.repairer.host}:${config.repairer.port}`;
        const ready = await readiness(url, send);
        if (ready !== null) return ready;
        const state = await ask(new URL('/v1/state', url), send).then(
          (response) => response.json() as Promise<RepairerStatus>,
        );
        return judgeRepairer(state, url, config.analyzer.staleAfterMs);
      },
    },
  ];
}

/** Whether alerts reach people. */
export function alertSinks({ isTeller, sinks }: SinkListAnswer): Finding {
  if (sinks.length === 0) return skipped('alerts.sinks names no sink: alerts stand on the page and reach nobody');
  const names = sinks.map(({ sink, kind }) => `${sink} (${kind})`).join(', ');
  if (!isTeller) return passed(`${names}; another analyzer tells them, and says so where one takes nothing`);
  const failing = sinks.filter(({ failingSinceMs }) => failingSinceMs !== null);
  if (failing.length === 0) return passed(`${names} take alerts`);
  const said = failing.map(({ sink, failingSinceMs, lastError, waiting }) => {
    const since = new Date(failingSinceMs ?? 0).toISOString();
    return `${sink} takes nothing since ${since}, and ${waiting === 1 ? '1 notice waits' : `${waiting} notices wait`}: ${lastError}`;
  });
  return failed(
    said.join('; '),
    'See that it runs and that its address and key are right; `meshward alerts test --sink NAME` tries at once.',
  );
}

/** A repairer with old facts holds bulk repair, which nobody notices until it is wanted. */
export function judgeRepairer(state: RepairerStatus, url: string, staleAfterMs: number): Finding {
  const { running, brake, failing = [], peersAgeMs = 0, drain } = state;
  const parts = [
    `${url} has ${running.length} repairs under way`,
    ...(failing.length === 0 ? [] : [`${failing.length} files that it could not repair so far`]),
    ...(drain === undefined || drain.peers.length === 0
      ? []
      : [`${drain.sharesLeft ?? '?'} shares left to move off ${drain.peers.length} draining peers`]),
    ...(brake === null ? [] : [`bulk repair is held: ${brake}`]),
  ];
  const said = parts.join('; ');
  if (peersAgeMs < 0 || peersAgeMs > staleAfterMs)
    return failed(
      said,
      'See that a collector runs and can write into the log: its ticks are the time by which peers are judged.',
    );
  if (failing.length > 0)
    return failed(
      said,
      '`meshward file at-risk` shows what each was tried with; `meshward file repair CAP` tries one now.',
    );
  return passed(said);
}

async function lookAtClickHouse(context: Context): Promise<Finding> {
  const known = await withClickHouse(context);
  if (known === null) return failed('none is configured or runs with this data directory', startServices);
  const { urls, username, passwordFile, database } = known.config.clickhouse;
  const password = await readPassword(passwordFile);
  const store = connectStore({ urls, username, password, database, requestTimeoutMs: answerTimeoutMs });
  try {
    await store.ping();
    const [row] = await store.select(
      { version: uint32 },
      `SELECT max(version) AS version FROM ${store.qualified('schema_migrations')}`,
    );
    const own = migrations.at(-1)?.version ?? 0;
    const version = row?.version ?? 0;
    if (version === own) return await tryToWrite(store, version);
    const next =
      version < own
        ? 'Start an analyzer of this version: it brings the schema up to date.'
        : 'Use the version of Meshward that migrated it, or a later one.';
    return failed(`its schema is at version ${version}, this program's at ${own}`, next);
  } finally {
    await store.close();
  }
}

/**
 * A database whose disk is full answers, and takes nothing. What is written is what stands there already: the newest step of the schema,
 * under its own key and moment.
 */
export async function tryToWrite(store: Pick<Store, 'command' | 'qualified'>, version: number): Promise<Finding> {
  const table = store.qualified('schema_migrations');
  try {
    await store.command(
      `INSERT INTO ${table} SELECT * FROM ${table} FINAL ORDER BY version DESC LIMIT 1 SETTINGS insert_deduplicate = 0`,
    );
  } catch (error) {
    if (hasServerType(error, 'ACCESS_DENIED'))
      return passed(
        `answers; schema version ${version}; whether it takes anything is not known: this user may not write`,
      );
    return failed(
      `answers, but takes nothing: ${describeError(error)}`,
      'See that its disk has room (`SELECT name, free_space FROM system.disks`), and that its tables are not read-only. Events wait in the log meanwhile.',
    );
  }
  return passed(`answers and takes what is written; schema version ${version}`);
}

/** Null where the service is ready. */
async function readiness(url: string, send: ApiSender): Promise<Finding | null> {
  let response: Response;
  try {
    response = await ask(new URL('/readyz', url), send);
  } catch (error) {
    return failed(`does not answer at ${url}: ${describeError(error)}`, startServices);
  }
  if (response.ok) return null;
  const body = (await response.json().catch(() => null)) as { readonly reasons?: readonly string[] } | null;
  return failed(
    `is not ready: ${body?.reasons?.join('; ') ?? `status ${response.status}`}`,
    'Wait a little; if it stays so, look into its log.',
  );
}

function ask(url: URL, send: ApiSender): Promise<Response> {
  return send(url, { signal: AbortSignal.timeout(answerTimeoutMs) });
}
