/** The files that the embedded server is started with. Both hold the password: they are written with mode 0600. */

export interface EmbeddedSettings {
  readonly username: string;
  readonly password: string;
  readonly memoryLimitBytes: number;
  /** The server's own log; with one rotated file beside it, it takes at most twice `logLimitBytes`. */
  readonly logPath: string;
  readonly logLimitBytes: number;
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
  const authorization = `Basic ${Buffer.from(`${settings.username}:${settings.password}`).toString('base64')}`;
  return `<clickhouse>
  <logger>
    <level>warning</level>
    <log>${escapeXml(settings.logPath)}</log>
    <size>${settings.logLimitBytes}</size>
    <count>1</count>
  </logger>
  <users_config>users.xml</users_config>
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
    <rule>
      <headers><Authorization>${escapeXml(authorization)}</Authorization></headers>
      <handler>
        <type>dynamic_query_handler</type>
        <query_param_name>query</query_param_name>
      </handler>
    </rule>
    <rule>
      <handler>
        <type>static</type>
        <status>403</status>
        <content_type>text/plain</content_type>
        <response_content>Code: 516. DB::Exception: Authentication failed: wrong user or password. (AUTHENTICATION_FAILED)</response_content>
      </handler>
    </rule>
  </http_handlers>
</clickhouse>
`;
}

/** `default` is the process's own session: it may start the listener and wait for standard input to end, nothing else. */
export function renderUsers(settings: EmbeddedSettings): string {
  return `<clickhouse>
  <profiles>
    <default>
      <max_threads>4</max_threads>
      <max_memory_usage>${Math.floor(settings.memoryLimitBytes * 0.75)}</max_memory_usage>
      <max_bytes_before_external_group_by>${Math.floor(settings.memoryLimitBytes * 0.3)}</max_bytes_before_external_group_by>
      <max_bytes_before_external_sort>${Math.floor(settings.memoryLimitBytes * 0.3)}</max_bytes_before_external_sort>
    </default>
  </profiles>
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
  </users>
</clickhouse>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
