/** The peer table as the native core's columns: states as bits, kinds and domains as numbers. */
import type { PeerId } from '#mesh/peer-id.ts';
import { type NativeShareMap, noDomain, type PeerColumns, peerFlags, type SweepColumns } from '#native/share-map.ts';
import type { PeerTable, TablePeer } from './peer-table.ts';

/** What one peer's loss, or one domain's, would do: how many files would fall below k, or below their repair threshold. */
export interface ExposureRow {
  readonly filesBelowK: number;
  readonly filesBelowRepair: number;
}

export interface Exposure {
  readonly peers: ReadonlyMap<PeerId, ExposureRow>;
  /** By kind, then domain. */
  readonly domains: ReadonlyMap<string, ReadonlyMap<string, ExposureRow>>;
}

/** What the core takes. Kinds beyond it are left out of tolerances; `mesh/` names five. */
const mostKinds = 16;

interface DomainNumbers {
  readonly names: string[];
  readonly numbers: Map<string, number>;
}

export class PeerNumbering {
  readonly #core: NativeShareMap;
  readonly #peers: PeerTable;
  readonly #kinds: string[] = [];
  /** By kind: names in the order of their numbers, and back. Numbers stay, since sweeps under way speak of them. */
  readonly #domains: DomainNumbers[] = [];
  #revision = -1;

  constructor(core: NativeShareMap, peers: PeerTable) {
    this.#core = core;
    this.#peers = peers;
  }

  /** Gives the core the table where it has changed. */
  update(): void {
    if (this.#revision === this.#peers.revision) return;
    this.#revision = this.#peers.revision;
    this.#core.setPeers(this.columnsOf(this.#peers));
  }

  kindName(kind: number): string {
    return this.#kinds[kind] as string;
  }

  /** Columns of another table; its peers are matched by id. */
  columnsOf(table: PeerTable): PeerColumns {
    const rows = this.#peers.rows();
    const others = rows.map((row): TablePeer => {
      const number = table === this.#peers ? undefined : table.find(row.peer);
      return number === undefined ? row : table.row(number);
    });
    for (const { domains } of others) for (const kind of Object.keys(domains)) this.#kindNumber(kind);
    const kinds = this.#kinds.length;
    const flags = new Uint8Array(rows.length);
    const domains = new Uint16Array(rows.length * kinds).fill(noDomain);
    const confidences = Uint16Array.from(others, ({ confidence }) => confidence);
    others.forEach((row, peer) => {
      flags[peer] =
        (row.available ? peerFlags.available : 0) |
        (row.counted ? peerFlags.counted : 0) |
        (row.retained ? peerFlags.retained : 0);
      for (const [kind, domain] of Object.entries(row.domains)) {
        const number = this.#kindNumber(kind);
        if (number !== undefined) domains[peer * kinds + number] = this.#domainNumber(number, domain);
      }
    });
    const domainCounts = Uint32Array.from(this.#domains, ({ names }) => names.length);
    return { flags, domains, domainCounts, confidences };
  }

  exposureOf(columns: SweepColumns): Exposure {
    const { peersBelowK, peersBelowRepair, domainsBelowK, domainsBelowRepair, firstDomains } = columns;
    const peers = new Map<PeerId, ExposureRow>();
    this.#peers.rows().forEach(({ peer }, number) => {
      const row = { filesBelowK: peersBelowK[number] ?? 0, filesBelowRepair: peersBelowRepair[number] ?? 0 };
      if (row.filesBelowK + row.filesBelowRepair > 0) peers.set(peer, row);
    });
    const domains = new Map<string, Map<string, ExposureRow>>();
    firstDomains.forEach((first, kind) => {
      const end = firstDomains[kind + 1] ?? domainsBelowK.length;
      const ofKind = new Map<string, ExposureRow>();
      for (let at = first; at < end; at++) {
        const row = { filesBelowK: domainsBelowK[at] as number, filesBelowRepair: domainsBelowRepair[at] as number };
        const name = this.#domains[kind]?.names[at - first];
        if (name !== undefined && row.filesBelowK + row.filesBelowRepair > 0) ofKind.set(name, row);
      }
      domains.set(this.kindName(kind), ofKind);
    });
    return { peers, domains };
  }

  #kindNumber(kind: string): number | undefined {
    const known = this.#kinds.indexOf(kind);
    if (known >= 0) return known;
    if (this.#kinds.length === mostKinds) return undefined;
    this.#domains.push({ names: [], numbers: new Map() });
    return this.#kinds.push(kind) - 1;
  }

  #domainNumber(kind: number, domain: string): number {
    const { names, numbers } = this.#domains[kind] as DomainNumbers;
    const known = numbers.get(domain);
    if (known !== undefined) return known;
    if (names.length === noDomain) return noDomain;
    numbers.set(domain, names.length);
    return names.push(domain) - 1;
  }
}
