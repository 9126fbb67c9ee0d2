/** A log of which a test changes some members. */
import type { EventLog } from '#log/port.ts';

export function changedLog(log: EventLog, changes: Partial<EventLog>): EventLog {
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(name in changes ? changes : target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
