/**
 * What repairers do at this moment, asked of their own state pages; a repairer that does not answer is left out. A host name stands
 * for all of its addresses, as a name of Kubernetes does for the pods behind it.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type ApiSender, plainSender } from '#access/api-sender.ts';
import type { Clock } from '#mesh/clock.ts';
import { type FailingFileStatus, type RepairerStatus, repairerStatus } from '#mesh/repairer-status.ts';

export interface RunningRepairs {
  readonly running: RepairerStatus['running'];
  readonly brake: string | null;
  /** By storage index: files whose last repair did not end well. */
  readonly failing: ReadonlyMap<string, FailingFileStatus>;
  /** Files of which shares could not be moved off draining peers so far. */
  readonly stuckDrains: number;
  /** Repairers that answered. */
  readonly repairers: number;
}

export const nothingRuns: RunningRepairs = {
  running: [],
  brake: null,
  failing: new Map(),
  stuckDrains: 0,
  repairers: 0,
};

const answerTimeoutMs = 400;

/** An answer serves everybody who asks within this time: repairers are not asked once for each viewer. */
const answerServesMs = 500;

export type FindAddresses = (host: string) => Promise<readonly string[]>;

export function repairersAt(
  urls: readonly string[],
  clock: Clock,
  addressesOf: FindAddresses = addressesInDns,
  send: ApiSender = plainSender,
): () => Promise<RunningRepairs> {
  let answer: Promise<RunningRepairs> | undefined;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clock.monotonicMs();
    if (answer === undefined || nowMs - askedAtMs >= answerServesMs) {
      askedAtMs = nowMs;
      answer = askRepairers(urls, addressesOf, send);
    }
    return answer;
  };
}

async function addressesInDns(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

async function askRepairers(
  urls: readonly string[],
  addressesOf: FindAddresses,
  send: ApiSender,
): Promise<RunningRepairs> {
  const each = await Promise.all(urls.map((url) => urlsBehind(url, addressesOf)));
  const states = onceEach(await Promise.all([...new Set(each.flat())].map((url) => ask(url, send))));
  return {
    running: states.flatMap((state) => state?.running ?? []),
    brake: states.map((state) => state?.brake ?? null).find((reason) => reason !== null) ?? null,
    stuckDrains: states.reduce((sum, state) => sum + (state?.drain?.failingFiles ?? 0), 0),
    failing: new Map(
      states.flatMap((state) => (state?.failing ?? []).map((file) => [file.storageIndex, file] as const)),
    ),
    repairers: states.filter((state) => state !== null).length,
  };
}

/** TLS checks the name, so https is asked by it; a name that leads nowhere leads to no repairer. */
async function urlsBehind(text: string, addressesOf: FindAddresses): Promise<readonly string[]> {
  const url = new URL(text);
  if (url.protocol !== 'http:' || isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0) return [text];
  const addresses = await addressesOf(url.hostname).catch(() => []);
  return addresses.map((address) => {
    const behind = new URL(text);
    behind.hostname = isIP(address) === 6 ? `[${address}]` : address;
    return behind.href;
  });
}

/** One with two addresses (IPv4 and IPv6) is one repairer. */
function onceEach(states: readonly (RepairerStatus | null)[]): readonly (RepairerStatus | null)[] {
  const seen = new Set<string>();
  return states.filter((state) => {
    if (state?.instance === undefined) return true;
    const isNew = !seen.has(state.instance);
    seen.add(state.instance);
    return isNew;
  });
}

async function ask(url: string, send: ApiSender): Promise<RepairerStatus | null> {
  try {
    const response = await send(new URL('/v1/state', url), { signal: AbortSignal.timeout(answerTimeoutMs) });
    return repairerStatus.parse(await response.json());
  } catch {
    return null;
  }
}
