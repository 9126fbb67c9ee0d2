/**
 * Freezes what this release writes on the wire: `node test/evolution/freeze.ts 0.1.0`, once, when it is released. Later
 * releases must read it with the same meaning (`frozen.test.ts`), so a folder that is there is never written over.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DescMessage, type MessageShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import {
  AgentPostSchema,
  AlertNoteSchema,
  AtRiskFileSchema,
  DeadLetterSchema,
  EnrolmentSchema,
  PeerEventsRecordSchema,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { sampleAlertNotes } from './alert-samples.ts';
import { readers } from './meaning.ts';
import { answerSchemas, sampleAnswers } from './sample-answers.ts';
import {
  sampleAtRisk,
  sampleDeadLetters,
  sampleEnrolments,
  samplePeerEvents,
  samplePosts,
  sampleShareEvents,
} from './samples.ts';

const [version] = process.argv.slice(2);
if (version === undefined || !/^\d+\.\d+\.\d+$/.test(version)) throw new Error('which release? such as 0.1.0');
const folder = fileURLToPath(new URL(`../fixtures/wire/${version}`, import.meta.url));
if (existsSync(folder)) throw new Error(`${version} is frozen already`);

const files = new Map<string, Uint8Array | string>();
const meaning: Record<string, unknown> = {};

add('posts', AgentPostSchema, samplePosts());
add('share-events', ShareEventsRecordSchema, sampleShareEvents());
add('peer-events', PeerEventsRecordSchema, samplePeerEvents());
add('at-risk', AtRiskFileSchema, sampleAtRisk());
add('enrolments', EnrolmentSchema, sampleEnrolments());
add('dead-letters', DeadLetterSchema, sampleDeadLetters());
add('alerts', AlertNoteSchema, sampleAlertNotes());
for (const side of ['api', 'collector'] as const) {
  for (const [name, answer] of Object.entries(sampleAnswers[side])) {
    answerSchemas[side][name]?.parse(answer);
    files.set(`answers/${side}/${name}.json`, `${JSON.stringify(answer, null, 2)}\n`);
  }
}
files.set('meaning.json', `${JSON.stringify(meaning, null, 2)}\n`);

for (const [path, content] of files) {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}
const image = spawnSync('buf', ['build', 'mesh', '--exclude-source-info', '-o', join(folder, 'events.binpb')], {
  stdio: 'inherit',
});
if (image.status !== 0) throw new Error('the schema was not frozen');
console.log(`${files.size + 1} files in ${folder}`);

/** Posts in both forms, since agents may send either; the log holds Protobuf only. */
function add<T extends DescMessage>(
  kind: string,
  schema: T,
  messages: Readonly<Record<string, MessageShape<T>>>,
): void {
  for (const [name, message] of Object.entries(messages)) {
    const path = `${kind}/${name}`;
    const bytes = toBinary(schema, message);
    files.set(`${path}.binpb`, bytes);
    meaning[path] = readers[kind]?.(bytes, 'protobuf');
    if (kind === 'posts') files.set(`${path}.json`, `${toJsonString(schema, message, { prettySpaces: 2 })}\n`);
  }
}
