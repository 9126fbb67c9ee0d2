/** Keys of the sections `alerts` and `objective`: to whom alerts are told, and what is promised of the files. */
import { z } from 'zod';
import { dayMs, durationMs, hourMs, key, minuteMs, ratio, text } from './key.ts';

/** `none` is the watchdog, which always fires. */
export const alertSeverities = ['page', 'warning', 'none'] as const;

/** Names and passwords do not belong into a configuration that is shown. */
const plainUrl = z
  .url({ protocol: /^https?$/ })
  .refine(
    (url) => URL.parse(url)?.username === '',
    'holds a name or a password: use username with passwordFile, or tokenFile',
  );

const named = {
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
  /** Only alerts of these severities. What is left out follows from the kind. */
  severities: z.array(z.enum(alertSeverities)).min(1).exactOptional(),
  /** Only alerts that this selector fits, such as `zone=eu-*`. */
  only: z.string().max(500).exactOptional(),
  /** PEM of the authorities that may vouch for the server, beside the system's. */
  caFile: z.string().min(1).exactOptional(),
};

const login = {
  /** Bearer token. */
  tokenFile: z.string().min(1).exactOptional(),
  /** Basic authentication, with `passwordFile`. */
  username: z
    .string()
    .regex(/^[^:\p{Cc}]{1,255}$/u, 'holds a colon or what cannot be printed')
    .exactOptional(),
  passwordFile: z.string().min(1).exactOptional(),
};

const alertSink = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('alertmanager'),
    ...named,
    /** Every member of one cluster. */
    urls: z.array(plainUrl).min(1).max(8),
    ...login,
  }),
  z.strictObject({
    kind: z.literal('pagerduty'),
    ...named,
    routingKeyFile: z.string().min(1),
    url: plainUrl.exactOptional(),
  }),
  z.strictObject({ kind: z.literal('slack'), ...named, urlFile: z.string().min(1) }),
  z.strictObject({
    kind: z.literal('webhook'),
    ...named,
    urlFile: z.string().min(1),
    ...login,
  }),
  z.strictObject({ kind: z.literal('heartbeat'), ...named, urlFile: z.string().min(1) }),
]);

export type AlertSinkConfig = z.infer<typeof alertSink>;

export const alertsSection = z.strictObject({
  sinks: key(
    z.array(alertSink).max(16),
    [],
    'sinks',
    'To whom alerts are told: Alertmanagers, PagerDuty, Slack-compatible and plain webhooks, heartbeat URLs. docs/alerts.md has each kind.',
  ),
  meshName: key(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    'meshward',
    'name',
    'Names this mesh in alerts and in the keys that they are deduplicated by: two meshes that page through one system need two names.',
  ),
  resendMs: key(
    durationMs.min(1000).max(10 * minuteMs),
    minuteMs,
    'ms',
    'How often an open alert is sent again to sinks that forget what they are not reminded of (Alertmanager); it is valid there for five times as long.',
  ),
  resolveDelayMs: key(
    z.number().int().min(0),
    minuteMs,
    'ms',
    'An alert must be over for as long before sinks are told so: what comes and goes pages once.',
  ),
  sendTimeoutMs: key(durationMs, 10_000, 'ms', 'How long a sink may take to answer; then it is tried again.'),
  sinkFailingAfterMs: key(
    durationMs,
    2 * minuteMs,
    'ms',
    'A sink that has taken nothing for as long is itself an alert, told through the other sinks.',
  ),
  acknowledgeMs: key(
    durationMs,
    24 * hourMs,
    'ms',
    'How long an acknowledgement holds unless it says so itself; an alert that is still open then is told anew.',
  ),
  publicUrl: key(
    text,
    '',
    'url',
    'Where people reach the API and the page: alerts link there. Empty is http:// with api.host and api.port.',
  ),
  runbookUrl: key(
    text,
    '',
    'url',
    'Where the runbooks are: an alert links to ALERT.md below it. Empty is /runbooks at alerts.publicUrl.',
  ),
  dashboardUrl: key(text, '', 'url', 'The dashboard that alerts link to. Empty is the page at alerts.publicUrl.'),
});

export const objectiveSection = z.strictObject({
  recoverableRatio: key(
    ratio,
    0.999_999,
    'ratio',
    'Part of the files that shall be recoverable at any time. 1 has no error budget: then only the alerts of files speak.',
  ),
  aboveRepairRatio: key(
    ratio,
    0.999,
    'ratio',
    'Part of the files that shall have at least as many shares as repair starts below, at any time.',
  ),
  windowMs: key(durationMs.min(dayMs), 30 * dayMs, 'ms', 'Over which time the error budget is counted.'),
});
