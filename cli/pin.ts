/** The key by which a collector is known. */
import { MeshwardError } from '#mesh/errors.ts';
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';

/** @param what the option or key that it was given by. @throws MeshwardError `bad-input`. */
export function parsePin(text: string, what: string): PeerId {
  if (isPeerId(text)) return text;
  throw new MeshwardError('bad-input', `${what} is not the pin of a collector`, {
    next: 'Give the 43 letters, digits, - and _ that `meshward up` and `meshward token` print as the pin.',
  });
}
