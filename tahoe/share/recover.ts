/** A file back from its read cap and any `k` shares. */
import type { ReadCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { sameManifest } from '#mesh/manifest.ts';
import { type DecodeOptions, decodeCiphertext } from './decode.ts';
import { applyKey } from './encrypt.ts';
import type { VerifiedShare } from './verified-share.ts';

/**
 * The plaintext in order, segment by segment; each is checked before it is handed out.
 *
 * @param sources opened with the cap's manifest.
 * @throws MeshwardError as {@link decodeCiphertext}, or `bad-input` where a share is of another file.
 */
export async function* recoverPlaintext(
  cap: ReadCap,
  sources: readonly VerifiedShare[],
  options: DecodeOptions = {},
): AsyncGenerator<Uint8Array> {
  if (!sources.every((share) => sameManifest(share.manifest, cap.manifest))) {
    throw new MeshwardError('bad-input', 'a share given is not of the file that the cap names', {
      next: 'Open every share with the manifest of this cap.',
    });
  }
  yield* applyKey(cap.key, decodeCiphertext(sources, options));
}
