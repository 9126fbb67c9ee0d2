/**
 * The keys by which a collector is known. While one key replaces the other there are two, and collectors tell them with every
 * answer, so that peers take the next one before any collector shows it.
 */
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';

/** Header of every answer of a collector: pins with commas between them, the collector's own first. */
export const pinsHeader = 'meshward-collector-pins';

const maxPins = 4;

export class CollectorPins {
  #accepted: readonly PeerId[];
  readonly #onChange: (accepted: readonly PeerId[]) => void;

  constructor(accepted: readonly PeerId[], onChange: (accepted: readonly PeerId[]) => void = () => undefined) {
    this.#accepted = accepted;
    this.#onChange = onChange;
  }

  get accepted(): readonly PeerId[] {
    return this.#accepted;
  }

  /** What a collector that was known by one of them has told. What cannot be read changes nothing. */
  told(header: string | readonly string[] | undefined): void {
    if (typeof header !== 'string') return;
    const pins = header.split(',').map((pin) => pin.trim());
    if (pins.length > maxPins || !pins.every(isPeerId)) return;
    const isSame = pins.length === this.#accepted.length && pins.every((pin) => this.#accepted.includes(pin));
    if (isSame) return;
    this.#accepted = pins;
    this.#onChange(pins);
  }
}
