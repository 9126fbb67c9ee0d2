import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventLog } from '#log/port.ts';
import { describeEventLog } from './event-log.ts';
import { openLog } from './event-log-embedded-open.ts';

describeEventLog('embedded', async (topics) => {
  const directory = await mkdtemp(join(tmpdir(), 'meshward-log-'));
  const opened: EventLog[] = [];
  return {
    open: async () => {
      const log = await openLog({ directory }, topics);
      opened.push(log);
      return log;
    },
    child: { module: new URL('./event-log-embedded-open.ts', import.meta.url).href, config: { directory } },
    dispose: async () => {
      await Promise.all(opened.map((log) => log.close()));
      await rm(directory, { recursive: true, force: true });
    },
  };
});
