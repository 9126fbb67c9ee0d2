/** A transfer whose bytes are paid for a second time: work that may use only a part of the budget waits for its own share first. */
import type { Budget, BudgetRequest } from './budget.ts';
import type { Transfer } from './transfer.ts';

export function budgetedTransfer(transfer: Transfer, budget: Budget): Transfer {
  return {
    begin(work) {
      const inner = transfer.begin(work);
      const pay = (peerId: BudgetRequest['peerId'], bytes: number, as: 'source' | 'target', signal: AbortSignal) =>
        budget.spend({ bytes, peerId, domains: {}, as, urgent: work.urgent, signal });
      return {
        get bytesRead() {
          return inner.bytesRead;
        },
        get bytesWritten() {
          return inner.bytesWritten;
        },
        signal: inner.signal,
        listShares: (peerId, storageIndex) => inner.listShares(peerId, storageIndex),
        source(peerId, storageIndex, shareNumber, signal = work.signal) {
          const source = inner.source(peerId, storageIndex, shareNumber, signal);
          return {
            ...source,
            async read(offset, length) {
              await pay(peerId, length, 'source', signal);
              return source.read(offset, length);
            },
          };
        },
        allocate: (peerId, storageIndex, request) => inner.allocate(peerId, storageIndex, request),
        async write(peerId, storageIndex, piece) {
          await pay(peerId, piece.bytes.length, 'target', work.signal);
          return inner.write(peerId, storageIndex, piece);
        },
        wholeShareMaxBytes: (peerId) => inner.wholeShareMaxBytes(peerId),
        async putWhole(peerId, storageIndex, share) {
          await pay(peerId, share.bytes.length, 'target', work.signal);
          return inner.putWhole(peerId, storageIndex, share);
        },
        abort: (peerId, storageIndex, shareNumber, secret) => inner.abort(peerId, storageIndex, shareNumber, secret),
        reportCorruption: (peerId, storageIndex, shareNumber, reason) =>
          inner.reportCorruption(peerId, storageIndex, shareNumber, reason),
      };
    },
  };
}
