/** Where a peer serves its shares, and the right to use it: `pb://PIN@host:port/SWISSNUM#v=1` (FORMAT section 11). */
import { randomBytes } from 'node:crypto';
import { encodeBase32 } from '#mesh/base32.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';

/**
 * The swissnum is a secret (whoever has it may read and write the peer's shares), so printing, inspecting or serialising a
 * Nurl shows it redacted; only `revealSwissnum` and `revealText` give it out.
 */
export class Nurl {
  readonly peerId: PeerId;
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly #swissnum: string;

  constructor(peerId: PeerId, host: string, port: number, swissnum: string) {
    if (!isHost(host)) throw badNurl('its host is not a name or an address');
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw badNurl('its port is not between 1 and 65535');
    if (!/^[A-Za-z0-9._~-]{1,256}$/.test(swissnum)) throw badNurl('its swissnum is missing or has foreign characters');
    this.peerId = peerId;
    this.host = host;
    this.port = port;
    this.#swissnum = swissnum;
  }

  /** `host:port`, with brackets around an IPv6 address. */
  get authority(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  revealSwissnum(): string {
    return this.#swissnum;
  }

  /** The whole NURL with its secret: for a servers.yaml or an enrolment, never for a log. */
  revealText(): string {
    return `pb://${this.peerId}@${this.authority}/${this.#swissnum}#v=1`;
  }

  toString(): string {
    return `pb://${this.peerId}@${this.authority}/[redacted]#v=1`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** @throws MeshwardError `bad-input`; the message never repeats the text, which holds a secret. */
export function parseNurl(text: string): Nurl {
  const match = /^pb:\/\/([^@/]*)@(\[[0-9A-Fa-f:.]+\]|[^:/@[\]]+):(\d{1,5})\/([^#/]*)#v=1$/.exec(text.trim());
  if (match === null) throw badNurl('it does not read pb://PIN@host:port/SWISSNUM#v=1');
  const [, pin, host, port, swissnum] = match as unknown as [string, string, string, string, string];
  if (!isPeerId(pin)) throw badNurl('its pin is not 43 characters of base64url');
  return new Nurl(pin, host.replace(/^\[|\]$/g, ''), Number(port), swissnum);
}

/** 160 random bits in base32, as Tahoe makes them. A secret. */
export function randomSwissnum(): string {
  return encodeBase32(randomBytes(20));
}

function isHost(host: string): boolean {
  return /^[0-9A-Fa-f:.]+$/.test(host) || /^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$/.test(host);
}

function badNurl(reason: string): MeshwardError {
  return new MeshwardError('bad-input', `not a usable NURL: ${reason}`, {
    next: 'Write it as pb://PIN@host:port/SWISSNUM#v=1; it is told by whoever runs the peer.',
  });
}
