/** Topics on Kafka before services start on them: made and set as the configuration wants them. */
import { applyPlan, planOnCluster, refuseUnfit, verifyPlan } from '#log/kafka/apply-topics.ts';
import { describePlan, isChange } from '#log/kafka/topic-plan.ts';
import type { Config } from '#mesh/config/schema.ts';
import { allTopics } from '#mesh/topics.ts';
import { openAdmin, topicSettingsOf, topicsOfConfig } from './kafka-connection.ts';

/** Changes nothing where nothing differs, and then needs no right to. @throws MeshwardError `log-topics` for what cannot be brought to it. */
export async function prepareTopics(config: Config, note: (line: string) => void): Promise<void> {
  if (config.log.adapter === 'embedded') return;
  const specs = allTopics(topicsOfConfig(config));
  const settings = topicSettingsOf(config);
  const admin = await openAdmin(config, 'admin');
  try {
    const { steps } = await planOnCluster(admin, specs, settings);
    refuseUnfit(steps);
    const changes = steps.filter(isChange);
    if (changes.length === 0) return;
    note(`Topics on Kafka:\n${describePlan(changes)}`);
    await applyPlan(admin, steps);
    await verifyPlan(admin, specs, settings);
  } finally {
    await admin.close();
  }
}

/** Of a demonstration: what it has made goes when it ends, or before it begins anew. */
export async function removeTopics(config: Config): Promise<void> {
  if (config.log.adapter === 'embedded') return;
  const admin = await openAdmin(config, 'admin');
  try {
    await admin.deleteTopics(allTopics(topicsOfConfig(config)).map(({ name }) => name));
  } finally {
    await admin.close();
  }
}
