import { type Topics, topicsOf } from '#mesh/topics.ts';

export const testTopics: Topics = topicsOf({
  prefix: 'test.',
  shareEventsPartitions: 4,
  peerEventsPartitions: 2,
  retentionMs: 3_600_000,
  retentionBytes: 0,
});
