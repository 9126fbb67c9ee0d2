/** What a peer that serves its shares measures of their journal (docs/decisions/share-journal.md). No series where it serves none. */
import type { Meter } from '@opentelemetry/api';
import type { JournalFigures } from './ports.ts';

type Row = [name: string, unit: string, description: string, value: (figures: JournalFigures) => number];

const gauges: readonly Row[] = [
  [
    'meshward_agent_journal_in_use',
    '1',
    '1 while the journal of shares is used; 0 where every share is synced by itself.',
    (figures) => (figures.isJournalUsed ? 1 : 0),
  ],
  [
    'meshward_agent_journal_bytes',
    'By',
    'Bytes in the journal of shares whose files may not be on the disk yet.',
    (figures) => figures.journalBytes,
  ],
  [
    'meshward_agent_journal_limit_bytes',
    'By',
    'Bytes that the journal of shares may hold.',
    (figures) => figures.maxJournalBytes,
  ],
  [
    'meshward_agent_journal_oldest_record_seconds',
    's',
    'How long the oldest record of the journal has waited for a sync of the file system; 0 where none waits.',
    (figures) => figures.oldestRecordAgeMs / 1000,
  ],
];

const counters: readonly Row[] = [
  [
    'meshward_agent_journalled_shares_total',
    '{share}',
    'Shares made durable by a record in the journal.',
    (figures) => figures.sharesJournalled,
  ],
  [
    'meshward_agent_put_back_shares_total',
    '{share}',
    'Shares that the journal put back at a start, since the system went down before their files were on the disk.',
    (figures) => figures.sharesPutBack,
  ],
];

/** @param read called when metrics are collected. @returns what ends it. */
export function observeJournal(meter: Meter, peer: string, read: () => JournalFigures | null): () => void {
  const rows = [
    ...gauges.map((row) => ({ row, instrument: meter.createObservableGauge(row[0], optionsOf(row)) })),
    ...counters.map((row) => ({ row, instrument: meter.createObservableCounter(row[0], optionsOf(row)) })),
  ];
  const bypassed = meter.createObservableCounter('meshward_agent_journal_bypassed_shares_total', {
    unit: '{share}',
    description:
      'Short shares that were synced by themselves, by reason: full (no room in the journal), unwritten (a record could not be written).',
  });
  const instruments = [...rows.map(({ instrument }) => instrument), bypassed];
  const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
    const figures = read();
    if (figures === null) return;
    for (const { row, instrument } of rows) result.observe(instrument, row[3](figures), { peer });
    for (const [reason, count] of Object.entries(figures.sharesBypassed))
      result.observe(bypassed, count, { peer, reason });
  };
  meter.addBatchObservableCallback(observe, instruments);
  return () => meter.removeBatchObservableCallback(observe, instruments);
}

function optionsOf([, unit, description]: Row): { unit: string; description: string } {
  return { unit, description };
}
