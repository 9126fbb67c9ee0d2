/** A plan reads and changes nothing: every peer's disk, the log and the database are compared before and after. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { planCampaign } from '#analyzer/campaigns/planner.ts';
import { type CampaignDefinition, campaignKinds } from '#mesh/campaigns/definition.ts';
import { sampleDefinition } from '#mesh/campaigns/testing/samples.ts';
import { systemClock } from '#mesh/clock.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { allTopics } from '#mesh/topics.ts';
import { RealMesh } from '#repairer/campaigns/testing/real-mesh.ts';
import { text, uint64 } from '#store/row-binary/columns.ts';
import { allTables } from '#store/tables.ts';

let mesh: RealMesh;
beforeAll(async () => {
  mesh = await RealMesh.open(14);
}, 60_000);
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
}, 60_000);

/** Everything that there is, down to each byte on each disk and when it was written. */
async function everything(): Promise<unknown> {
  const disks = await Promise.all(
    mesh.peers.map(async ({ folder }) => {
      const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
      return Promise.all(
        names.map(async ({ parentPath, name }) => {
          const path = join(parentPath, name);
          const content = createHash('sha256')
            .update(await readFile(path))
            .digest('hex');
          return [path, content, (await stat(path)).mtimeMs];
        }),
      );
    }),
  );
  const log = await Promise.all(allTopics(mesh.topics).map(({ name }) => mesh.log.bounds(name)));
  const tables = await Promise.all(
    allTables.map(({ name }) =>
      mesh.store.select(
        { rows: uint64, hash: text },
        `SELECT count(), toString(sum(cityHash64(toString(tuple(*))))) FROM ${mesh.store.qualified(name)}`,
      ),
    ),
  );
  const schema = await mesh.store.select(
    { name: text },
    'SELECT name FROM system.tables WHERE database = {database:String} ORDER BY name',
    { parameters: { database: mesh.store.database } },
  );
  return { disks, log, tables, schema };
}

it('plans every kind of campaign and leaves everything as it was', { timeout: 120_000 }, async () => {
  const files = await mesh.put([6, 6, 6, 6, 6, 6]);
  const peers = mesh.facts().map((fact, at) => ({ ...fact, name: `peer-${at}`, domains: { ...fact.domains } }));
  const [old, onto] = peers.map(({ peerId }) => peerId as string);
  const definitions: Readonly<Record<CampaignDefinition['kind'], CampaignDefinition>> = {
    repair: sampleDefinition({ upTo: 9 }),
    drain: sampleDefinition({ kind: 'drain', leave: [old as string] }),
    replace: sampleDefinition({ kind: 'replace', leave: [old as string], onto: onto as string }),
    rebalance: sampleDefinition({ kind: 'rebalance', domainKind: 'zone' }),
    verify: sampleDefinition({ kind: 'verify' }),
  };
  const before = await everything();
  const { config } = loadConfig();
  for (const kind of campaignKinds) {
    const plan = await planCampaign(
      { store: mesh.store, peers: () => peers, config, clock: systemClock },
      definitions[kind],
    );
    if (kind === 'repair') expect(plan).toMatchObject({ files: files.length, sharesToWrite: files.length * 3 });
    if (kind === 'verify') expect(plan).toMatchObject({ sharesToRead: files.length * 6, sharesToWrite: 0 });
  }
  expect(await everything()).toEqual(before);
});
