import { expect, test } from 'vitest';
import {
  type CpuProfile,
  type ProfileNode,
  samplesBySubject,
  subjectSlices,
  sumBySubject,
} from './profile-subjects.ts';

let lastId = 0;

function frame(functionName: string, url = '', ...children: readonly ProfileNode[]): ProfileNode {
  return { id: ++lastId, callFrame: { functionName, url }, children: children.map(({ id }) => id) };
}

/** A profile of one sample each, 100 µs apart, of these stacks. */
function profileOf(nodes: readonly ProfileNode[], sampled: readonly ProfileNode[]): CpuProfile {
  return {
    startTime: 1000,
    endTime: 1000 + 100 * sampled.length,
    nodes,
    samples: sampled.map(({ id }) => id),
    timeDeltas: sampled.map((_, i) => (i === 0 ? 0 : 100)),
  };
}

const root = new URL('../..', import.meta.url).href.replace(/\/$/, '');

test.each([
  ['idle', frame('(idle)')],
  ['garbage', frame('(garbage collector)')],
  ['native', frame('(program)')],
  ['tls', frame('onStreamRead', 'node:internal/tls/wrap')],
  ['http', frame('push', `${root}/tahoe/gbs/response-parser.ts`)],
  ['http', frame('parserOnHeadersComplete', 'node:_http_common')],
  ['protocol', frame('decodeJointAnswer', `${root}/tahoe/gbs/joint-message.ts`)],
  ['protocol', frame('directEncode', `${root}/node_modules/cborg/lib/encode.js`)],
  ['streams', frame('Writable.write', 'node:internal/streams/writable')],
  ['hashing', frame('computeTree', `${root}/tahoe/share/hash-tree.ts`)],
  ['hashing', frame('digest', 'node:internal/crypto/hash')],
  ['codec', frame('prepare', `${root}/native/segments.ts`)],
  ['disk', frame('statfs', 'node:internal/fs/promises')],
  ['repair', frame('#regenerate', `${root}/repairer/repair/repair.ts`)],
  ['repair', frame('openShare', `${root}/tahoe/share/reader.ts`)],
  ['transfer', frame('spend', `${root}/peers/budget.ts`)],
  ['node', frame('processTicksAndRejections', 'node:internal/process/task_queues')],
  ['node', frame('anything', `${root}/node_modules/pino/lib/peers/logger.js`)],
  ['node', frame('main', 'file:///bench/peers/mesh/of-somebody-else.ts')],
  ['bench', frame('onStart', `${root}/bench/repair/request-meter.ts`)],
] as const)('time in %s is told by the file of the function', (subject, node) => {
  expect(samplesBySubject(profileOf([node], [node]))[subject]).toBe(1);
});

test('a native function belongs to who called it', () => {
  const digest = frame('hashTree');
  const store = frame('journalFiles', `${root}/native/disk.ts`, digest);
  const server = frame('dispatch', `${root}/tahoe/gbs/request-handler.ts`, store);
  expect(samplesBySubject(profileOf([server, store, digest], [digest]))).toMatchObject({ disk: 1, hashing: 0 });
});

test('writing to a socket is where TLS encrypts, whoever writes', () => {
  const writev = frame('writev');
  const generic = frame('writevGeneric', 'node:internal/stream_base_commons', writev);
  const send = frame('#send', `${root}/tahoe/gbs/peer-connection.ts`, generic);
  expect(samplesBySubject(profileOf([send, generic, writev], [writev]))).toMatchObject({ tls: 1, streams: 0, http: 0 });
});

test('a sample stands for the time until the next one, and the last until the end', () => {
  const [idle, work] = [frame('(idle)'), frame('run', `${root}/repairer/repair/repair.ts`)];
  const profile = { ...profileOf([idle, work], [idle, work, work, idle]), timeDeltas: [10, 20, 30, 40], endTime: 1150 };
  const slices = subjectSlices(profile);
  expect(slices).toEqual([
    { subject: 'idle', fromUs: 1010, toUs: 1030 },
    { subject: 'repair', fromUs: 1030, toUs: 1100 },
    { subject: 'idle', fromUs: 1100, toUs: 1150 },
  ]);
  expect(sumBySubject(slices)).toMatchObject({ idle: 70, repair: 70 });
});

test('a sample that is older than the one before takes no time from it twice', () => {
  const [idle, work] = [frame('(idle)'), frame('run', `${root}/repairer/repair/repair.ts`)];
  const profile = { ...profileOf([idle, work], [work, idle, work]), timeDeltas: [0, 50, -20], endTime: 1100 };
  const sums = sumBySubject(subjectSlices(profile));
  expect(sums.repair + sums.idle).toBe(100);
});
