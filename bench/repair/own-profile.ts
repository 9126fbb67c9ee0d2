/** What the event loop of this process spends its time on, by a profile of itself. */

import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';

export const partNames = ['idle', 'garbage', 'tls', 'http', 'hashing', 'codec', 'disk', 'streams', 'own'] as const;
export type PartName = (typeof partNames)[number];
/** Seconds of the event loop. */
export type Parts = Readonly<Record<PartName, number>>;

interface Node {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** @returns what ends the profile and tells; it is written to `path` too, where that is given. */
export async function profileSelf(path?: string): Promise<() => Promise<Parts>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    if (path !== undefined) writeFileSync(path, JSON.stringify(profile));
    return partsOf(profile as unknown as { nodes: Node[]; samples: number[]; timeDeltas: number[] });
  };
}

function partsOf(profile: { nodes: Node[]; samples: number[]; timeDeltas: number[] }): Parts {
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map<number, Node>();
  for (const node of profile.nodes) for (const child of node.children ?? []) parents.set(child, node);
  const partOf = new Map(profile.nodes.map((node) => [node.id, classify(node, parents)]));
  const parts: Record<PartName, number> = Object.fromEntries(partNames.map((name) => [name, 0])) as never;
  profile.samples.forEach((id, i) => {
    if (byId.has(id)) parts[partOf.get(id) as PartName] += (profile.timeDeltas[i] ?? 0) / 1e6;
  });
  return parts;
}

/** By the innermost frame that says something: native functions have no file, and belong to who called them. */
function classify(node: Node, parents: ReadonlyMap<number, Node>): PartName {
  const { functionName } = node.callFrame;
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  for (let at: Node | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const { url, functionName: name } = at.callFrame;
    if (url === '' && /^(writeBuffer|writev|writeUtf8String|writeLatin1String|shutdown|start|setSession)$/.test(name))
      return 'tls';
    if (/tls_wrap|_tls|tls_common|secure|pinned-connector/.test(url)) return 'tls';
    if (/undici|_http|internal\/http|http-exchange|peer-connection|response-parser|body-sink|https/.test(url))
      return 'http';
    if (/native\/(hash|bytes)|hash-tree|internal\/crypto/.test(url)) return 'hashing';
    if (/native\/(codec|segments)/.test(url)) return 'codec';
    if (/node:fs|internal\/fs|gbs\/disk/.test(url)) return 'disk';
    if (/node:net|stream_base|internal\/streams|node:events|internal\/stream/.test(url)) return 'streams';
    if (url !== '') return 'own';
  }
  return 'own';
}
