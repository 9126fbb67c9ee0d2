/** What earlier releases wrote is read by today's code with the meaning that it had then. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { describeFile, filesView } from '#cli/describe-file.ts';
import { peersView } from '#cli/describe-peers.ts';
import { plainPaint } from '#cli/terminal/colour.ts';
import { file_events } from '#mesh/generated/events_pb.js';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { readers } from './meaning.ts';
import { answerSchemas } from './sample-answers.ts';
import { allSamples } from './samples.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const wire = join(root, 'test/fixtures/wire');
const releases = readdirSync(wire);
const mesh = join(root, 'mesh');

function read(release: string, path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(wire, release, path)));
}

function readJson(release: string, path: string): unknown {
  return JSON.parse(Buffer.from(read(release, path)).toString('utf8')) as unknown;
}

describe.each(releases)('what release %s wrote', (release) => {
  const meanings = readJson(release, 'meaning.json') as Record<string, unknown>;
  // Later releases have kinds of records that this one did not write.
  // A release knows no kind of message that is newer than it.
  const kinds = Object.keys(readers).filter((kind) => existsSync(join(wire, release, kind)));

  test('is there for every kind of message, each with its meaning', () => {
    const found = kinds.flatMap((kind) =>
      readdirSync(join(wire, release, kind))
        .filter((name) => name.endsWith('.binpb'))
        .map((name) => `${kind}/${name.replace('.binpb', '')}`),
    );
    expect(found.sort()).toEqual(Object.keys(meanings).sort());
    expect(found.length).toBeGreaterThan(20);
  });

  test.each(Object.keys(meanings))('%s means the same', (path) => {
    const kind = path.split('/')[0] as string;
    const today = readers[kind]?.(read(release, `${path}.binpb`), 'protobuf');
    expect(today).toMatchObject(meanings[path] as object);
  });

  test.each(Object.keys(meanings).filter((path) => path.startsWith('posts/')))('%s as JSON means the same', (path) => {
    expect(readers['posts']?.(read(release, `${path}.json`), 'json')).toMatchObject(meanings[path] as object);
  });

  // An answer of an older service must hold all that today's clients look at, and today's services must still answer all
  // that an older client looks at: what a schema does not name it would take out.
  test.each(
    (['api', 'collector'] as const).flatMap((side) =>
      Object.keys(answerSchemas[side]).map((name) => [side, name] as const),
    ),
  )('the answer %s/%s is what it was', (side, name) => {
    const path = `answers/${side}/${name}.json`;
    const frozen = readJson(release, path);
    expect(answerSchemas[side][name]?.parse(frozen)).toEqual(frozen);
  });

  test('leaves the schema of today compatible, field by field', () => {
    const { status, stdout } = breaking('.', [mesh], release);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});

describe('a client of today at an analyzer of an earlier release', () => {
  const release = releases[0] as string;
  let client: ApiClient;
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '', 'http://localhost').pathname.split('/').at(-1) ?? '';
    const file = name === 'at-risk' || name === 'peers' || name === 'mesh' ? name : 'file';
    response.setHeader('content-type', 'application/json');
    response.end(read(release, `answers/api/${file}.json`));
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    client = createApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('shows its answers', async () => {
    const file = await client.file('5fsbhvm3dzua36zgwfjbeg4bvy' as StorageIndex);
    expect(describeFile(file, { placements: true })).toContain('alder-07');
    const { peers, freshness } = await client.peers();
    expect(peersView(peers, freshness).text(plainPaint, null)).toContain('Agent versions: 0.1.0 on 1.');
    const { files } = await client.atRisk(1);
    expect(filesView({ files, value: {}, none: '', below: [] }).text(plainPaint, null)).toContain('critical');
    expect((await client.mesh()).files).toBe(12);
  });
});

test('what the next release will freeze holds every body that a message can have', () => {
  const bodies = file_events.messages.flatMap((message) => message.oneofs.flatMap(({ fields }) => fields.map(String)));
  const held = new Set<string>();
  const visit = (message: ReflectMessage): void => {
    for (const field of message.fields) {
      if (!message.isSet(field)) continue;
      if (field.oneof !== undefined) held.add(String(field));
      if (field.fieldKind === 'message') visit(message.get(field));
    }
  };
  for (const kind of Object.values(allSamples())) {
    for (const sample of Object.values(kind)) visit(reflect(schemaOf(sample), sample));
  }
  expect(bodies.filter((body) => !held.has(body))).toEqual([]);
  expect(Object.keys(allSamples()).sort()).toEqual(Object.keys(readers).sort());
});

function schemaOf({ $typeName }: Message): DescMessage {
  return file_events.messages.find(({ typeName }) => typeName === $typeName) as DescMessage;
}

describe('the check of the schema', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meshward-schema-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const today = readFileSync(join(mesh, 'events.proto'), 'utf8');

  test.each([
    ['a field of another type', 'uint32 k = 3;', 'bytes k = 3;'],
    ['a field of another number', 'uint32 k = 3;', 'uint32 k = 30;'],
    ['a field of another name, which JSON has', 'string tag = 7;', 'string label = 7;'],
    ['a field that is gone', '  string cause = 8;\n', ''],
    ['a value that is gone', '  INVENTORY_PHASE_END = 2;\n', ''],
  ])('finds %s', (_what, before, after) => {
    expect(today).toContain(before);
    writeFileSync(join(folder, 'events.proto'), today.replace(before, after));
    expect(breaking(folder, [], releases[0] as string).status).toBe(100);
  });
});

/** What a reader of the release's bytes, or of its JSON, would trip over. */
function breaking(input: string, modules: readonly string[], release: string) {
  const config = {
    version: 'v2',
    ...(modules.length === 0 ? {} : { modules: modules.map((path) => ({ path: path.slice(root.length) })) }),
    breaking: { use: ['WIRE_JSON'] },
  };
  const image = join(wire, release, 'events.binpb');
  return spawnSync('buf', ['breaking', input, '--against', image, '--config', JSON.stringify(config)], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` },
  });
}
