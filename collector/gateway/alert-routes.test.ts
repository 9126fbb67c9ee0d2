import { expect, test } from 'vitest';
import { type Note, readNote } from '#mesh/events/alert-notes.ts';
import { newLog, newOperator, startGateway, testTopics } from './testing/gateway-under-test.ts';

const hourMs = 3_600_000;

function notesIn(log: ReturnType<typeof newLog>): readonly (Note | null)[] {
  return log.all(testTopics.alerts.name).map(({ value }) => (value === null ? null : readNote(value)));
}

test('what operators say of alerts stands in the log, with who said it and until when', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const operator = await newOperator(log);
  const client = gateway.client(operator);
  const untilMs = Date.now() + hourMs;
  const { id } = await client.silenceAlerts({ selector: 'zone=eu-*', untilMs, why: 'new switches' });
  await client.acknowledgeAlert({ alertKey: 'files-lost', alertId: 'one', untilMs, why: '' });
  await client.endSilence(id);
  expect(notesIn(log)).toMatchObject([
    {
      kind: 'silence',
      silence: { id, selector: 'zone=eu-*', untilMs, why: 'new switches', by: { id: operator.peerId } },
    },
    { kind: 'ack', ack: { alertKey: 'files-lost', alertId: 'one', untilMs, by: { id: operator.peerId } } },
    { kind: 'silence-end', end: { silenceId: id, by: { id: operator.peerId } } },
  ]);
});

test('a silence needs a selector that can be read, a reason, and an end within 90 days', async () => {
  const log = newLog();
  const gateway = await startGateway({ log });
  const client = gateway.client(await newOperator(log));
  const silence = { selector: 'FilesLost', untilMs: Date.now() + hourMs, why: 'why' };
  for (const change of [
    { selector: 'zone==' },
    { why: '' },
    { untilMs: Date.now() - 1 },
    { untilMs: Date.now() + 91 * 24 * hourMs },
    { why: 'a\u0007' },
  ]) {
    await expect(client.silenceAlerts({ ...silence, ...change }), JSON.stringify(change)).rejects.toMatchObject({
      code: 'bad-input',
    });
  }
  expect(notesIn(log)).toEqual([]);
});
