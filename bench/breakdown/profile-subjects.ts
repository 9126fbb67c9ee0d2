/** What an event loop was at, told from a CPU profile: each sample belongs to one subject. Pure. */

/** In the order in which they are told. */
export const subjects = [
  'idle',
  'garbage',
  'tls',
  'http',
  'protocol',
  'streams',
  'hashing',
  'codec',
  'disk',
  'transfer',
  'repair',
  'node',
  'native',
  'bench',
] as const;
export type Subject = (typeof subjects)[number];

/** As the tables call them; `idle` is told by what was waited for. */
export const subjectTitles: Readonly<Record<Subject, string>> = {
  idle: 'idle',
  garbage: 'collecting garbage',
  tls: 'TLS: encrypting, and writing to the sockets',
  http: 'HTTP: heads, bodies, parsing',
  protocol: 'storage protocol: messages, joint exchanges, queues',
  streams: 'sockets and streams of Node',
  hashing: 'hashing and verifying',
  codec: 'codec',
  disk: 'files',
  transfer: 'requests of a repair: budget, contact, clocks',
  repair: 'the repair itself: plan, places, shares',
  node: 'other code of Node and libraries',
  native: 'below JavaScript: reading from sockets, decrypting, system calls',
  bench: 'the measuring',
};

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** As V8 gives it; times in µs of the clock of `process.hrtime`. */
export interface CpuProfile {
  readonly startTime: number;
  readonly endTime: number;
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A stretch of time in which the event loop was at one subject. */
export interface SubjectSlice {
  readonly subject: Subject;
  readonly fromUs: number;
  readonly toUs: number;
}

/** By each sample until the next one, in order of time; neighbours of one subject are one slice. */
export function subjectSlices(profile: CpuProfile): SubjectSlice[] {
  const subjectOf = subjectsByNode(profile.nodes);
  let atUs = profile.startTime;
  const samples = profile.samples.map((id, i) => {
    atUs += profile.timeDeltas[i] ?? 0;
    return { id, atUs };
  });
  samples.sort((a, b) => a.atUs - b.atUs); // now and then V8 gives one after a later one
  const slices: SubjectSlice[] = [];
  for (const [i, { id, atUs: fromUs }] of samples.entries()) {
    const toUs = samples[i + 1]?.atUs ?? profile.endTime;
    if (toUs <= fromUs) continue;
    const subject = subjectOf.get(id) ?? 'node';
    const last = slices.at(-1);
    if (last?.subject === subject && last.toUs === fromUs) slices[slices.length - 1] = { ...last, toUs };
    else slices.push({ subject, fromUs, toUs });
  }
  return slices;
}

/** Each in µs of the event loop. */
export type BySubject = Readonly<Record<Subject, number>>;

export function sumBySubject(slices: readonly SubjectSlice[]): BySubject {
  const sums = noneBySubject();
  for (const { subject, fromUs, toUs } of slices) sums[subject] += toUs - fromUs;
  return sums;
}

/** How many samples. A thread that waits for a processor is not sampled more often for it, so that they divide processor time. */
export function samplesBySubject(profile: CpuProfile): BySubject {
  const subjectOf = subjectsByNode(profile.nodes);
  const counts = noneBySubject();
  for (const id of profile.samples) counts[subjectOf.get(id) ?? 'node']++;
  return counts;
}

export function noneBySubject(): Record<Subject, number> {
  return Object.fromEntries(subjects.map((subject) => [subject, 0])) as Record<Subject, number>;
}

function subjectsByNode(nodes: readonly ProfileNode[]): Map<number, Subject> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map<number, ProfileNode>();
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node);
  return new Map([...byId].map(([id, node]) => [id, subjectOfStack(node, parents)]));
}

/** Names of native functions that write to a socket; those of TLS sockets encrypt as they do. */
const socketWrites = /^(writeBuffer|writev|writeUtf8String|writeLatin1String|writeAsciiString|shutdown|setSession)$/;

/** Where this project lies: what folders above it are called says nothing. */
const projectRoot = new URL('../../', import.meta.url).href;

/** Files of ours, by their path in the project, and of Node, the first that fits. */
const subjectsByFile: readonly (readonly [RegExp, Subject])[] = [
  [/^bench\/|node:inspector|internal\/inspector|async_local_storage/, 'bench'],
  [/tls_wrap|internal\/tls|_tls|tls_common|node:tls|secure|pinned-connector/, 'tls'],
  [/undici|_http|internal\/http|http-exchange|peer-connection\.ts|response-parser|body-sink|node:https?$/, 'http'],
  [/^native\/(hash|bytes|threaded-hash)|hash-tree|internal\/crypto|node:crypto|noble\/hashes/, 'hashing'],
  [/^native\/(codec|segments)/, 'codec'],
  [/node:fs|internal\/fs|^native\/disk|gbs\/disk/, 'disk'],
  [/^tahoe\/gbs|cborg/, 'protocol'],
  [/node:net|stream_base|internal\/streams|node:stream|internal\/stream/, 'streams'],
  [/^(repairer|tahoe|native)\//, 'repair'],
  [/^(peers|mesh)\//, 'transfer'],
];

/** By the innermost frame that has a file: native functions have none, and belong to who called them. */
function subjectOfStack(node: ProfileNode, parents: ReadonlyMap<number, ProfileNode>): Subject {
  const { functionName } = node.callFrame;
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  if (functionName === '(program)') return 'native';
  for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) {
    const { url, functionName: name } = at.callFrame;
    if (url === '' && socketWrites.test(name)) return 'tls';
    if (url === '') continue;
    const file = url.startsWith(projectRoot) ? url.slice(projectRoot.length) : url;
    if (/node_modules/.test(file) && !/undici|noble|cborg/.test(file)) return 'node';
    return subjectsByFile.find(([pattern]) => pattern.test(file))?.[1] ?? 'node';
  }
  return 'node';
}
