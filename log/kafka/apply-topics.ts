/** Brings a cluster's topics to what is wanted: looked at, planned, done, looked at again. */
import { MeshwardError } from '#mesh/errors.ts';
import type { TopicSpec } from '../port.ts';
import type { KafkaAdmin } from './admin.ts';
import {
  describePlan,
  type FoundTopic,
  isChange,
  planTopics,
  type TopicSettings,
  type TopicStep,
  wantedTopic,
} from './topic-plan.ts';

export async function planOnCluster(
  admin: KafkaAdmin,
  specs: readonly TopicSpec[],
  settings: TopicSettings,
): Promise<{ readonly steps: readonly TopicStep[]; readonly found: ReadonlyMap<string, FoundTopic> }> {
  const brokers = (await admin.brokers()).length;
  const found = await admin.findTopics(specs.map(({ name }) => name));
  return {
    steps: planTopics(
      specs.map((spec) => wantedTopic(spec, settings, brokers)),
      found,
    ),
    found,
  };
}

/** Does what a plan says, but for what it refuses. */
export async function applyPlan(admin: KafkaAdmin, steps: readonly TopicStep[]): Promise<void> {
  const created = steps.flatMap((step) => (step.kind === 'create' ? [step.topic] : []));
  if (created.length > 0) await admin.createTopics(created);
  for (const step of steps) if (step.kind === 'configure') await admin.configureTopic(step.name, step.changes);
}

/** @throws MeshwardError `log-topics` where the plan refuses something; nothing is changed then. */
export function refuseUnfit(steps: readonly TopicStep[]): void {
  const refused = steps.filter((step) => step.kind === 'refuse');
  const [first] = refused;
  if (first === undefined) return;
  throw new MeshwardError(
    'log-topics',
    `topics on Kafka cannot be brought to the configuration: ${refused.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
    { next: first.next },
  );
}

/** @throws MeshwardError `log-topics` where a change has not come into effect. */
export async function verifyPlan(
  admin: KafkaAdmin,
  specs: readonly TopicSpec[],
  settings: TopicSettings,
): Promise<void> {
  let left: readonly TopicStep[] = [];
  const applied = await admin.eventually(async () => {
    left = (await planOnCluster(admin, specs, settings)).steps.filter(isChange);
    return left.length === 0;
  });
  if (applied) return;
  throw new MeshwardError(
    'log-topics',
    `the brokers took the changes, and yet something differs:\n${describePlan(left)}`,
    {
      next: 'Run `meshward topics apply` again; if it stays so, see whether something else sets these topics.',
    },
  );
}
