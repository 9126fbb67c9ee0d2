{{- define "meshward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "meshward.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "meshward.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "meshward.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of everything; give (dict "root" $ "component" "collector"). */}}
{{- define "meshward.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: meshward
{{ include "meshward.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "meshward.selector" -}}
app.kubernetes.io/name: {{ include "meshward.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "meshward.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if .Values.image.registry -}}
{{- $repository = printf "%s/%s" .Values.image.registry .Values.image.repository -}}
{{- end -}}
{{- $suffix := ternary "-embedded" "" (eq .Values.mode "standalone") -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default (printf "%s%s" .Chart.AppVersion $suffix) .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "meshward.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "meshward.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The configuration file: what follows from the chart's values, and config over it. */}}
{{- define "meshward.config" -}}
{{- $v := .Values -}}
{{- $name := include "meshward.fullname" . -}}
{{- $shutdown := dict "lingerMs" (mul (int $v.shutdown.lingerSeconds) 1000) "timeoutMs" (mul (int $v.shutdown.timeoutSeconds) 1000) -}}
{{- $log := dict "topicPrefix" $v.topics.prefix "shareEventsPartitions" (int $v.topics.shareEventsPartitions) "peerEventsPartitions" (int $v.topics.peerEventsPartitions) -}}
{{- $collector := dict "host" $v.listenAddress "port" 7701 "opsHost" $v.listenAddress "opsPort" 7703 "publicUrl" $v.collector.publicUrl -}}
{{- $api := dict "host" $v.listenAddress "port" 7700 -}}
{{- $repairer := dict "host" $v.listenAddress "port" 7702 -}}
{{- $alerts := dict "publicUrl" $v.analyzer.publicUrl -}}
{{- $access := dict "tokensFile" "/etc/meshward/access/tokens.json" "apiTokenFile" "/etc/meshward/access/token" "sessionKeyFile" "/etc/meshward/access/session-key" "allowPlainHttp" true -}}
{{- if not $v.access.secret -}}
{{- fail "access.secret is needed: a secret made from access/ of `meshward keys create`; nothing is served beyond loopback without" -}}
{{- end -}}
{{- $config := dict "access" $access "dataDir" "/var/lib/meshward" "shutdown" $shutdown "log" $log "collector" $collector "api" $api "repairer" $repairer "alerts" $alerts -}}
{{- if eq $v.mode "services" -}}
{{- $_ := set $log "adapter" "kafka" -}}
{{- $_ := set $api "repairerUrls" (list (printf "http://%s-repairer:7702" $name)) -}}
{{- $_ := set $collector "apiUrls" (list (printf "http://%s-analyzer:%d" $name (int $v.analyzer.service.port))) -}}
{{- $_ := set $repairer "apiUrl" (printf "http://%s-analyzer:%d" $name (int $v.analyzer.service.port)) -}}
{{- $tls := dict "enabled" $v.kafka.tls.enabled "serverName" $v.kafka.tls.serverName -}}
{{- if $v.kafka.tls.caSecret.name -}}
{{- $_ := set $tls "caFile" (printf "/etc/meshward/kafka-ca/%s" $v.kafka.tls.caSecret.key) -}}
{{- end -}}
{{- $_ := set $config "kafka" (dict "brokers" $v.kafka.brokers "tls" $tls) -}}
{{- $clickhouse := dict "mode" "external" "urls" $v.clickhouse.urls "topology" $v.clickhouse.topology "cluster" $v.clickhouse.cluster "database" $v.clickhouse.database "username" $v.clickhouse.username -}}
{{- if $v.clickhouse.passwordSecret.name -}}
{{- $_ := set $clickhouse "passwordFile" (printf "/etc/meshward/clickhouse/%s" $v.clickhouse.passwordSecret.key) -}}
{{- end -}}
{{- $_ := set $config "clickhouse" $clickhouse -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy $v.config)) -}}
{{- end -}}

{{/* What a pod of a service needs from secrets, as environment, mounts and volumes; (dict "root" $ "user" "collector" "keys" … "clickhouse" true). */}}
{{- define "meshward.env" -}}
{{- $v := .root.Values -}}
- { name: MESHWARD_CONFIG, value: /etc/meshward/config/meshward.yaml }
{{- if .user }}
{{- $user := index $v.kafka.users .user }}
# Beside the user's name: who has none must not be asked for one.
- { name: MESHWARD_KAFKA_SASL_MECHANISM, value: {{ $v.kafka.sasl.mechanism }} }
{{- if $user.username }}
- { name: MESHWARD_KAFKA_SASL_USERNAME, value: {{ $user.username | quote }} }
{{- end }}
{{- if $user.passwordSecret.name }}
- { name: MESHWARD_KAFKA_SASL_PASSWORD_FILE, value: /etc/meshward/kafka-user/{{ $user.passwordSecret.key }} }
{{- end }}
{{- if $user.certSecret.name }}
- { name: MESHWARD_KAFKA_TLS_CERT_FILE, value: /etc/meshward/kafka-cert/{{ $user.certSecret.certKey }} }
- { name: MESHWARD_KAFKA_TLS_KEY_FILE, value: /etc/meshward/kafka-cert/{{ $user.certSecret.keyKey }} }
{{- end }}
{{- end }}
{{- if eq (default "" .keys) "collector" }}
- { name: MESHWARD_KEYS_COLLECTOR_KEY_FILE, value: /etc/meshward/keys/collector.key.pem }
- { name: MESHWARD_KEYS_OPERATORS_FILE, value: /etc/meshward/keys/operators }
{{- else if eq (default "" .keys) "repairer" }}
- { name: MESHWARD_KEYS_LEASE_SECRET_FILE, value: /etc/meshward/keys/lease-secret }
{{- end }}
{{- if and .clickhouse $v.clickhouse.caSecret.name }}
- { name: NODE_EXTRA_CA_CERTS, value: /etc/meshward/clickhouse-ca/{{ $v.clickhouse.caSecret.key }} }
{{- end }}
{{- end -}}

{{- define "meshward.mounts" -}}
{{- $v := .root.Values -}}
- { name: config, mountPath: /etc/meshward/config, readOnly: true }
- { name: tmp, mountPath: /tmp }
- { name: access, mountPath: /etc/meshward/access, readOnly: true }
{{- if .user }}
{{- $user := index $v.kafka.users .user }}
{{- if $v.kafka.tls.caSecret.name }}
- { name: kafka-ca, mountPath: /etc/meshward/kafka-ca, readOnly: true }
{{- end }}
{{- if $user.passwordSecret.name }}
- { name: kafka-user, mountPath: /etc/meshward/kafka-user, readOnly: true }
{{- end }}
{{- if $user.certSecret.name }}
- { name: kafka-cert, mountPath: /etc/meshward/kafka-cert, readOnly: true }
{{- end }}
{{- end }}
{{- if .keys }}
- { name: keys, mountPath: /etc/meshward/keys, readOnly: true }
{{- end }}
{{- if .clickhouse }}
{{- if $v.clickhouse.passwordSecret.name }}
- { name: clickhouse, mountPath: /etc/meshward/clickhouse, readOnly: true }
{{- end }}
{{- if $v.clickhouse.caSecret.name }}
- { name: clickhouse-ca, mountPath: /etc/meshward/clickhouse-ca, readOnly: true }
{{- end }}
{{- end }}
{{- end -}}

{{- define "meshward.volumes" -}}
{{- $v := .root.Values -}}
- { name: config, configMap: { name: {{ .configMap }} } }
- { name: tmp, emptyDir: { sizeLimit: 128Mi } }
- { name: access, secret: { secretName: {{ $v.access.secret }}, defaultMode: 0440 } }
{{- if .user }}
{{- $user := index $v.kafka.users .user }}
{{- if $v.kafka.tls.caSecret.name }}
- { name: kafka-ca, secret: { secretName: {{ $v.kafka.tls.caSecret.name }}, defaultMode: 0440 } }
{{- end }}
{{- if $user.passwordSecret.name }}
- { name: kafka-user, secret: { secretName: {{ $user.passwordSecret.name }}, defaultMode: 0440 } }
{{- end }}
{{- if $user.certSecret.name }}
- { name: kafka-cert, secret: { secretName: {{ $user.certSecret.name }}, defaultMode: 0440 } }
{{- end }}
{{- end }}
{{- if .keys }}
- { name: keys, secret: { secretName: {{ index $v.keys (printf "%sSecret" .keys) }}, defaultMode: 0440 } }
{{- end }}
{{- if .clickhouse }}
{{- if $v.clickhouse.passwordSecret.name }}
- { name: clickhouse, secret: { secretName: {{ $v.clickhouse.passwordSecret.name }}, defaultMode: 0440 } }
{{- end }}
{{- if $v.clickhouse.caSecret.name }}
- { name: clickhouse-ca, secret: { secretName: {{ $v.clickhouse.caSecret.name }}, defaultMode: 0440 } }
{{- end }}
{{- end }}
{{- end -}}

{{- define "meshward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "meshward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Most pods that can be at work: one for each partition. */}}
{{- define "meshward.cap" -}}
{{- if eq .component "collector" -}}
{{- int .most -}}
{{- else -}}
{{- min (int .most) (int .root.Values.topics.shareEventsPartitions) -}}
{{- end -}}
{{- end -}}
