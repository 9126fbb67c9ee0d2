/**
 * Names one analyzer process among others, in reports and histories. The host and the port of its API: the same after a restart, and
 * another one for each process of a host. Where the port is chosen anew at each start, the process stands for it.
 */
export function instanceName(host: string, apiPort: number, pid: number): string {
  return apiPort === 0 ? `${host}-pid${pid}` : `${host}-${apiPort}`;
}
