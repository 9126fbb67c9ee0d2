import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { FileAnswerBody } from '#analyzer/api/schemas.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { configKeys } from '#mesh/config/schema.ts';
import { describePut } from './commands/file-put.ts';
import { describeKeys, renderConfig, shownConfig } from './describe-config.ts';
import { describeFile, filesView } from './describe-file.ts';
import { peersView } from './describe-peers.ts';
import { plainPaint } from './terminal/colour.ts';
import { sampleFile, samplePeer } from './testing/sample-answers.ts';

const describeFiles = (files: readonly FileAnswerBody[]): string =>
  filesView({ files, value: { files }, none: '', below: [] }).text(plainPaint, null);

describe('a file', () => {
  test('says first whether it can be recovered now', () => {
    expect(describeFile(sampleFile, { placements: false }).split('\n')[0]).toMatch(/^recoverable now\s+yes$/);
    const lost = {
      ...sampleFile,
      recoverableNow: false,
      available: 24,
      margin: -1,
      grade: 'lost' as const,
      tolerancePeers: 0,
    };
    const text = describeFile(lost, { placements: false });
    expect(text.split('\n')[0]).toMatch(/no: 24 of 25 needed shares are available/);
    expect(text).toMatch(/grade\s+lost/);
    expect(text).toMatch(/margin\s+-1 /);
    expect(text).toMatch(/survives\s+no further loss/);
  });

  test('shows every figure that the API gives', () => {
    const text = describeFile({ ...sampleFile, corrupt: 3, tag: 'photos', onAtRiskList: true }, { placements: false });
    for (const part of [
      '98 of 100',
      '99',
      '100',
      '+73',
      'the loss of any 73 peers, or of any 3 zones',
      'below 50',
      'up to 93',
      'at-risk list',
      '10^-12.3',
      'tag photos',
      sampleFile.cause,
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/shares corrupt\s+3/);
    expect(text).toContain('fresh, as of 2025-10-09T');
  });

  test('of 3-of-10 on ten peers survives the loss of any seven, as people expect', () => {
    const full = {
      ...sampleFile,
      k: 3,
      n: 10,
      available: 10,
      margin: 7,
      tolerancePeers: 8,
      toleranceDomains: { rack: 1, zone: 2 },
    };
    expect(describeFile(full, { placements: false })).toMatch(
      /survives\s+the loss of any 7 peers, or of no rack, or of any 1 zone\n/,
    );
    expect(describeFiles([full])).toMatch(/survives loss of/);
    expect(describeFiles([full])).toMatch(/ 7 +1\.00 MiB/);
  });

  test('lists its placements by share number where they are asked for', () => {
    const text = describeFile(sampleFile, { placements: true });
    expect(text.indexOf('alder-01')).toBeLessThan(text.indexOf('birch-01'));
    expect(text).toMatch(/7 +birch-01 +down +not available/);
    expect(describeFile(sampleFile, { placements: false })).not.toContain('birch-01');
  });

  test('says why health is stale', () => {
    const stale = {
      ...sampleFile,
      freshness: { state: 'stale' as const, asOfMs: 0, reasons: ['no tick', 'no ClickHouse'] },
    };
    expect(describeFile(stale, { placements: false })).toContain('stale: no tick; no ClickHouse');
  });

  test('takes one line in a list', () => {
    const repair = {
      tries: 3,
      errorCode: 'repair-no-target',
      errorMessage: '2 of 4 shares found no peer to take them',
      failedAtMs: 1,
      nextTryAtMs: 1_760_000_000_000,
    };
    const tried =
      '3 times: 2 of 4 shares found no peer to take them [repair-no-target]; again at 2025-10-09T08:53:20.000Z or sooner';
    expect(describeFiles([{ ...sampleFile, repair }])).toContain(tried);
    expect(describeFile({ ...sampleFile, repair }, { placements: false })).toContain(tried);
    expect(describeFiles([sampleFile, sampleFile]).split('\n')).toHaveLength(3);
  });
});

describe('peers', () => {
  test('are a table, with their states, the spread of versions and freshness below', () => {
    const peers = [
      samplePeer('alder-01'),
      samplePeer('alder-02', { state: 'down', revoked: true, freeBytes: null, silenceMs: null, agentVersion: '0.0.9' }),
      samplePeer('alder-03'),
    ];
    const text = peersView(peers, sampleFile.freshness).text(plainPaint, null);
    expect(text).toMatch(/alder-02 +down, revoked +region=north zone=alder +12 +4.00 KiB +\? +- /);
    expect(text).toContain('3 peers: 2 up, 1 down.');
    expect(text).toContain('Agent versions: 0.1.0 on 2, 0.0.9 on 1.');
    expect(text).toContain('Health is fresh');
  });
});

describe('files that were put', () => {
  const stored = {
    name: 'a',
    sizeBytes: 1000,
    cap: 'URI:CHK:k',
    kind: 'stored',
    storageIndex: 's',
    sharesPlaced: 9,
    sharesUnplaced: 1,
  } as const;

  test('are shown with their caps, and with the shares that found no peer', () => {
    expect(describePut([stored], undefined)).toBe('URI:CHK:k  a  (1000 B, 9 shares placed, 1 found no peer)');
  });

  test('say so where the cap holds the file itself', () => {
    expect(describePut([{ name: 'b', sizeBytes: 3, cap: 'URI:LIT:x', kind: 'literal' }], undefined)).toContain(
      'literal: the cap holds the file itself',
    );
  });

  test('show no cap where the caps went into a file', () => {
    const { cap: _cap, ...kept } = stored;
    expect(describePut([kept], 'caps')).toBe(
      's  a  (1000 B, 9 shares placed, 1 found no peer)\nThe caps stand in caps.',
    );
  });
});

describe('the configuration', () => {
  const flags = {
    'agent.nurl': 'pb://pin@host:1/swissnum',
    'clickhouse.urls': ['http://ann:hidden@host:8123', 'http://plain:8123'],
    'telemetry.otlpUrl': 'http://token:hidden@otlp',
    'api.port': 8080,
    policies: [{ name: 'archive', tag: 'archive', repairBelow: 60 }],
  };
  const effective = loadConfig({ flags, environment: { MESHWARD_LOG_TOPIC_PREFIX: 'x.' } });

  test('shows no secret, as text or as JSON', () => {
    for (const text of [renderConfig(effective), JSON.stringify(shownConfig(effective))]) {
      expect(text).not.toContain('swissnum');
      expect(text).not.toContain('hidden');
      expect(text).toContain('(secret)');
      expect(text).toContain('http://plain:8123');
    }
  });

  test('says where each value came from', () => {
    const text = renderConfig(effective);
    expect(text).toMatch(/port: 8080 # flag/);
    expect(text).toMatch(/topicPrefix: x\. # environment/);
    expect(text).toMatch(/tickMs: 1000 # default/);
    expect(text).toMatch(/# flag\n\s+- name: archive/);
  });

  test('is a configuration file again that means the same', () => {
    const plain = loadConfig({ flags: { 'api.port': 8080, 'agent.serve': false, policies: flags.policies } });
    expect(parse(renderConfig(plain))).toEqual(plain.config);
  });

  test('lists every key with its environment name and meaning', () => {
    const text = describeKeys(configKeys());
    for (const key of configKeys()) {
      expect(text).toContain(`\n  default`);
      expect(text).toContain(key.environmentName);
      expect(text).toContain(key.description);
    }
  });
});
