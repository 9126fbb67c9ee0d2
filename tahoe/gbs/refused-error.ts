/** What a status other than success means to the caller. */

import { MeshwardError } from '#mesh/errors.ts';
import type { Nurl } from '../identity/nurl.ts';
import { shareError } from '../share/share-errors.ts';
import { decodeRefusal } from './message.ts';
import type { Answer } from './peer-connection.ts';
import { protocolError } from './peer-connections.ts';

/** Why a peer refused; `details.reason` of a `gbs-refused` error. */
export type RefusalReason =
  | 'not-found'
  | 'fenced'
  | 'conflict'
  | 'complete'
  | 'no-space'
  | 'busy'
  | 'failed'
  | 'bad-request';

const nextSteps: Record<RefusalReason, string> = {
  'not-found': 'The peer does not have it (any more): list its shares again and go by that.',
  fenced: 'Another repairer has taken over this work; stop here and let it go on.',
  conflict: 'Other bytes were uploaded for this share before: abort that upload, or let it time out, and begin again.',
  complete: 'The share is there already: nothing needs doing.',
  'no-space': 'Free space on that peer or place the share on another one.',
  busy: 'Nothing needs doing: the caller tries again later.',
  failed: 'Look into the log of that peer; use another one meanwhile.',
  'bad-request': 'Check that both sides run versions that go together.',
};

/** The peer has the share, and cannot read its container: no status that Tahoe itself answers with. */
export const damagedShareStatus = 422;

/** The peer works, and fails at whatever is asked of this file: so Tahoe answers where it cannot open the container of a share. */
export function unreadableShareError(nurl: Nurl, cause: unknown): MeshwardError {
  return shareError(
    'share-malformed',
    `peer ${nurl.peerId} at ${nurl.authority} cannot open a share that it holds of this file: the container is damaged`,
    { cause, details: { peerId: nurl.peerId, address: nurl.authority, status: internalFailureStatus } },
  );
}

const internalFailureStatus = 500;

export function isInternalFailure(error: unknown): boolean {
  return refusalReason(error) === 'failed' && (error as MeshwardError).details['status'] === internalFailureStatus;
}

export function refusedError(nurl: Nurl, answer: Answer): MeshwardError {
  const { status } = answer;
  const said = decodeRefusal(answer.body)?.replaceAll(/[^\x20-\x7e]/g, ' ');
  const details = { peerId: nurl.peerId, address: nurl.authority, status };
  const subject = `peer ${nurl.peerId} at ${nurl.authority}`;
  if (status === 401) {
    return new MeshwardError('gbs-unauthorized', `${subject} does not accept our secret`, {
      next: 'Give the NURL that the peer has now (its swissnum changes when its private folder is made anew); for an upload, begin it again.',
      details,
    });
  }
  if (status === damagedShareStatus)
    return shareError(
      'share-malformed',
      `${subject} holds a damaged share (${said ?? 'its container cannot be read'})`,
      {
        details,
      },
    );
  if (status < 400) return protocolError(nurl, `status ${status} where another was due`);
  const reason = reasonOf(status, said);
  return new MeshwardError('gbs-refused', `${subject} refused with status ${status} (${said ?? reason})`, {
    next: nextSteps[reason],
    retryable: reason === 'busy' || reason === 'no-space',
    details: { ...details, reason },
  });
}

export function refusalReason(error: unknown): RefusalReason | null {
  return error instanceof MeshwardError && error.code === 'gbs-refused'
    ? (error.details['reason'] as RefusalReason)
    : null;
}

function reasonOf(status: number, said: string | undefined): RefusalReason {
  switch (status) {
    case 404:
      return 'not-found';
    case 405:
      return 'complete';
    case 409:
      return said === 'fenced' ? 'fenced' : 'conflict';
    case 429:
    case 502:
    case 503:
    case 504:
      return 'busy';
    case 507:
      return 'no-space';
    default:
      return status >= 500 ? 'failed' : 'bad-request';
  }
}
