/** What the mesh holds of a peer. Only `departed` takes its shares out of the retained ones. */
export const peerStates = ['up', 'suspect', 'down', 'departed', 'draining', 'maintenance'] as const;

export type PeerState = (typeof peerStates)[number];

/** Failure domains of a peer by kind, such as `{region: 'eu-1', rack: 'r7'}`. */
export type Domains = Readonly<Record<string, string>>;

/**
 * Whether shares on a peer in this state are available: it can be asked for them now.
 * A suspect peer is silent but within its grace: its shares are counted, not available.
 */
export function isAvailableState(state: PeerState): boolean {
  return state === 'up' || state === 'draining';
}

/** Whether shares on a peer in this state count against the repair trigger: available, or silent for a reason that passes. */
export function isCountedState(state: PeerState): boolean {
  return state === 'up' || state === 'suspect' || state === 'maintenance';
}

export function isRetainedState(state: PeerState): boolean {
  return state !== 'departed';
}

/** Whether a repair may write to a peer in this state. */
export function isWritableState(state: PeerState): boolean {
  return state === 'up';
}

const domainPattern = /^[a-z0-9][a-z0-9._-]{0,62}$/i;

/** Names of kinds and values stay short and plain, since they become labels of metrics. */
export function isDomainWord(text: string): boolean {
  return domainPattern.test(text);
}
