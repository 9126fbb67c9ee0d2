import { createRequire } from 'node:module';
import { type AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { isPeerId, peerIdPattern } from '#mesh/peer-id.ts';
import { isStorageIndex, storageIndexPattern } from '#mesh/storage-index.ts';
import { fileOf, peerOf } from '#mesh/testing/share-events.ts';
import { TestAlerting } from '../testing/alerting.ts';
import { MemoryStore } from '../testing/memory-store.ts';
import { eventually, peers, type RunningAnalyzer, staleAfterMs, TestMesh } from '../testing/mesh.ts';
import { createApi } from './api.ts';
import { createApiClient } from './client.ts';
import { type HistoryQueries } from './history.ts';
import { answers, type MeshAnswer } from './schemas.ts';

const repair = {
  id: 'r1',
  storageIndex: fileOf(1),
  outcome: 'repaired',
  errorCode: '',
  startedAtMs: 1,
  endedAtMs: 2,
  k: 2,
  n: 6,
  availableBefore: 3,
  availableAfter: 6,
  sharesPlaced: 3,
  bytesRead: 10,
  bytesWritten: 20,
  cause: 'because',
};
const proof = {
  id: 'p1',
  storageIndex: fileOf(1),
  outcome: 'proven',
  errorCode: '',
  atMs: 1,
  shares: 2,
  bytes: 10,
  durationMs: 5,
};

const failing = {
  storageIndex: fileOf(2),
  tries: 3,
  errorCode: 'repair-no-target',
  errorMessage: '2 of 4 shares found no peer to take them',
  failedAtMs: 5,
  nextTryAtMs: null,
};

describe('the HTTP API', () => {
  let mesh: TestMesh;
  let running: RunningAnalyzer;
  let alerting: TestAlerting;
  let app: FastifyInstance;
  let historyFails: MeshwardError | null = null;
  let historyHangs: Promise<void> | null = null;
  let repairersFail = false;
  const asked: unknown[][] = [];

  const answer = async <T>(value: T, ...asking: unknown[]): Promise<T> => {
    asked.push(asking);
    if (historyFails !== null) throw historyFails;
    await historyHangs;
    return value;
  };
  const history: HistoryQueries = {
    repairs: (limit) => answer([repair], 'repairs', limit),
    proofs: (limit, storageIndex) => answer([proof], 'proofs', limit, storageIndex),
    leaving: (peer) => answer({ shares: 3, sharesWithoutManifest: 1, files: 2 }, 'leaving', peer),
    exposure: () =>
      answer(
        [
          { kind: 'zone', domain: 'b', at: 7, filesBelowK: 2, filesBelowRepair: 3 },
          { kind: 'peer', domain: peerOf(3), at: 7, filesBelowK: 1, filesBelowRepair: 1 },
        ],
        'exposure',
      ),
    fileGroups: () =>
      answer(
        {
          shares: [{ k: 2, n: 6, available: 6, tolerancePeers: 5, files: 4, bytes: 400 }],
          domains: [{ kind: 'zone', tolerance: 2, files: 4 }],
        },
        'groups',
      ),
    marginHistory: () => answer([{ atMs: mesh.wallMs - 1000, files: [[1, 2]] }], 'margins'),
  };

  beforeAll(async () => {
    mesh = await TestMesh.open();
    await mesh.announce();
    await mesh.put([1, 2, 3, 4]);
    await mesh.says({ peer: 0, events: [['stored', 50, 0]] });
    await mesh.lose(1, [0, 1, 2]);
    await mesh.lose(2, [0, 1, 2, 3, 4]);
    await mesh.lose(3, [0, 1, 2, 3]);
    await mesh.says({ peer: 0, events: [['corrupt', 4, 0]] });
    await mesh.pass(2000, peers);
    const store = new MemoryStore(() => mesh.wallMs);
    alerting = await TestAlerting.open(mesh, [], { repairs: { running: 2, brake: null } });
    running = await mesh.start(store, { delivery: alerting.delivery });
    await mesh.seenBy(running);
    app = await createApi({
      analyzer: running.analyzer,
      history,
      alerts: alerting.answers(running.analyzer, store),
      running: () =>
        repairersFail
          ? Promise.reject(new Error('no repairer'))
          : Promise.resolve({
              running: [],
              brake: 'held',
              failing: new Map([[fileOf(2), failing]]),
              stuckDrains: 0,
              repairers: 1,
            }),
      config: { ...mesh.config.api, maxStreams: 2 },
      clock: systemClock,
      logger: silentLogger,
      version: '9.9.9',
      addRoutes: () => undefined,
    });
  });
  afterAll(async () => {
    await app.close();
    await alerting.close();
    await mesh.close();
  });
  beforeEach(() => {
    historyFails = null;
    historyHangs = null;
    repairersFail = false;
    asked.length = 0;
  });

  /** The answer, which must be what its schema says and nothing else. */
  const get = async <S extends z.ZodType>(url: string, schema: S): Promise<{ status: number; body: z.infer<S> }> => {
    const response = await app.inject({ method: 'GET', url });
    return { status: response.statusCode, body: schema.parse(response.json()) };
  };
  const refusal = async (url: string): Promise<[number, string]> => {
    const { status, body } = await get(url, answers.Error);
    expect(body.error.next).not.toBe('');
    return [status, body.error.code];
  };

  describe('answers', () => {
    it('open alerts, with who said what of them, and the objective', async () => {
      const { body } = await get('/v1/alerts', answers.AlertList);
      expect(body.isTeller).toBe(true);
      const lost = body.alerts.find(({ key }) => key === 'files-lost');
      expect(lost).toMatchObject({
        alert: 'MeshwardFilesLost',
        severity: 'page',
        labels: { alert: 'MeshwardFilesLost', key: 'files-lost', severity: 'page' },
        files: 1,
        bytes: 1000,
        silenced: '',
        acknowledged: '',
        command: 'meshward file at-risk --grade lost',
        repair: expect.stringContaining('2 repairs are under way') as string,
        runbookUrl: 'http://mesh.example/runbooks/MeshwardFilesLost.md',
      });
      const one = await get(`/v1/alerts/${lost?.id.slice(0, 8)}`, answers.AlertDetail);
      expect(one.body).toEqual(lost);
      expect(await refusal('/v1/alerts/none')).toEqual([404, 'alert-unknown']);
      expect((await get('/v1/silences', answers.SilenceList)).body).toEqual({ silences: [] });
      expect((await get('/v1/alert-sinks', answers.SinkList)).body).toEqual({ isTeller: true, sinks: [] });
      const { objectives } = (await get('/v1/objective', answers.Objective)).body;
      expect(objectives.map(({ objective, ratioNow }) => [objective, ratioNow])).toEqual([
        ['recoverable', 0.75],
        ['above-repair', 0.25],
      ]);
    });

    it('the mesh by grade, margin and peers, with its alerts and how fresh it is', async () => {
      const { status, body } = await get('/v1/mesh', answers.Mesh);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        freshness: { state: 'fresh', asOfMs: mesh.wallMs, reasons: [] },
        files: 4,
        bytes: 4000,
        filesWithoutManifest: 1,
        ownedPartitions: 2,
        partitions: 2,
      });
      expect(body.byGrade.map(({ grade, files }) => [grade, files])).toEqual([
        ['lost', 1],
        ['critical', 1],
        ['at-risk', 1],
        ['degraded', 1],
        ['healthy', 0],
      ]);
      expect(body.byMargin.map(({ margin, files }) => [margin, files])).toEqual([
        [-1, 1],
        [0, 1],
        [1, 1],
        [3, 1],
      ]);
      expect(body.peersByState.find(({ state }) => state === 'up')).toEqual({ state: 'up', peers: 6 });
      expect(body.alerts.map(({ key }) => key)).toEqual(['files-lost', 'files-critical', 'files-at-risk']);
    });

    it('files at risk, the most urgent first, as many as asked for and of the grade asked for', async () => {
      const list = async (query: string) => (await get(`/v1/files/at-risk${query}`, answers.FileList)).body;
      const all = await list('');
      expect(all.files.map(({ storageIndex }) => storageIndex)).toEqual([fileOf(2), fileOf(3), fileOf(1)]);
      expect(all.files[0]).toMatchObject({ grade: 'lost', recoverableNow: false, onAtRiskList: true, margin: -1 });
      expect(await list('?limit=1')).toMatchObject({ total: 3, files: [{ storageIndex: fileOf(2) }] });
      expect(await list('?grade=critical')).toMatchObject({ total: 2 });
    });

    it('one file with its placements in the order of share numbers', async () => {
      const { status, body } = await get(`/v1/files/${fileOf(4)}`, answers.FileDetail);
      expect(status).toBe(200);
      const file = body;
      expect(file).toMatchObject({
        recoverableNow: true,
        available: 5,
        corrupt: 1,
        grade: 'degraded',
        cause: '1 share corrupt',
      });
      expect(
        file.placements.map(({ shareNumber, peerName, peerState, corrupt }) => [
          shareNumber,
          peerName,
          peerState,
          corrupt,
        ]),
      ).toEqual(peers.map((peer) => [peer, `peer-${peer}`, 'up', peer === 0]));
      expect(file.verifyCap).toMatch(/^URI:CHK-Verifier:/);
    });

    it('files with what repair was tried in vain, and without it where no repairer answers', async () => {
      const { body } = await get(`/v1/files/${fileOf(2)}`, answers.FileDetail);
      expect(body.repair).toMatchObject({ tries: 3, errorCode: 'repair-no-target', nextTryAtMs: null });
      const list = await get('/v1/files/at-risk', answers.FileList);
      expect(list.body.files.filter((file) => file.repair !== undefined)).toHaveLength(1);
      repairersFail = true;
      expect((await get(`/v1/files/${fileOf(2)}`, answers.FileDetail)).body.repair).toBeUndefined();
    });

    it('whether a peer may be switched off: only one that drains and of which all is elsewhere', async () => {
      const { body } = await get(`/v1/peers/${peerOf(3)}/drain`, answers.PeerDrain);
      expect(body).toMatchObject({ maySwitchOff: false, sharesLeft: 2, sharesOfUnknownFiles: 1, filesLeft: 2 });
      expect(body.reason).toMatch(/not draining/);
      expect(asked).toContainEqual(['leaving', peerOf(3)]);
    });

    it('peers by state, and one peer', async () => {
      const { body } = await get('/v1/peers', answers.PeerList);
      expect(body.peers.map(({ name }) => name)).toEqual(peers.map((peer) => `peer-${peer}`));
      expect((await get('/v1/peers?state=down', answers.PeerList)).body.peers).toEqual([]);
      const one = await get(`/v1/peers/${peerOf(3)}`, answers.Peer);
      expect(one.body).toMatchObject({ name: 'peer-3', state: 'up', domains: { zone: 'b' } });
    });

    it('a page of the peers that fit, and how many there are', async () => {
      const page = async (query: string) => {
        const { body } = await get(`/v1/peers?${query}`, answers.PeerList);
        return [body.total, body.peers.map(({ name }) => name)];
      };
      expect(await page('limit=2&offset=3')).toEqual([6, ['peer-3', 'peer-4']]);
      expect(await page('kind=zone&domain=b&limit=1')).toEqual([3, ['peer-3']]);
      expect(await page('kind=rack&domain=b')).toEqual([0, []]);
      expect(await page('search=PEER-5')).toEqual([1, ['peer-5']]);
      expect(await page(`search=${peerOf(2)}`)).toEqual([1, ['peer-2']]);
    });

    it('a page of the files at risk', async () => {
      const { body } = await get('/v1/files/at-risk?limit=1&offset=1', answers.FileList);
      expect([body.total, body.files.map(({ storageIndex }) => storageIndex)]).toEqual([3, [fileOf(3)]]);
    });

    it('of a file why each share counts or not, which shares nobody holds, and what repair does about it', async () => {
      const healthy = (await get(`/v1/files/${fileOf(4)}`, answers.FileDetail)).body;
      expect(healthy).toMatchObject({ repairState: 'not-needed', unheldShares: [] });
      expect(healthy.repairWhy).toBe('5 shares are counted, and it is repaired below 4: not yet');
      expect(healthy.placements.map(({ why }) => why)).toEqual([
        'does not count: it was found damaged',
        ...Array.from({ length: 5 }, () => 'counts: its peer is up'),
      ]);
      const lost = (await get(`/v1/files/${fileOf(2)}`, answers.FileDetail)).body;
      expect(lost).toMatchObject({ repairState: 'impossible', unheldShares: [0, 1, 2, 3, 4] });
      expect(lost.repairWhy).toBe('1 more share is needed to rebuild any: it waits for peers to come back');
    });

    it('what the loss of each domain would do, with its peers', async () => {
      const { body } = await get('/v1/exposure', answers.Exposure);
      expect(body).toMatchObject({ atMs: 7, files: 4, peers: [{ name: 'peer-3', filesBelowK: 1 }] });
      const [zones] = body.kinds;
      expect(zones).toMatchObject({ kind: 'zone', count: 2 });
      expect(zones?.domains.map(({ domain, filesBelowK }) => [domain, filesBelowK])).toEqual([
        ['b', 2],
        ['a', 0],
      ]);
      expect(zones?.domains[0]?.peers[0]).toEqual({ state: 'up', peers: 3 });
    });

    it('how many files could not be recovered after losses, from one look at them for all who ask', async () => {
      const { body } = await get('/v1/resilience?lostPeers=5', answers.Resilience);
      expect(body).toMatchObject({ files: 4, peers: 6, anyPeers: 4, at: { lost: 5, worstFiles: 4 } });
      expect(body.domains[0]?.worst.map(({ files }) => files)).toEqual([0, 0, 4]);
      await get('/v1/resilience?lostPeers=2&repairedTo=0.9', answers.Resilience);
      expect(asked.filter(([what]) => what === 'groups')).toHaveLength(1);
    });

    it('repairs and proofs out of histories', async () => {
      expect((await get('/v1/repairs?limit=7', answers.RepairList)).body).toEqual({ repairs: [repair] });
      expect((await get(`/v1/proofs?storageIndex=${fileOf(1)}`, answers.ProofList)).body).toEqual({ proofs: [proof] });
      expect(asked).toEqual([
        ['repairs', 7],
        ['proofs', 100, fileOf(1)],
      ]);
    });
  });

  describe('refuses', () => {
    it('what it does not know with 404, and says why', async () => {
      expect(await refusal(`/v1/files/${fileOf(77)}`)).toEqual([404, 'file-unknown']);
      expect(await refusal(`/v1/files/${fileOf(50)}`)).toEqual([404, 'file-unknown']);
      const { body } = await get(`/v1/files/${fileOf(50)}`, answers.Error);
      expect(body.error.message).toContain('nobody has sent its manifest');
      expect(await refusal(`/v1/peers/${peerOf(77)}`)).toEqual([404, 'peer-unknown']);
      expect(await refusal('/v1/nothing')).toEqual([404, 'bad-input']);
    });

    it('what it does not understand with 400', async () => {
      for (const url of [
        '/v1/files/short',
        `/v1/files/${'1'.repeat(26)}`,
        '/v1/peers/short',
        '/v1/files/at-risk?limit=0',
        '/v1/files/at-risk?limit=1001',
        '/v1/files/at-risk?grade=fine',
        '/v1/peers?state=asleep',
        '/v1/peers?limit=0',
        '/v1/files/at-risk?offset=-1',
        '/v1/resilience?lostPeers=-1',
        '/v1/resilience?repairedTo=2',
        '/v1/repairs?limit=x',
        '/v1/proofs?storageIndex=short',
      ]) {
        expect([url, ...(await refusal(url))]).toEqual([url, 400, 'bad-input']);
      }
    });

    it('methods that are not there with 405 and those that are, whatever the body', async () => {
      const urls = [
        '/v1/mesh',
        '/v1/files/at-risk',
        `/v1/files/${fileOf(1)}`,
        `/v1/peers/${peerOf(1)}`,
        '/v1/stream',
        '/openapi.json',
      ];
      for (const url of urls) {
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const) {
          const response = await app.inject({ method, url, headers: { 'content-type': 'text/odd' }, payload: 'x' });
          expect([url, method, response.statusCode]).toEqual([url, method, 405]);
          expect(response.headers['allow']).toBe('GET, HEAD');
          expect(answers.Error.parse(response.json()).error.code).toBe('bad-input');
        }
      }
      expect((await app.inject({ method: 'HEAD', url: '/v1/mesh' })).statusCode).toBe(200);
      expect((await app.inject({ method: 'POST', url: '/v1/nothing' })).statusCode).toBe(404);
    });

    it('what only the database knows with 503 while it is away, and defects with 500', async () => {
      historyFails = new MeshwardError('store-unavailable', 'away', { next: 'Start it.', retryable: true });
      expect(await refusal('/v1/repairs')).toEqual([503, 'store-unavailable']);
      expect(await refusal('/v1/proofs')).toEqual([503, 'store-unavailable']);
      historyFails = new MeshwardError('internal', 'a defect', { next: 'Report it.' });
      expect(await refusal('/v1/repairs')).toEqual([500, 'internal']);
      expect((await get('/v1/mesh', answers.Mesh)).status).toBe(200);
    });
  });

  describe('its OpenAPI document', () => {
    type Json = Readonly<Record<string, unknown>>;
    const documentOf = async () => (await get('/openapi.json', z.record(z.string(), z.unknown()))).body;
    const at = (document: Json, ...path: readonly string[]): Json =>
      path.reduce<Json>((node, name) => node[name] as Json, document);

    it('names every route and every answer, and nothing that is not there', async () => {
      const document = await documentOf();
      expect(document).toMatchObject({ openapi: '3.0.3', info: { title: 'Meshward', version: '9.9.9' } });
      expect(Object.keys(at(document, 'paths')).sort()).toEqual([
        '/v1/alert-sinks',
        '/v1/alerts',
        '/v1/alerts/history',
        '/v1/alerts/{id}',
        '/v1/exposure',
        '/v1/files/at-risk',
        '/v1/files/{storageIndex}',
        '/v1/mesh',
        '/v1/objective',
        '/v1/peers',
        '/v1/peers/{peerId}',
        '/v1/peers/{peerId}/drain',
        '/v1/proofs',
        '/v1/repairs',
        '/v1/resilience',
        '/v1/silences',
        '/v1/stream',
      ]);
      expect(Object.keys(at(document, 'components', 'schemas')).sort()).toEqual(Object.keys(answers).sort());
      const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref]) => ref as string);
      expect(refs.length).toBeGreaterThan(20);
      for (const ref of refs) {
        expect(ref).toMatch(/^#\/components\/schemas\//);
        expect(Object.keys(answers)).toContain(ref.split('/').at(-1));
      }
    });

    it('says of every operation what it is, its parameters, and what each status answers', async () => {
      const document = await documentOf();
      for (const [path, item] of Object.entries(at(document, 'paths'))) {
        const operation = at(item as Json, 'get');
        expect(operation['summary'], path).toEqual(expect.any(String));
        const parameters = (operation['parameters'] ?? []) as readonly {
          name: string;
          in: string;
          required?: boolean;
        }[];
        const inPath = parameters.filter((parameter) => parameter.in === 'path');
        expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
        expect(inPath.every(({ required }) => required === true)).toBe(true);
        for (const [status, response] of Object.entries(at(operation, 'responses'))) {
          expect(status).toMatch(/^[2-5]\d\d$/);
          expect((response as Json)['description']).toEqual(expect.any(String));
        }
        if (path !== '/v1/stream')
          expect(Object.keys(at(operation, 'responses'))).toEqual(['200', '400', '404', '503']);
      }
    });

    it('says what storage indexes and peer ids look like, and takes those and no others', async () => {
      const text = JSON.stringify(await documentOf());
      expect(text.split(storageIndexPattern).length - 1).toBeGreaterThan(4);
      expect(text.split(peerIdPattern).length - 1).toBeGreaterThan(2);
      for (let i = 0; i < 200; i++) {
        expect(fileOf(i)).toMatch(new RegExp(storageIndexPattern));
        expect(peerOf(i)).toMatch(new RegExp(peerIdPattern));
      }
      // The last character holds fewer bits than it could.
      for (const odd of [`${fileOf(1).slice(0, 25)}b`, fileOf(1).toUpperCase(), `${fileOf(1)}a`]) {
        expect([isStorageIndex(odd), new RegExp(storageIndexPattern).test(odd)]).toEqual([false, false]);
      }
      const odd = `${peerOf(1).slice(0, 42)}B`;
      expect([isPeerId(odd), new RegExp(peerIdPattern).test(odd)]).toEqual([false, false]);
      const { body } = await get('/v1/files/short', answers.Error);
      expect(body.error.message).toBe('"short" is not a storage index');
      expect((await get('/v1/proofs?storageIndex=short', answers.Error)).body.error.message).not.toContain('pattern');
    });

    it('holds schemas that the real answers fit, and that refuse others', async () => {
      const document = await documentOf();
      const require = createRequire(createRequire(import.meta.url).resolve('fastify'));
      const Ajv = require('ajv').default as new (
        options: object,
      ) => { compile(schema: object): (value: unknown) => boolean };
      const ajv = new Ajv({ strict: false, validateFormats: false });
      const of = (name: string) =>
        ajv.compile({ $ref: `#/components/schemas/${name}`, components: document['components'] });
      const urls: Readonly<Record<string, string>> = {
        Mesh: '/v1/mesh',
        FileList: '/v1/files/at-risk',
        FileDetail: `/v1/files/${fileOf(4)}`,
        PeerList: '/v1/peers',
        Peer: `/v1/peers/${peerOf(3)}`,
        RepairList: '/v1/repairs',
        ProofList: '/v1/proofs',
        Error: '/v1/nothing',
      };
      for (const [name, url] of Object.entries(urls)) {
        const fits = of(name);
        expect([name, fits((await get(url, z.unknown())).body)]).toEqual([name, true]);
        expect([name, fits({ other: 1 })]).toEqual([name, false]);
      }
    });
  });

  describe('its stream', () => {
    let url: string;
    beforeAll(async () => {
      await app.listen({ host: '127.0.0.1', port: 0 });
      url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    });

    interface StreamState {
      readonly mesh: Pick<MeshAnswer, 'files' | 'byGrade'>;
      readonly moments: readonly unknown[];
      readonly domains: Readonly<Record<string, readonly number[]>>;
    }

    async function openStream() {
      const abort = new AbortController();
      const response = await fetch(`${url}/v1/stream`, { signal: abort.signal });
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      const next = async (): Promise<StreamState> => {
        while (!text.includes('\n\n')) {
          const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
          if (done) throw new Error('the stream has ended');
          text += value;
        }
        const [event = '', ...rest] = text.split('\n\n');
        text = rest.join('\n\n');
        expect(event).toMatch(/^event: state\ndata: /);
        return JSON.parse(event.slice('event: state\ndata: '.length)) as StreamState;
      };
      return { response, next, close: () => abort.abort() };
    }

    const healthyIn = ({ mesh: figures }: Partial<StreamState>): number | undefined =>
      figures?.byGrade.find(({ grade }) => grade === 'healthy')?.files;

    it('sends the state at once, and then what changes of it and nothing else', async () => {
      const stream = await openStream();
      expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
      const first = await stream.next();
      expect(first).toMatchObject({
        mesh: { files: 4, freshness: { state: 'fresh', reasons: [] } },
        atRisk: { total: 3, files: [{ storageIndex: fileOf(2), grade: 'lost' }, {}, {}] },
        repairers: { answering: 1, brake: 'held' },
        running: { total: 0 },
        repairs: [repair],
        alerts: { total: 3 },
        moments: [{ files: [[1, 2]] }, {}],
        domains: { 'zone=a': [3, 0, 0, 0, 0, 0], 'zone=b': [3, 0, 0, 0, 0, 0] },
      });
      await mesh.says({ peer: 0, events: [['verified', 4, 0]] });
      let state: Partial<StreamState> = first;
      while (healthyIn(state) !== 1) state = await stream.next();
      for (const unchanged of ['domains', 'repairs', 'alerts', 'repairers'])
        expect(state).not.toHaveProperty(unchanged);
      const second = await openStream();
      expect((await second.next()).domains).toEqual(first.domains);
      second.close();
      await mesh.says({ peer: 0, events: [['corrupt', 4, 0]] });
      while (healthyIn(state) !== 0) state = await stream.next();
      stream.close();
    });

    it('sends live figures while neither the database nor repairers answer', async () => {
      const hanging = Promise.withResolvers<void>();
      historyHangs = hanging.promise;
      repairersFail = true;
      const stream = await openStream();
      expect(await stream.next()).toMatchObject({ mesh: { files: 4 }, repairers: { brake: null } });
      hanging.resolve();
      stream.close();
    });

    it('takes no more viewers than it may, and takes others again when some have gone', async () => {
      let opened: Awaited<ReturnType<typeof openStream>>[] = [];
      await eventually(async () => {
        for (const stream of opened) stream.close();
        opened = [];
        for (let i = 0; i < 2; i++) opened.push(await openStream());
        expect(opened.map(({ response }) => response.status)).toEqual([200, 200]);
      });
      const refused = await fetch(`${url}/v1/stream`);
      expect(refused.status).toBe(503);
      expect(refused.headers.get('retry-after')).toBe('5');
      expect(await refused.json()).toMatchObject({ error: { code: 'service-busy', retryable: true } });
      for (const stream of opened) stream.close();
      await eventually(async () => {
        const stream = await openStream();
        stream.close();
        expect(stream.response.status).toBe(200);
      });
    });

    it('is what the client of programs asks beside', async () => {
      const client = createApiClient(url);
      expect(await client.mesh()).toMatchObject({ files: 4 });
      expect(await client.atRisk(2)).toMatchObject({ total: 3 });
      expect((await client.peers('up')).peers).toHaveLength(6);
      expect(await client.repairs(1)).toEqual([repair]);
      await expect(client.file(fileOf(77))).rejects.toMatchObject({ code: 'file-unknown', retryable: false });
      const nobody = createApiClient('http://127.0.0.1:1', 1000);
      await expect(nobody.mesh()).rejects.toMatchObject({ code: 'service-unavailable', retryable: true });
    });
  });

  it('says in every answer that it is stale, and why, and to ask again for a file that it does not know', async () => {
    mesh.wallMs += staleAfterMs + 1000;
    const stale = { state: 'stale', reasons: [expect.stringContaining("the log's newest tick is 6 s old")] };
    for (const url of ['/v1/mesh', '/v1/files/at-risk', `/v1/files/${fileOf(4)}`, '/v1/peers']) {
      expect((await get(url, z.looseObject({ freshness: z.unknown() }))).body.freshness).toMatchObject(stale);
    }
    expect(await refusal(`/v1/files/${fileOf(77)}`)).toEqual([503, 'file-unknown']);
    await mesh.pass(15_000, peers);
    await mesh.seenBy(running);
    expect((await get('/v1/mesh', answers.Mesh)).body.freshness.state).toBe('fresh');
  });
});
