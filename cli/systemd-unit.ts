/** Units of systemd for each service, hardened: a service may reach the network and its own state, and nothing else. */

export const unitNames = ['collector', 'analyzer', 'repairer', 'agent', 'up'] as const;
export type UnitName = (typeof unitNames)[number];

export interface UnitOptions {
  /** Absolute path of Node, and of the command's first module. */
  readonly node: string;
  readonly program: string;
  /** Absolute path of the configuration. */
  readonly config: string;
  /** Folder that `meshward keys create` made; null where keys are in the data directory. */
  readonly keys: string | null;
  /** Who the service runs as; null lets systemd make a user for as long as it runs. */
  readonly user: string | null;
  /** Folder of shares, of an agent. */
  readonly shares: string | null;
  /** As configured: what the service may take to end. */
  readonly stopMs: number;
}

const descriptions: Readonly<Record<UnitName, string>> = {
  collector: 'Meshward collector: takes events of agents in',
  analyzer: 'Meshward analyzer: margins, grades, what is at risk, the API and the page',
  repairer: 'Meshward repairer: regenerates missing shares',
  agent: 'Meshward agent: reports, checks and serves a folder of shares',
  up: 'Meshward: every service of one machine',
};

/** By unit: files of keys that it is handed, and the keys of the configuration that name them. */
const credentials: Readonly<Record<UnitName, Readonly<Record<string, string>>>> = {
  collector: {
    'collector/collector.key.pem': 'MESHWARD_KEYS_COLLECTOR_KEY_FILE',
    'collector/operators': 'MESHWARD_KEYS_OPERATORS_FILE',
  },
  analyzer: {},
  repairer: { 'repairer/lease-secret': 'MESHWARD_KEYS_LEASE_SECRET_FILE' },
  agent: {},
  up: {
    'collector/collector.key.pem': 'MESHWARD_KEYS_COLLECTOR_KEY_FILE',
    'collector/operators': 'MESHWARD_KEYS_OPERATORS_FILE',
    'repairer/lease-secret': 'MESHWARD_KEYS_LEASE_SECRET_FILE',
  },
};

/** More than the service itself allows for its end. */
const stopMarginMs = 10_000;

const hardening = [
  'NoNewPrivileges=yes',
  'CapabilityBoundingSet=',
  'AmbientCapabilities=',
  'ProtectSystem=strict',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectProc=invisible',
  'ProcSubset=all',
  'ProtectClock=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectControlGroups=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'RemoveIPC=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallFilter=~@privileged',
  'SystemCallErrorNumber=EPERM',
  'UMask=0077',
  '# Node compiles while it runs: memory must be writable first and executable then.',
  'MemoryDenyWriteExecute=no',
] as const;

export function unitFileName(name: UnitName): string {
  return `meshward-${name}.service`;
}

export function renderUnit(name: UnitName, options: UnitOptions): string {
  const { node, program, config, keys, user, shares, stopMs } = options;
  const handed = keys === null ? [] : Object.entries(credentials[name]);
  const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  const state = `meshward${name === 'up' ? '' : `-${name}`}`;
  return [
    '[Unit]',
    `Description=${descriptions[name]}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '# A log or a database that is away for long must not end it for good.',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    'Type=exec',
    ...(user === null ? ['DynamicUser=yes'] : [`User=${user}`]),
    `StateDirectory=${state}`,
    'StateDirectoryMode=0700',
    `WorkingDirectory=%S/${state}`,
    `Environment=MESHWARD_CONFIG=${config} MESHWARD_DATA_DIR=%S/${state}`,
    ...handed.map(([path]) => `LoadCredential=${baseOf(path)}:${keys}/${path}`),
    ...handed.map(([path, variable]) => `Environment=${variable}=%d/${baseOf(path)}`),
    ...(shares === null ? [] : [`Environment=MESHWARD_AGENT_SHARES=${shares}`]),
    `ExecStart=${node} ${program} ${name}`,
    'Restart=always',
    'RestartSec=2',
    `TimeoutStopSec=${Math.ceil((stopMs + stopMarginMs) / 1000)}`,
    'LimitNOFILE=65536',
    '',
    ...hardening,
    `ProtectHome=${shares === null ? 'yes' : 'read-only'}`,
    ...(shares === null ? [] : [`ReadWritePaths=${shares}`]),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}
