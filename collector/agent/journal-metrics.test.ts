import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '#mesh/logger.ts';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createStorageClient } from '#tahoe/gbs/client.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Nurl } from '#tahoe/identity/nurl.ts';
import { observeJournal } from './journal-metrics.ts';
import type { ShareServer } from './ports.ts';
import { storageServing } from './storage-serving.ts';

const swissnum = 'wnmnddcikb6xdffdtyckcq2yhdl3yrxh';

test('a peer that serves tells how full its journal is, how long its oldest record waits, and what went past it', async () => {
  const storageFolder = await mkdtemp(join(tmpdir(), 'meshward-journal-metrics-'));
  onTestFinished(() => rm(storageFolder, { recursive: true, force: true }));
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  let server: ShareServer | null = null;
  const end = observeJournal(provider.getMeter('test'), 'PEER', () => server?.journal?.() ?? null);
  const read = async (): Promise<Record<string, number>> => {
    const { resourceMetrics } = await exporter.collect();
    const lines = new PrometheusSerializer()
      .serialize(resourceMetrics)
      .matchAll(/^meshward_agent_(\S+)\{(.*)\} (\S+)/gm);
    return Object.fromEntries(
      [...lines].map(([, name, labels = '', value]) => {
        const reason = /reason="(\w+)"/.exec(labels)?.[1];
        return [`${name}${reason === undefined ? '' : ` ${reason}`}`, Number(value)];
      }),
    );
  };
  expect(await read()).toEqual({});

  const identity = await createPeerIdentity();
  const clock = new ManualClock();
  server = await storageServing(
    identity,
    clock,
    silentLogger,
  )({ storageFolder, host: '127.0.0.1', port: 0, swissnum, onChange: () => undefined });
  const started = server;
  const client = createStorageClient();
  onTestFinished(async () => {
    await client.close();
    await started.close();
    end();
  });
  const atRest = {
    journal_in_use: 1,
    journal_bytes: 0,
    journal_limit_bytes: 32 * 1024 * 1024,
    journal_oldest_record_seconds: 0,
    journalled_shares_total: 0,
    put_back_shares_total: 0,
    'journal_bypassed_shares_total full': 0,
    'journal_bypassed_shares_total unwritten': 0,
  };
  expect(await read()).toEqual(atRest);
  const peer = client.peer(new Nurl(identity.peerId, '127.0.0.1', started.port, swissnum));
  await peer.putWhole(storageIndexFromBytes(randomBytes(16)), 0, {
    bytes: randomBytes(1000),
    uploadSecret: new Uint8Array(20),
    renewSecret: new Uint8Array(32),
    cancelSecret: new Uint8Array(32),
  });
  await clock.advance(2500);
  expect(await read()).toEqual({
    ...atRest,
    journal_bytes: 4096,
    journal_oldest_record_seconds: 2.5,
    journalled_shares_total: 1,
  });
});
