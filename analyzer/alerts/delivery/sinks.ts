/** The sinks that the configuration names. Secrets are read from their files with each notice: a key that was changed counts at once. */
import { parseAlertSelector } from '#mesh/alert-selector.ts';
import type { AlertSinkConfig } from '#mesh/config/alert-keys.ts';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Severity, selectorLabels } from '../alert.ts';
import { alertmanagerSend } from './alertmanager.ts';
import { createHttpSender, type HttpSender } from './http.ts';
import type { Notice, NoticeSeverity } from './notice.ts';
import { pagerdutySend } from './pagerduty.ts';
import type { AlertSink } from './sink.ts';
import { slackSend } from './slack.ts';
import { heartbeatSend, webhookSend } from './webhook.ts';

/** What a sink is told of where its configuration does not say. */
const severitiesOf: Readonly<Record<AlertSinkConfig['kind'], readonly NoticeSeverity[]>> = {
  alertmanager: ['page', 'warning', 'none'],
  pagerduty: ['page'],
  slack: ['page', 'warning'],
  webhook: ['page', 'warning'],
  heartbeat: ['none'],
};

/**
 * An incident that somebody closed while its alert holds, or that an analyzer closed which no longer had the say, opens again after as
 * long; to one that is open it does nothing.
 */
const pagerdutyResendMs = 30 * 60_000;

/** @throws MeshwardError `config-invalid`. */
export function createSinks({ sinks, resendMs }: Config['alerts']): readonly AlertSink[] {
  const names = sinks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new MeshwardError('config-invalid', `alerts.sinks names two sinks ${twice}`, {
      next: 'Give each sink a name of its own.',
    });
  }
  return sinks.map((config) => createSink(config, resendMs));
}

function createSink(config: AlertSinkConfig, resendMs: number): AlertSink {
  const { name, kind } = config;
  const http = createHttpSender(config.caFile);
  return {
    name,
    kind,
    isForPages: severitiesTaken(config).includes('page'),
    takes: takesOf(config),
    resendMs: { alertmanager: resendMs, pagerduty: pagerdutyResendMs, slack: null, webhook: null, heartbeat: resendMs }[
      kind
    ],
    send: sendOf(config, http),
    close: () => http.close(),
  };
}

function sendOf(config: AlertSinkConfig, http: HttpSender): AlertSink['send'] {
  switch (config.kind) {
    case 'alertmanager':
      return alertmanagerSend(config, http);
    case 'pagerduty':
      return pagerdutySend(config, http);
    case 'slack':
      return slackSend(config.urlFile, http);
    case 'webhook':
      return webhookSend(config, http);
    case 'heartbeat':
      return heartbeatSend(config.urlFile, http);
  }
}

function severitiesTaken({ kind, severities }: AlertSinkConfig): readonly NoticeSeverity[] {
  return kind === 'heartbeat' ? severitiesOf.heartbeat : (severities ?? severitiesOf[kind]);
}

function takesOf(config: AlertSinkConfig): AlertSink['takes'] {
  const severities = severitiesTaken(config);
  const selector = config.only === undefined ? null : readSelector(config.name, config.only);
  return (notice) => {
    if (!severities.includes(notice.severity)) return false;
    // A sink that takes nothing is told through the others.
    if (notice.cause['sink'] === config.name) return false;
    return notice.severity === 'none' || selector === null || selector.fits(labelsOf(notice));
  };
}

function labelsOf({ alertKey, severity, name }: Notice): Readonly<Record<string, string>> {
  return { ...selectorLabels({ key: alertKey, severity: severity as Severity }), alert: name };
}

function readSelector(sink: string, text: string) {
  try {
    return parseAlertSelector(text);
  } catch (error) {
    const { message, next } = error as MeshwardError;
    throw new MeshwardError('config-invalid', `alerts.sinks ${sink}: ${message}`, { next, cause: error });
  }
}
