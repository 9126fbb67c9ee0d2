import { fromBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import { AtRiskOwnerSchema } from '#mesh/generated/events_pb.js';
import { generationHeader, isOwnerRecord } from '#mesh/list-fence.ts';
import { storageIndexToBytes } from '#mesh/storage-index.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { ListOwnership } from './list-ownership.ts';

const topic = 'at-risk';

describe('the ownership of a list', () => {
  let log: InMemoryLog;
  beforeEach(() => {
    log = new InMemoryLog([{ name: topic, partitions: 2, compacted: true }]);
  });

  const ownership = (generation: number): ListOwnership =>
    new ListOwnership({ log, topic, partition: 1, generation, nowMs: () => 7 });
  const entry = (file: number, generation: number) => ({
    partition: 1,
    key: storageIndexToBytes(fileOf(file)),
    value: new Uint8Array([1]),
    headers: { [generationHeader]: String(generation) },
  });
  const owners = () =>
    log.all(topic).flatMap(({ key, value, offset }) => {
      if (!isOwnerRecord({ key }) || value === null) return [];
      const { generation, fenceOffset, confirmed } = fromBinary(AtRiskOwnerSchema, value);
      return [[offset, Number(generation), Number(fenceOffset), confirmed]];
    });

  async function taken(generation: number): Promise<ListOwnership> {
    const owned = ownership(generation);
    await owned.fence();
    owned.readTo(owned.fenceOffset ?? 0);
    return owned;
  }

  it('begins with a fence, and is confirmed by a record that says where the fence stands', async () => {
    await log.append(topic, [entry(1, 1)]);
    const owned = await taken(2);
    expect(owned).toMatchObject({ fenceOffset: 1, confirmed: false });
    expect(await owned.append([entry(1, 2)])).toEqual([]);
    expect(await owned.confirm()).toEqual([]);
    expect(owned.confirmed).toBe(true);
    expect(owners()).toEqual([
      [1, 2, 0, false],
      [3, 2, 1, true],
    ]);
  });

  it('finds what somebody else wrote between its own records, and is told of each once', async () => {
    const owned = await taken(2);
    await log.append(topic, [entry(1, 1), { ...entry(2, 1), value: null }]);
    expect(await owned.append([entry(3, 2)])).toEqual([fileOf(1), fileOf(2)]);
    expect(await owned.append([entry(3, 2)])).toEqual([]);
    await log.append(topic, [entry(4, 1)]);
    expect(await owned.look(6)).toEqual([fileOf(4)]);
    expect(await owned.look(6)).toEqual([]);
    expect(owned.overtaken).toBe(false);
  });

  it('knows that it is overtaken by an entry or a fence of a newer generation', async () => {
    const [byEntry, byFence] = [await taken(2), await taken(2)];
    await log.append(topic, [entry(1, 3)]);
    await byEntry.look(3);
    expect(byEntry.overtaken).toBe(true);
    await ownership(4).fence();
    await byFence.append([entry(1, 2)]);
    expect(byFence.overtaken).toBe(true);
  });

  it('fenced late, writes over what was written since the list was read', async () => {
    await log.append(topic, [entry(1, 1)]);
    const owned = ownership(2);
    owned.readTo(1);
    await log.append(topic, [entry(2, 1)]);
    await owned.fence();
    expect(await owned.append([entry(1, 2)])).toEqual([fileOf(2)]);
  });
});
