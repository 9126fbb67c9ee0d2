/** Peers as they are now, with their domain of the chosen kind. */
import { database } from './leveled.ts';

/** A subquery: one row a peer. */
export const peersNow = `(
SELECT peer_id, peer_id_text AS id, name, toString(state) AS state, state_since, domains['\${kind}'] AS domain, capacity_bytes, used_bytes, shares,
  toString(agent_version) AS agent_version, last_heard_at, incarnation, flap_score, grace_ms
FROM ${database}.peers FINAL
)`;

/** Peers of the chosen domains; those without the kind of domain are left out. @param column the domain. */
export function inDomains(column: string): string {
  return `has([\${domain:sqlstring}], ${column})`;
}

/** The chosen peer. @param column the key of `peer_vitals`. */
export function isPeer(column: string): string {
  return `${column} = toFixedString(tryBase64URLDecode('\${peer}'), 32)`;
}

/** Of every peer in the chosen domains. */
export function isOfDomains(column: string): string {
  return `${column} IN (SELECT peer_id FROM ${database}.peers FINAL WHERE ${inDomains("domains['${kind}']")})`;
}
