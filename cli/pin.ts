/** The keys by which a collector is known. */
import { CollectorPins } from '#collector/gateway/collector-pins.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';

/**
 * One, or several with commas between them while one key replaces the other.
 * @param what the option or key that it was given by. @throws MeshwardError `bad-input`.
 */
export function parsePins(text: string, what: string): readonly PeerId[] {
  const pins = text.split(',').map((pin) => pin.trim());
  if (pins.every(isPeerId)) return pins;
  throw new MeshwardError('bad-input', `${what} is not the pin of a collector`, {
    next: 'Give the 43 letters, digits, - and _ that `meshward up` and `meshward token` print as the pin.',
  });
}

/** For a command: what a collector tells counts until it ends. */
export function parsePin(text: string, what: string): CollectorPins {
  return new CollectorPins(parsePins(text, what));
}
