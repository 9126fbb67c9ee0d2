/** Whether an address is of this machine alone. */
import { isIPv4 } from 'node:net';

/** Of a host as one listens on or connects to; a name other than `localhost` may be anywhere. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}
