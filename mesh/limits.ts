/** Bounds that both ends of a connection must agree on. */

/** Most events in one batch of a peer. */
export const maxEventsPerBatch = 20_000;

/** Most manifests in one batch. */
export const maxManifestsPerBatch = 5_000;

/** Largest body that an agent posts, in bytes. */
export const maxPostBytes = 2 * 1024 * 1024;

/** Longest name of a peer, reason of a message or tag of a file, in characters. */
export const maxTextLength = 200;
