/**
 * IncrementalAlterConfigs (version 0) as it stands on the wire; kafkajs has only AlterConfigs, which replaces every setting.
 *
 *   request => [resource_type i8, resource_name string, [name string, operation i8, value nullable-string]], validate_only bool
 *   answer  => throttle_ms i32, [error i16, message nullable-string, resource_type i8, resource_name string]
 */
import type { AlterTopicRequest, AlterTopicResponse } from './requests.ts';

const topicResource = 2;
const setOperation = 0;

export function alterTopicProtocol({ topic, settings }: AlterTopicRequest) {
  const encode = (): Promise<{ buf: Buffer; buffer: Buffer }> => {
    const entries = Object.entries(settings).flatMap(([name, value]) => [text(name), int8(setOperation), text(value)]);
    const count = Object.keys(settings).length;
    const buffer = Buffer.concat([int32(1), int8(topicResource), text(topic), int32(count), ...entries, int8(0)]);
    return Promise.resolve({ buf: buffer, buffer });
  };
  return {
    request: { apiKey: 44, apiVersion: 0, apiName: 'IncrementalAlterConfigs', encode },
    response: { decode: (raw: Buffer) => Promise.resolve(decodeAnswer(raw)), parse: null },
  };
}

/** Of the one topic that was asked for. */
function decodeAnswer(raw: Buffer): AlterTopicResponse & { readonly clientSideThrottleTime: number } {
  const errorCode = raw.readInt16BE(8);
  const length = raw.readInt16BE(10);
  const errorMessage = length < 0 ? null : raw.toString('utf8', 12, 12 + length);
  return { clientSideThrottleTime: raw.readInt32BE(0), errorCode, errorMessage };
}

function int8(value: number): Buffer {
  return Buffer.of(value);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
