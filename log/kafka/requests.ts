/** The requests of Kafka's protocol that this adapter makes, and the answers as kafkajs (or wire-batches.ts) decodes them. */
import type { AbortedTransaction } from './transactions.ts';

export interface Requests {
  readonly Metadata: { readonly topics: readonly string[]; readonly allowAutoTopicCreation: boolean };
  readonly CreateTopics: {
    readonly topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly { readonly name: string; readonly value: string }[];
    }[];
    /** Of the broker, in milliseconds. */
    readonly timeout: number;
  };
  readonly AlterTopic: AlterTopicRequest;
  readonly ListOffsets: {
    readonly replicaId: -1;
    /** What a transaction that is not ended has written does not count as there. */
    readonly isolationLevel: 1;
    readonly topics: readonly {
      readonly topic: string;
      /** Timestamp −2 asks for the first offset kept, −1 for the last stable offset. */
      readonly partitions: readonly { readonly partition: number; readonly timestamp: -1 | -2 }[];
    }[];
  };
  readonly InitProducerId: { readonly transactionalId: null };
  readonly Produce: ProduceRequest;
  readonly Fetch: FetchRequest;
  readonly GroupCoordinator: { readonly groupId: string };
  readonly JoinGroup: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly protocolType: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  };
  readonly SyncGroup: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  };
  readonly Heartbeat: { readonly groupId: string; readonly groupGenerationId: number; readonly memberId: string };
  readonly LeaveGroup: { readonly groupId: string; readonly memberId: string };
  readonly OffsetCommit: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly offset: string;
        readonly metadata: string;
      }[];
    }[];
  };
  readonly OffsetFetch: {
    readonly groupId: string;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number }[];
    }[];
  };
}

export interface Responses {
  readonly Metadata: {
    readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
    readonly controllerId: number;
    readonly topicMetadata: readonly {
      readonly topicErrorCode: number;
      readonly topic: string;
      readonly partitionMetadata: readonly {
        readonly partitionErrorCode: number;
        readonly partitionId: number;
        readonly leader: number;
      }[];
    }[];
  };
  readonly CreateTopics: {
    readonly topicErrors: readonly {
      readonly topic: string;
      readonly errorCode: number;
      readonly errorMessage: string | null;
    }[];
  };
  readonly ListOffsets: {
    readonly responses: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly errorCode: number;
        readonly offset: string;
      }[];
    }[];
  };
  readonly InitProducerId: {
    readonly errorCode: number;
    readonly producerId: string | bigint;
    readonly producerEpoch: number;
  };
  readonly AlterTopic: AlterTopicResponse;
  readonly Produce: ProduceResponse;
  readonly Fetch: FetchResponse;
  readonly GroupCoordinator: {
    readonly errorCode: number;
    readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number };
  };
  readonly JoinGroup: {
    readonly errorCode: number;
    readonly generationId: number;
    readonly leaderId: string;
    readonly memberId: string;
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
  };
  readonly SyncGroup: { readonly errorCode: number; readonly memberAssignment: Buffer };
  readonly Heartbeat: { readonly errorCode: number };
  readonly LeaveGroup: { readonly errorCode: number };
  readonly OffsetCommit: {
    readonly responses: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
    }[];
  };
  readonly OffsetFetch: {
    readonly errorCode: number;
    readonly responses: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        /** −1 where nothing was committed. */
        readonly offset: string;
        readonly metadata: string | null;
        readonly errorCode: number;
      }[];
    }[];
  };
}

export interface ProduceRequest {
  /** How long the leader waits for its replicas, in milliseconds. Every replica in sync must have what is acknowledged. */
  readonly timeoutMs: number;
  readonly batches: readonly { readonly topic: string; readonly partition: number; readonly batch: Buffer }[];
}

export interface ProduceResponse {
  readonly answers: readonly ProduceAnswer[];
}

export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** Of the batch's first record; −1 where it is not known. */
  readonly baseOffset: number;
}

export interface FetchRequest {
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly fromOffset: number;
    readonly maxBytes: number;
  }[];
}

export interface FetchResponse {
  readonly errorCode: number;
  readonly answers: readonly FetchAnswer[];
}

export interface FetchAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The offset that the next record will get, as far as every replica in sync has it; −1 with an error. */
  readonly highWatermark: number;
  /** As `highWatermark`, but not beyond the first record of a transaction that is not ended: there reading ends. */
  readonly stableEnd: number;
  readonly firstOffset: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last one perhaps cut off. A view into the answer. */
  readonly batches: Buffer;
}

/** Sets what is named; what is not stays as it is. */
export interface AlterTopicRequest {
  readonly topic: string;
  readonly settings: Readonly<Record<string, string>>;
}

export interface AlterTopicResponse {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}
