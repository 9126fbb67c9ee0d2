/** What a caller of the HTTP API may do: each role may do what those before it may. */
export const roles = ['viewer', 'operator', 'approver'] as const;

export type Role = (typeof roles)[number];

export function mayActAs(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}
