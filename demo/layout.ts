/** Who is in the demonstration mesh: peers over failure domains of uneven size, as real meshes have them. */

export interface DemoPeer {
  /** Such as `alder-07`: its zone and its number there. */
  readonly name: string;
  readonly zone: string;
  readonly region: string;
}

const zones = [
  'alder',
  'birch',
  'cedar',
  'dogwood',
  'elm',
  'fir',
  'ginkgo',
  'hazel',
  'ironwood',
  'juniper',
  'katsura',
  'larch',
] as const;
const regions = ['north', 'east', 'south', 'west'] as const;
/** Parts of the whole: the largest zone holds nearly a fifth, the smallest a fortieth. */
const weights = [22, 17, 14, 12, 11, 10, 9, 8, 6, 5, 3, 3] as const;

/** `count` peers over twelve zones and four regions; every zone has one at least. */
export function demoPeers(count: number): readonly DemoPeer[] {
  const total = weights.reduce<number>((sum, weight) => sum + weight, 0);
  const sizes = weights.map((weight) => Math.max(1, Math.floor((weight / total) * count)));
  for (let i = 0; sizes.reduce((sum, size) => sum + size, 0) < count; i = (i + 1) % sizes.length)
    sizes[i] = (sizes[i] as number) + 1;
  const peers = zones.flatMap((zone, z) =>
    Array.from({ length: sizes[z] as number }, (_, i) => ({
      name: `${zone}-${String(i + 1).padStart(2, '0')}`,
      zone,
      region: regions[z % regions.length] as string,
    })),
  );
  return peers.slice(0, count);
}

export function largestZone(peers: readonly DemoPeer[]): string {
  const sizes = new Map<string, number>();
  for (const { zone } of peers) sizes.set(zone, (sizes.get(zone) ?? 0) + 1);
  return ([...sizes].sort((a, b) => b[1] - a[1])[0] as [string, number])[0];
}
