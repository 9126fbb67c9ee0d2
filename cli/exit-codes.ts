/** Exit codes of `meshward`: scripts may rely on them. docs/cli.md lists them. */
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';

export const exitCodes = {
  ok: 0,
  /** Something that should not happen: a defect, or a machine out of order. */
  internal: 1,
  /** The command line, a cap, a file or the configuration is wrong. */
  usage: 2,
  /** What was asked for is not there: a file, a peer, a dead letter. */
  notFound: 3,
  /** A service, peer or database is away: try again. */
  unavailable: 4,
  /** A check was made and its answer is no: a share is corrupt, a file cannot be recovered, a promise was broken. */
  negative: 5,
  /** Not allowed: unknown, revoked or not an operator. */
  forbidden: 6,
  /** The run was interrupted. */
  interrupted: 130,
  /** Whoever read the output went away. */
  outputClosed: 141,
} as const;

/** As the manual page has them; docs/cli.md says the same. */
export const exitMeanings: Readonly<Record<number, string>> = {
  0: 'Done.',
  1: 'Something that should not happen: a defect, or a machine out of order.',
  2: 'The command line, a cap, a file or the configuration is wrong.',
  3: 'What was asked for is not there: a file, a peer, a dead letter.',
  4: 'A service, peer or database is away: try again.',
  5: 'A check was made and its answer is no: a share is corrupt, a file cannot be recovered now, files are at risk.',
  6: 'Not allowed: unknown, revoked or not an operator.',
  130: 'Interrupted.',
  141: 'Whoever read the output went away.',
};

const byCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  // Installed wrongly: waiting does not help.
  'native-unavailable': exitCodes.internal,
  'bad-input': exitCodes.usage,
  'bad-cap': exitCodes.usage,
  'bad-coding': exitCodes.usage,
  'config-invalid': exitCodes.usage,
  'log-topics': exitCodes.usage,
  'file-unknown': exitCodes.notFound,
  'letter-unknown': exitCodes.notFound,
  'access-token-unknown': exitCodes.notFound,
  'alert-unknown': exitCodes.notFound,
  'campaign-unknown': exitCodes.notFound,
  'campaign-state': exitCodes.negative,
  'campaign-changed': exitCodes.negative,
  'campaign-stale': exitCodes.negative,
  'campaign-unapproved': exitCodes.forbidden,
  'share-malformed': exitCodes.negative,
  'share-truncated': exitCodes.negative,
  'share-foreign': exitCodes.negative,
  'share-corrupt': exitCodes.negative,
  'share-mismatch': exitCodes.negative,
  'not-enough-shares': exitCodes.negative,
  'file-irrecoverable': exitCodes.negative,
  'promise-broken': exitCodes.negative,
  'peer-unknown': exitCodes.forbidden,
  'peer-revoked': exitCodes.forbidden,
  'peer-impersonation': exitCodes.forbidden,
  'peer-outdated': exitCodes.forbidden,
  'log-forbidden': exitCodes.forbidden,
  'operator-unknown': exitCodes.forbidden,
  'token-invalid': exitCodes.forbidden,
  'access-unknown': exitCodes.forbidden,
  'access-refused': exitCodes.forbidden,
  'gbs-pin-mismatch': exitCodes.forbidden,
  'gbs-unauthorized': exitCodes.forbidden,
  'grafana-refused': exitCodes.forbidden,
  cancelled: exitCodes.interrupted,
};

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof MeshwardError)) return exitCodes.internal;
  return (
    byCode[error.code] ??
    (error.retryable || /unavailable|unreachable/.test(error.code) ? exitCodes.unavailable : exitCodes.internal)
  );
}
