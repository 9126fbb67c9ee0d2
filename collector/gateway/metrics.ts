/** The gateway's figures. Every series is there from the start with zero, so that an alert can be written on it. */
import type { Meter } from '@opentelemetry/api';
import type { ErrorCode } from '#mesh/errors.ts';
import type { Topics } from '#mesh/topics.ts';

/** What a peer was told of a file that it asked of. */
export type AskOutcome = 'recoverable' | 'not-recoverable' | 'unknown' | 'unanswered';

export type PostKind = 'batch' | 'event';

export interface GatewayMetrics {
  /** A post was acknowledged. */
  accepted(kind: PostKind, eventCount: number, appendSeconds: number): void;
  duplicate(kind: PostKind): void;
  /** A post came under an earlier incarnation than the peer was heard under, and was refused. */
  outdated(kind: PostKind): void;
  refused(code: string): void;
  /** @param reason code of the refusal. */
  deadLetter(outcome: 'kept' | 'limited' | 'failed', reason: string): void;
  /** A batch passed that holds what only a newer release knows. */
  unknownEvents(): void;
  /** A connection was turned away: there was no place, or it did not say in time who it was. */
  connectionRefused(reason: 'full' | 'evicted'): void;
  tick(topic: string, outcome: 'written' | 'failed' | 'skipped'): void;
  enrolment(outcome: 'enrolled' | 'refused'): void;
  /** A peer was asked for an inventory, since analyzers need one. */
  inventoryAsked(): void;
  /** A peer asked whether files could be recovered. */
  asked(outcome: 'answered' | 'limited' | 'unavailable', files: readonly AskOutcome[]): void;
  /** A record of the enrolments topic that could not be read. */
  unreadableEnrolment(): void;
}

/** Read when the figures are. */
export interface ObservedState {
  requests(): number;
  bodyBytes(): number;
  peers(): { readonly enrolled: number; readonly revoked: number };
  tickLateMs(): number;
  /** How long the log has left an append without an answer. */
  oldestAppendMs(): number;
  /** Open ones, by whether their caller is known to be enrolled. */
  connections(): { readonly known: number; readonly newcomer: number };
}

const refusalCodes: readonly ErrorCode[] = [
  'bad-input',
  'batch-malformed',
  'event-unknown',
  'batch-too-large',
  'peer-unknown',
  'peer-revoked',
  'peer-outdated',
  'peer-impersonation',
  'peer-limit',
  'operator-unknown',
  'token-invalid',
  'service-busy',
  'service-unavailable',
  'log-full',
  'log-unavailable',
  'internal',
];

/** Why payloads become dead letters here; codes beside these are counted as they come. */
const deadLetterReasons: readonly ErrorCode[] = [
  'bad-input',
  'batch-malformed',
  'event-unknown',
  'batch-too-large',
  'peer-unknown',
  'peer-revoked',
  'peer-outdated',
  'peer-impersonation',
];

export function createGatewayMetrics(meter: Meter, topics: Topics, observed: ObservedState): GatewayMetrics {
  const posts = meter.createCounter('meshward_collector_posts', {
    description: 'Posts by kind and outcome: accepted, known already, or outdated and refused.',
  });
  const events = meter.createCounter('meshward_collector_share_events', {
    description: 'Share events that were acknowledged.',
  });
  const refusals = meter.createCounter('meshward_collector_refusals', {
    description: 'Requests that were not taken, by code.',
  });
  const letters = meter.createCounter('meshward_collector_dead_letters', {
    description: 'Refused payloads by reason: kept, or only counted.',
  });
  const unknownEvents = meter.createCounter('meshward_collector_unknown_batches', {
    description: 'Batches that passed with share events that only a newer release knows.',
  });
  const refusedConnections = meter.createCounter('meshward_collector_refused_connections', {
    description: 'Connections that were turned away, or made room before they had said who they are.',
  });
  const ticks = meter.createCounter('meshward_collector_ticks', {
    description: 'Ticks: written, failed, or skipped as one was under way.',
  });
  const enrolments = meter.createCounter('meshward_collector_enrolments', {
    description: 'Attempts of peers to enrol.',
  });
  const inventoryAsks = meter.createCounter('meshward_collector_inventory_asks', {
    description: 'Peers that were asked for an inventory, since events of their shares left the log unread.',
  });
  const asks = meter.createCounter('meshward_collector_asks', {
    description:
      'Questions of peers whether files could be recovered: answered, limited, or not answered by any analyzer.',
  });
  const askedFiles = meter.createCounter('meshward_collector_asked_files', {
    description: 'Files that peers asked of, by what they were told.',
  });
  const unreadable = meter.createCounter('meshward_collector_unreadable_enrolments', {
    description: 'Enrolment records that could not be read.',
  });
  const appendSeconds = meter.createHistogram('meshward_collector_append_seconds', {
    description: 'Time until a post was durable in the log.',
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  meter
    .createObservableGauge('meshward_collector_requests_under_way', { description: 'Requests under way.' })
    .addCallback((result) => result.observe(observed.requests()));
  meter
    .createObservableGauge('meshward_collector_body_bytes_under_way', {
      description: 'Bytes of bodies that requests under way hold.',
    })
    .addCallback((result) => result.observe(observed.bodyBytes()));
  meter
    .createObservableGauge('meshward_collector_tick_late_seconds', {
      description: 'Time since the last tick in every partition.',
    })
    .addCallback((result) => result.observe(observed.tickLateMs() / 1000));
  meter
    .createObservableGauge('meshward_collector_oldest_append_seconds', {
      description: 'How long the log has left an append without an answer.',
    })
    .addCallback((result) => result.observe(observed.oldestAppendMs() / 1000));
  meter
    .createObservableGauge('meshward_collector_connections', {
      description: 'Open connections, by whether the caller is known.',
    })
    .addCallback((result) => {
      const { known, newcomer } = observed.connections();
      result.observe(known, { caller: 'known' });
      result.observe(newcomer, { caller: 'newcomer' });
    });
  meter
    .createObservableGauge('meshward_collector_peers', { description: 'Peers by enrolment.' })
    .addCallback((result) => {
      const { enrolled, revoked } = observed.peers();
      result.observe(enrolled, { state: 'enrolled' });
      result.observe(revoked, { state: 'revoked' });
    });

  for (const kind of ['batch', 'event'])
    for (const outcome of ['accepted', 'duplicate', 'outdated']) posts.add(0, { kind, outcome });
  for (const code of refusalCodes) refusals.add(0, { code });
  for (const reason of deadLetterReasons)
    for (const outcome of ['kept', 'limited', 'failed']) letters.add(0, { outcome, reason });
  for (const topic of [topics.shareEvents.name, topics.peerEvents.name]) {
    for (const outcome of ['written', 'failed', 'skipped']) ticks.add(0, { topic, outcome });
  }
  for (const outcome of ['enrolled', 'refused']) enrolments.add(0, { outcome });
  for (const reason of ['full', 'evicted']) refusedConnections.add(0, { reason });
  for (const outcome of ['answered', 'limited', 'unavailable']) asks.add(0, { outcome });
  for (const answer of ['recoverable', 'not-recoverable', 'unknown', 'unanswered']) askedFiles.add(0, { answer });
  events.add(0);
  unknownEvents.add(0);
  inventoryAsks.add(0);
  unreadable.add(0);

  return {
    accepted: (kind, eventCount, seconds) => {
      posts.add(1, { kind, outcome: 'accepted' });
      if (eventCount > 0) events.add(eventCount);
      appendSeconds.record(seconds, { kind });
    },
    duplicate: (kind) => posts.add(1, { kind, outcome: 'duplicate' }),
    outdated: (kind) => posts.add(1, { kind, outcome: 'outdated' }),
    refused: (code) => refusals.add(1, { code }),
    deadLetter: (outcome, reason) => letters.add(1, { outcome, reason }),
    unknownEvents: () => unknownEvents.add(1),
    connectionRefused: (reason) => refusedConnections.add(1, { reason }),
    tick: (topic, outcome) => ticks.add(1, { topic, outcome }),
    enrolment: (outcome) => enrolments.add(1, { outcome }),
    inventoryAsked: () => inventoryAsks.add(1),
    asked: (outcome, files) => {
      asks.add(1, { outcome });
      for (const answer of files) askedFiles.add(1, { answer });
    },
    unreadableEnrolment: () => unreadable.add(1),
  };
}
