/** The topics of the log, in one place. Names carry the configured prefix; partitions are fixed when a topic is made. */

export interface Topic {
  readonly name: string;
  readonly partitions: number;
  readonly compacted: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

export interface Topics {
  /** By storage index: batches of peers in columns, and ticks. */
  readonly shareEvents: Topic;
  /** By peer id, read by every analyzer: announce, heartbeat, drain, maintenance, depart, and ticks. */
  readonly peerEvents: Topic;
  /** Compacted by storage index: what needs repair. */
  readonly atRisk: Topic;
  /** Compacted by peer, token or operator: who may speak. */
  readonly enrolments: Topic;
  /** What could not be taken, with the reason. */
  readonly deadLetters: Topic;
  /** Compacted by silence, acknowledgement, and sink with alert: what people said of alerts, and what was told of them. */
  readonly alerts: Topic;
  /** Compacted: campaigns with their progress, calendars, and limits of repair. */
  readonly campaigns: Topic;
}

export interface TopicSettings {
  readonly prefix: string;
  readonly shareEventsPartitions: number;
  readonly peerEventsPartitions: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
}

export function topicsOf(settings: TopicSettings): Topics {
  const name = (word: string): string => `${settings.prefix}${word}`;
  const events = { compacted: false, retentionMs: settings.retentionMs, retentionBytes: settings.retentionBytes };
  const table = { compacted: true, retentionMs: 0, retentionBytes: 0 };
  return {
    shareEvents: { name: name('share-events'), partitions: settings.shareEventsPartitions, ...events },
    peerEvents: { name: name('peer-events'), partitions: settings.peerEventsPartitions, ...events },
    atRisk: { name: name('at-risk'), partitions: settings.shareEventsPartitions, ...table },
    enrolments: { name: name('enrolments'), partitions: 1, ...table },
    deadLetters: { name: name('dead-letters'), partitions: 1, ...events },
    alerts: { name: name('alerts'), partitions: 1, ...table },
    campaigns: { name: name('campaigns'), partitions: 1, ...table },
  };
}

export function allTopics(topics: Topics): readonly Topic[] {
  return [
    topics.shareEvents,
    topics.peerEvents,
    topics.atRisk,
    topics.enrolments,
    topics.deadLetters,
    topics.alerts,
    topics.campaigns,
  ];
}

/** Consumer groups carry the prefix of the topics: two meshes on one cluster must not share them. */
export function consumerGroups(topicPrefix: string): { readonly analyzers: string; readonly repairers: string } {
  return { analyzers: `${topicPrefix}analyzers`, repairers: `${topicPrefix}repairers` };
}
