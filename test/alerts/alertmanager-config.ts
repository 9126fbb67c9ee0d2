/** The Alertmanager configuration that docs/alerts.md recommends, with the times of a test. */
import { readFileSync } from 'node:fs';

const guide = new URL('../../docs/alerts.md', import.meta.url);

/** As it stands in the guide, between its marks. */
export function guideConfig(): string {
  const text = readFileSync(guide, 'utf8');
  const [, yaml] = /```yaml\n# alertmanager\.yml\n([\s\S]*?)```/.exec(text) ?? [];
  if (yaml === undefined) throw new Error('docs/alerts.md has no alertmanager.yml');
  return yaml;
}

export function testConfig(): string {
  return guideConfig()
    .replace(/group_wait: \S+/g, 'group_wait: 1s')
    .replace(/group_interval: \S+/g, 'group_interval: 1s')
    .replace(/https:\/\/on-call\.example\/\S+/g, 'ON_CALL_URL')
    .replace(/https:\/\/heartbeat\.example\/\S+/g, 'ON_CALL_URL');
}
