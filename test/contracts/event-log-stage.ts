/** Sets up one test of the contract: fresh topics, clients and children, all ended afterwards. */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { EventLog, TopicSpec } from '#log/port.ts';
import { Child, type ChildTask, type EventLogHarness, type MakeHarness } from './event-log-harness.ts';

export interface Stage {
  readonly topic: string;
  readonly group: string;
  readonly log: EventLog;
  readonly open: () => Promise<EventLog>;
  readonly spawn: (task: (topic: string, group: string) => ChildTask) => Child;
}

export async function stage(makeHarness: MakeHarness, topic: Partial<TopicSpec> = {}): Promise<Stage> {
  const spec: TopicSpec = {
    name: `topic-${randomUUID()}`,
    partitions: 4,
    compacted: false,
    retentionMs: 0,
    retentionBytes: 0,
    ...topic,
  };
  const harness: EventLogHarness = await makeHarness([spec]);
  onTestFinished(() => harness.dispose());
  const group = `group-${randomUUID()}`;
  return {
    topic: spec.name,
    group,
    log: await harness.open(),
    open: () => harness.open(),
    spawn: (task) => {
      const child = new Child({ ...harness.child, topics: [spec], task: task(spec.name, group) });
      onTestFinished(() => child.kill());
      return child;
    },
  };
}
