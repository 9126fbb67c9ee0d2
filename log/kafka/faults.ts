/** What can go wrong between us and the brokers, before it becomes a MeshwardError. */
import { MeshwardError } from '#mesh/errors.ts';

/** No answer came: whether the request was carried out is unknown. */
export class ConnectionFault extends Error {
  readonly broker: string;

  constructor(broker: string, message: string, cause?: unknown) {
    super(`${broker}: ${message}`, cause === undefined ? undefined : { cause });
    this.name = 'ConnectionFault';
    this.broker = broker;
  }
}

/** A broker answered with an error. */
export class BrokerFault extends Error {
  readonly code: number;

  constructor(code: number, what: string) {
    super(`${what}: ${errorName(code)}`);
    this.name = 'BrokerFault';
    this.code = code;
  }
}

/** Errors of the protocol that this adapter tells apart. Source: the "Error Codes" table of Kafka's protocol guide. */
export const code = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  invalidReplicationFactor: 38,
  notController: 41,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  kafkaStorageError: 56,
  unknownProducerId: 59,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
  throttlingQuotaExceeded: 89,
  producerFenced: 90,
} as const;

/** They pass by themselves: a leader or coordinator moves or starts, or replicas come back. */
const passing: ReadonlySet<number> = new Set([
  code.corruptMessage,
  code.unknownTopicOrPartition,
  code.leaderNotAvailable,
  code.notLeader,
  code.requestTimedOut,
  code.replicaNotAvailable,
  code.networkException,
  code.coordinatorLoading,
  code.coordinatorNotAvailable,
  code.notCoordinator,
  code.notEnoughReplicas,
  code.notEnoughReplicasAfterAppend,
  code.notController,
  code.kafkaStorageError,
  code.fencedLeaderEpoch,
  code.unknownLeaderEpoch,
  code.offsetNotAvailable,
  code.throttlingQuotaExceeded,
  code.unknownServerError,
]);

export function isPassing(errorCode: number): boolean {
  return passing.has(errorCode);
}

/** Whether the same request may succeed later. */
export function mayPass(error: unknown): boolean {
  return error instanceof ConnectionFault || (error instanceof BrokerFault && isPassing(error.code));
}

export function errorName(errorCode: number): string {
  const found = Object.entries(code).find(([, value]) => value === errorCode)?.[0];
  const words = found?.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words === undefined ? `error ${errorCode} of Kafka's protocol` : `${words} (error ${errorCode})`;
}

/** @param what that failed, such as `appending to share-events/3`. */
export function toLogError(error: unknown, what: string): MeshwardError {
  if (error instanceof MeshwardError) return error;
  if (error instanceof ConnectionFault) {
    return new MeshwardError('log-unavailable', `${what}: no answer from ${error.message}`, {
      next: `Look whether the broker ${error.broker} runs and can be reached from here, and whether tls is set as it wants it.`,
      retryable: true,
      cause: error,
    });
  }
  if (error instanceof BrokerFault) {
    const advice = adviceFor(error.code);
    return new MeshwardError(advice.code, `${what}: ${error.message}`, {
      next: advice.next,
      retryable: isPassing(error.code),
      cause: error,
    });
  }
  return new MeshwardError('log-unavailable', `${what} failed`, {
    next: 'This is a defect or a broker that answers in an unknown way: report it with the log of both.',
    cause: error,
  });
}

function adviceFor(errorCode: number): { code: 'log-unavailable' | 'log-forbidden' | 'bad-input'; next: string } {
  switch (errorCode) {
    case code.topicAuthorizationFailed:
      return {
        code: 'log-forbidden',
        next: 'Grant this user Read, Write and Describe on the topic (kafka-acls --add).',
      };
    case code.groupAuthorizationFailed:
      return { code: 'log-forbidden', next: 'Grant this user Read on the consumer group (kafka-acls --add).' };
    case code.clusterAuthorizationFailed:
      return {
        code: 'log-forbidden',
        next: 'Grant this user IdempotentWrite on the cluster, or Write on the topic where brokers are 2.8 or newer.',
      };
    case code.invalidSessionTimeout:
      return {
        code: 'log-unavailable',
        next: "Set the session timeout between the brokers' group.min.session.timeout.ms and group.max.session.timeout.ms.",
      };
    case code.inconsistentGroupProtocol:
      return {
        code: 'log-unavailable',
        next: 'Another kind of consumer uses this group: stop it, or choose another name for the group.',
      };
    case code.messageTooLarge:
    case code.recordListTooLarge:
      return { code: 'bad-input', next: 'Raise max.message.bytes of the topic, or append smaller records.' };
    case code.notEnoughReplicas:
    case code.notEnoughReplicasAfterAppend:
      return {
        code: 'log-unavailable',
        next: 'Fewer replicas are in sync than min.insync.replicas: bring the missing brokers back.',
      };
    default:
      return {
        code: 'log-unavailable',
        next: "Look into the broker's own log at this time.",
      };
  }
}
