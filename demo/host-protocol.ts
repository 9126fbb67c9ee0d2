/** What the demonstration and the processes that host its peers say to each other. */

export interface HostedPeer {
  readonly name: string;
  /** Holds `shares/`, `key/` and `spool/`. */
  readonly folder: string;
  readonly domains: Readonly<Record<string, string>>;
  readonly capacityBytes: number;
  /** Where its shares are served on loopback. */
  readonly port: number;
}

export interface HostSettings {
  readonly collectorUrl: string;
  readonly collectorPin: string;
  readonly heartbeatMs: number;
  readonly verifyBytesPerSecond: number;
}

export type HostCommand =
  | { readonly kind: 'settle'; readonly settings: HostSettings }
  /** Enrols the peer with the token where it is not enrolled yet, and starts it. */
  | { readonly kind: 'start'; readonly peer: HostedPeer; readonly token: string | null }
  /** The peer goes silent at once, and serves nothing. */
  | { readonly kind: 'kill'; readonly name: string }
  /** Every share on its disk is gone; the peer lives on. */
  | { readonly kind: 'wipe'; readonly name: string };

export interface HostRequest {
  readonly id: number;
  readonly command: HostCommand;
}

export interface HostAnswer {
  readonly id: number;
  readonly error: { readonly code: string; readonly message: string; readonly next: string } | null;
}
