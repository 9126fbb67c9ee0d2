import type { PeerId } from '#mesh/peer-id.ts';

/** For audits: which operator caused a record. */
export function operatorHeaders(operator: PeerId): Readonly<Record<string, string>> {
  return { 'meshward-operator': operator };
}
