/** Section `campaigns` of the configuration: what a campaign may do without being asked twice, and what it costs. */
import { z } from 'zod';
import { bytes, count, durationMs, hourMs, key, ratio, text } from './key.ts';

const price = z.number().min(0);

export const campaignsSection = z.strictObject({
  approvalAboveFiles: key(
    z.number().int().min(0),
    100_000,
    'files',
    'A campaign of more files needs the approval of a second operator. 0 asks for it always.',
  ),
  approvalAboveBytes: key(bytes, 1024 ** 4, 'bytes', 'So does one that reads and writes more. 0 asks for it always.'),
  planMaxAgeMs: key(durationMs, hourMs, 'ms', 'A plan that is older is not started: it is made anew first.'),
  planMaxDriftRatio: key(
    ratio,
    0.1,
    'ratio',
    'Nor is one of which files, shares or bytes have changed by more than this since it was made.',
  ),
  lanes: key(count.max(64), 2, 'repairs', 'Repairs of campaigns under way at once at one repairer.'),
  attempts: key(
    count.max(20),
    3,
    'attempts',
    'How often a campaign tries a file that fails before it goes on without.',
  ),
  retryAfterMs: key(durationMs, 30_000, 'ms', 'How long files that failed rest before a campaign tries them again.'),
  currency: key(text.max(10), 'EUR', 'text', 'What the prices are in.'),
  readPricePerGB: key(price, 0, 'price/GB', 'What reading 10⁹ bytes from peers costs; plans show it.'),
  writePricePerGB: key(price, 0, 'price/GB', 'What writing 10⁹ bytes to peers costs.'),
  keepPricePerGBMonth: key(price, 0, 'price/GB', 'What keeping 10⁹ bytes on peers costs a month.'),
});
