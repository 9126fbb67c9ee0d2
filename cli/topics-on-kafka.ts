/** `meshward topics show` and `apply` against a cluster. */
import type { KafkaAdmin } from '#log/kafka/admin.ts';
import { applyPlan, planOnCluster, refuseUnfit, verifyPlan } from '#log/kafka/apply-topics.ts';
import { describePlan, isChange } from '#log/kafka/topic-plan.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { allTopics } from '#mesh/topics.ts';
import { confirm } from './confirm.ts';
import type { Context } from './context.ts';
import { openAdmin, topicSettingsOf, topicsOfConfig } from './kafka-connection.ts';

/** @returns whether everything is as it should be. */
export async function showTopics(context: Context): Promise<boolean> {
  const { config, output } = context;
  return withAdmin(context, 'cli', async (admin) => {
    const { steps, found } = await planOnCluster(admin, allTopics(topicsOfConfig(config)), topicSettingsOf(config));
    output.result({ adapter: 'kafka', steps, topics: [...found.values()] }, () => describePlan(steps));
    return steps.every((step) => step.kind === 'keep');
  });
}

/** @throws MeshwardError `log-topics` for what cannot be done, `bad-input` where nobody can be asked, `cancelled` where the answer is no. */
export async function applyTopics(context: Context, yes: boolean): Promise<void> {
  const { config, output } = context;
  const specs = allTopics(topicsOfConfig(config));
  const settings = topicSettingsOf(config);
  await withAdmin(context, 'admin', async (admin) => {
    const { steps } = await planOnCluster(admin, specs, settings);
    output.note(describePlan(steps));
    refuseUnfit(steps);
    const count = steps.filter(isChange).length;
    if (count > 0) {
      const isWanted = await confirm(`Change ${count === 1 ? 'one topic' : `${count} topics`} on the cluster?`, yes);
      if (!isWanted) throw new MeshwardError('cancelled', 'nothing was changed', { next: 'Run the command again.' });
      await applyPlan(admin, steps);
      await verifyPlan(admin, specs, settings);
    }
    output.result({ adapter: 'kafka', changed: count, steps }, () =>
      count === 0
        ? 'Every topic is as it should be.'
        : `${count} of ${steps.length} topics were changed, and looked at again.`,
    );
  });
}

async function withAdmin<T>(
  { config }: Context,
  role: 'cli' | 'admin',
  run: (admin: KafkaAdmin) => Promise<T>,
): Promise<T> {
  const admin = await openAdmin(config, role);
  try {
    return await run(admin);
  } finally {
    await admin.close();
  }
}
