/** The contract of the `EventLog` port: every adapter passes it, through the port alone. */
import { describe } from 'vitest';
import { describeGroups } from './event-log-groups.ts';
import type { MakeHarness } from './event-log-harness.ts';
import { describeKeeping } from './event-log-keeping.ts';
import { describeKilledProcesses } from './event-log-kills.ts';
import { describeRecords } from './event-log-records.ts';

export function describeEventLog(name: string, makeHarness: MakeHarness): void {
  describe(`event log: ${name}`, () => {
    describeRecords(makeHarness);
    describeKeeping(makeHarness);
    describeGroups(makeHarness);
    describeKilledProcesses(makeHarness);
  });
}
