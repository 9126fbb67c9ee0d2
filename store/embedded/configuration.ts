/** The files that the embedded server is started with. Both hold the password: they are written with mode 0600. */

export interface EmbeddedSettings {
  readonly username: string;
  readonly password: string;
  readonly memoryLimitBytes: number;
  /** The server's own log; with one rotated file beside it, it takes at most twice `logLimitBytes`. */
  readonly logPath: string;
  readonly logLimitBytes: number;
  /** Where `BACKUP … TO File('NAME')` may write, and RESTORE read. */
  readonly backupsPath: string;
  /** Users beside `username`, with these rights and no others. */
  readonly users: readonly EmbeddedUser[];
  readonly cluster: EmbeddedCluster | null;
}

export interface EmbeddedUser {
  readonly name: string;
  readonly password: string;
  /** GRANT statements without TO. */
  readonly grants: readonly string[];
  /** Settings that the user begins with. @default {} */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/**
 * What makes the server one of several that Distributed tables span. Such a server also listens for other servers on a
 * TCP port of 127.0.0.1, where its own passwordless session could log in: for tests and trials on one machine alone.
 */
export interface EmbeddedCluster {
  readonly name: string;
  /** Value of the macro `{shard}`. */
  readonly shard: string;
  readonly tcpPort: number;
  /** TCP ports of all shards on 127.0.0.1, in the order of their numbers. */
  readonly shardTcpPorts: readonly number[];
  /** What servers log in with at each other: a user that every one of them has. */
  readonly username: string;
  readonly password: string;
}

const mebibyte = 1024 * 1024;

/**
 * Caches and pools for a small machine: the defaults are for servers with hundreds of gigabytes.
 *
 * Requests are routed by their Authorization header. The process's own session must stay passwordless and starts the
 * listener; no request from outside can become that user, because only the exact credentials of `username` reach a
 * handler at all. Inserts are synced to disk before they are acknowledged: an acknowledgement here lets the log forget.
 */
export function renderServerConfiguration(settings: EmbeddedSettings): string {
  const cacheBytes = Math.floor(settings.memoryLimitBytes / 16);
  return `<clickhouse>
  <logger>
    <level>warning</level>
    <log>${escapeXml(settings.logPath)}</log>
    <size>${settings.logLimitBytes}</size>
    <count>1</count>
  </logger>
  <users_config>users.xml</users_config>
  <backups>
    <allowed_path>${escapeXml(settings.backupsPath)}</allowed_path>
  </backups>
  <max_server_memory_usage>${settings.memoryLimitBytes}</max_server_memory_usage>
  <mark_cache_size>${cacheBytes}</mark_cache_size>
  <primary_index_cache_size>${cacheBytes}</primary_index_cache_size>
  <index_mark_cache_size>${16 * mebibyte}</index_mark_cache_size>
  <vector_similarity_index_cache_size>${mebibyte}</vector_similarity_index_cache_size>
  <iceberg_metadata_files_cache_size>${mebibyte}</iceberg_metadata_files_cache_size>
  <max_concurrent_queries>100</max_concurrent_queries>
  <max_thread_pool_size>400</max_thread_pool_size>
  <max_connections>256</max_connections>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  <keep_alive_timeout>30</keep_alive_timeout>
  <merge_tree>
    <fsync_after_insert>1</fsync_after_insert>
    <fsync_part_directory>1</fsync_part_directory>
    <max_bytes_to_merge_at_max_space_in_pool>${16 * 1024 * mebibyte}</max_bytes_to_merge_at_max_space_in_pool>
  </merge_tree>
  <http_handlers>
    <rule>
      <url>/ping</url>
      <handler>
        <type>static</type>
        <status>200</status>
        <content_type>text/plain</content_type>
        <response_content>Ok.</response_content>
      </handler>
    </rule>
${[settings, ...settings.users.map(({ name, password }) => ({ username: name, password }))].map(renderUserRule).join('')}    <rule>
      <handler>
        <type>static</type>
        <status>403</status>
        <content_type>text/plain</content_type>
        <response_content>Code: 516. DB::Exception: Authentication failed: wrong user or password. (AUTHENTICATION_FAILED)</response_content>
      </handler>
    </rule>
  </http_handlers>
${settings.cluster === null ? '' : renderCluster(settings.cluster)}</clickhouse>
`;
}

function renderUserRule({ username, password }: { readonly username: string; readonly password: string }): string {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return `    <rule>
      <headers><Authorization>${escapeXml(authorization)}</Authorization></headers>
      <handler>
        <type>dynamic_query_handler</type>
        <query_param_name>query</query_param_name>
      </handler>
    </rule>
`;
}

function renderCluster(cluster: EmbeddedCluster): string {
  const shards = cluster.shardTcpPorts.map(
    (port) => `      <shard>
        <internal_replication>true</internal_replication>
        <replica>
          <host>127.0.0.1</host>
          <port>${port}</port>
          <user>${escapeXml(cluster.username)}</user>
          <password>${escapeXml(cluster.password)}</password>
        </replica>
      </shard>`,
  );
  return `  <macros>
    <shard>${escapeXml(cluster.shard)}</shard>
    <replica>1</replica>
  </macros>
  <remote_servers>
    <${cluster.name}>
${shards.join('\n')}
    </${cluster.name}>
  </remote_servers>
`;
}

/**
 * `low_cardinality_max_dictionary_size` holds for merges too, which use the default profile: with its own 8192 a mesh of more
 * peers than that takes five times the disk for its placements.
 *
 * `default` is the process's own session: it may start the listener and wait for standard input to end, nothing else.
 */
export function renderUsers(settings: EmbeddedSettings): string {
  return `<clickhouse>
  <profiles>
    <default>
      <max_threads>4</max_threads>
      <low_cardinality_max_dictionary_size>65536</low_cardinality_max_dictionary_size>
      <max_memory_usage>${Math.floor(settings.memoryLimitBytes * 0.75)}</max_memory_usage>
      <max_bytes_before_external_group_by>${Math.floor(settings.memoryLimitBytes * 0.3)}</max_bytes_before_external_group_by>
      <max_bytes_before_external_sort>${Math.floor(settings.memoryLimitBytes * 0.3)}</max_bytes_before_external_sort>
    </default>
${settings.users.map(renderProfile).join('')}  </profiles>
  <quotas><default></default></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT READ ON FILE</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
      </grants>
    </default>
    <${settings.username}>
      <password>${escapeXml(settings.password)}</password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT ALL ON *.*</query></grants>
    </${settings.username}>
${settings.users.map(renderUser).join('')}  </users>
</clickhouse>
`;
}

function renderProfile({ name, settings = {} }: EmbeddedUser): string {
  const lines = Object.entries(settings).map(([key, value]) => `      <${key}>${value}</${key}>\n`);
  return `    <${name}>\n      <profile>default</profile>\n${lines.join('')}    </${name}>\n`;
}

function renderUser({ name, password, grants }: EmbeddedUser): string {
  return `    <${name}>
      <password>${escapeXml(password)}</password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>${name}</profile>
      <quota>default</quota>
      <grants>
${grants.map((grant) => `        <query>${escapeXml(grant)}</query>`).join('\n')}
      </grants>
    </${name}>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
