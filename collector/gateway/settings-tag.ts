/**
 * The entity tag of a peer's settings: their version, and behind it the inventories that were asked for, where there are any.
 * An agent that knows nothing of these names the version only: it is sent settings that it has already, which harms nothing.
 */
export function settingsTag(version: number, inventoryRequest = 0): string {
  return inventoryRequest === 0 ? `"${version}"` : `"${version}.${inventoryRequest}"`;
}
