/** `meshward dead-letters show`: one letter whole, decoded where it can be read. */
import type { Command } from 'commander';
import type { LetterSummary } from '#collector/dead-letters/letters.ts';
import type { ShownPayload } from '#collector/dead-letters/payload.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { aligned } from '../describe-file.ts';
import { formatBytes } from '../output.ts';

export function addDeadLetterShowCommand(letters: Command): void {
  const command = letters
    .command('show')
    .argument('<letter>', 'its number, as `meshward dead-letters list` shows it')
    .description('one dead letter whole: its payload decoded where it can be read, in hexadecimal otherwise');
  describeUse(command, {
    examples: ['meshward dead-letters show 17'],
    exits: { 3: 'there is no such letter', 4: 'the log cannot be reached', 6: 'Kafka does not let this user in' },
    notes: ['Caps, addresses with secrets, tokens and keys are not shown, wherever they stand in it.'],
  });
  command.action((number: string, _flags: object, command: Command) => show(runningContextOf(command), number));
}

async function show(context: Context, text: string): Promise<void> {
  const { parseLetterNumber, withLetters } = await import('../dead-letter-selection.ts');
  const { findLetters, readLetter } = await import('#collector/dead-letters/letters.ts');
  const { showPayload } = await import('#collector/dead-letters/payload.ts');
  const number = parseLetterNumber(text);
  await withLetters(context, async (log, topics) => {
    const [letter] = await findLetters(log, topics.deadLetters.name, new Set([number]));
    if (letter === undefined) return;
    const payload = showPayload(await readLetter(log, topics.deadLetters.name, number), topics);
    context.output.result({ ...letter, payload }, () => describeLetter(letter, payload));
  });
}

export function describeLetter(letter: LetterSummary, payload: ShownPayload): string {
  const { replayed, payloadBytes, keptBytes } = letter;
  const kept = keptBytes === payloadBytes ? '' : `, of which ${formatBytes(keptBytes)} were kept`;
  const facts = aligned([
    ['letter', String(letter.number)],
    ['taken', new Date(letter.appendedAtMs).toISOString()],
    ['code', letter.code],
    ['reason', letter.reason],
    ['source', letter.source],
    ['peer', letter.peerId ?? 'nobody proved to have sent it'],
    ['content type', letter.contentType],
    ['size', `${formatBytes(payloadBytes)}${kept}`],
    [
      'replayed',
      replayed === null
        ? 'no'
        : `${new Date(replayed.atMs).toISOString()} to ${replayed.topic} (${replayed.records} records)`,
    ],
  ]);
  return `${facts}\n\n${describePayload(payload)}`;
}

function describePayload(payload: ShownPayload): string {
  switch (payload.form) {
    case 'decoded':
      return JSON.stringify(payload.value, null, 2);
    case 'hex':
      return payload.hex.replaceAll(/(.{64})(?=.)/g, '$1\n');
    case 'withheld':
      return 'Nothing of it was kept: it may hold a secret, or was refused before it was read.';
  }
}
