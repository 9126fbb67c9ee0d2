{{/*
A service with replicas: Deployment, disruption budget and scaling; (dict "root" $ "component" "collector" "keys" "collector" "ports" list "probe" "ops").
Analyzers and repairers are replaced one by one with none beside them: a pod beyond the partitions would never be ready.
*/}}
{{- define "meshward.workload" -}}
{{- $v := .root.Values -}}
{{- $own := index $v .component -}}
{{- $name := printf "%s-%s" (include "meshward.fullname" .root) .component -}}
{{- $ofPartitions := ne .component "collector" -}}
{{- if and $ofPartitions (eq $own.scaling.kind "none") (gt (int $own.replicas) (int $v.topics.shareEventsPartitions)) -}}
{{- fail (printf "%s.replicas is more than topics.shareEventsPartitions: the pods beyond it would have nothing to do, and never be ready" .component) -}}
{{- end -}}
{{- if and (not $ofPartitions) (eq $own.scaling.kind "keda") -}}
{{- fail "collector.scaling.kind keda: collectors read nothing from the log, so there is no lag to scale by; use hpa" -}}
{{- end -}}
{{- if le (int $v.shutdown.graceSeconds) (add (int $v.shutdown.lingerSeconds) (int $v.shutdown.timeoutSeconds)) -}}
{{- fail "shutdown.graceSeconds must be more than lingerSeconds and timeoutSeconds together: pods would be killed while they hand over" -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels:
    {{- include "meshward.labels" . | nindent 4 }}
spec:
  {{- if eq $own.scaling.kind "none" }}
  replicas: {{ $own.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: {{ ternary "{ maxSurge: 0, maxUnavailable: 1 }" "{ maxSurge: 1, maxUnavailable: 0 }" $ofPartitions }}
  selector:
    matchLabels:
      {{- include "meshward.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "meshward.labels" . | nindent 8 }}
        {{- with $own.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ include "meshward.config" .root | sha256sum }}
        {{- with $own.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "meshward.serviceAccount" .root }}
      automountServiceAccountToken: false
      # Variables of services would be taken for keys of the configuration.
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ $v.shutdown.graceSeconds }}
      {{- with $own.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $v.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "meshward.podSecurity" . | nindent 8 }}
      topologySpreadConstraints:
        {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "meshward.selector" $ | nindent 14 }}
        {{- end }}
      affinity:
        {{- if $own.affinity }}
        {{- toYaml $own.affinity | nindent 8 }}
        {{- else }}
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector:
                  matchLabels:
                    {{- include "meshward.selector" . | nindent 20 }}
        {{- end }}
      {{- with $own.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $own.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "meshward.image" .root }}
          imagePullPolicy: {{ $v.image.pullPolicy }}
          args: [{{ .component }}]
          env:
            {{- include "meshward.env" . | nindent 12 }}
            {{- with $own.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            {{- range .ports }}
            - { name: {{ .name }}, containerPort: {{ .port }}, protocol: TCP }
            {{- end }}
          # Kafka and ClickHouse are waited for before a service listens.
          startupProbe:
            httpGet: { path: /livez, port: {{ .probe }} }
            periodSeconds: 5
            failureThreshold: 120
          livenessProbe:
            httpGet: { path: /livez, port: {{ .probe }} }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /readyz, port: {{ .probe }} }
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          resources:
            {{- toYaml $own.resources | nindent 12 }}
          securityContext:
            {{- include "meshward.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "meshward.mounts" . | nindent 12 }}
      volumes:
        {{- include "meshward.volumes" (merge (dict "configMap" (include "meshward.fullname" .root)) .) | nindent 8 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels:
    {{- include "meshward.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $own.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "meshward.selector" . | nindent 6 }}
{{- if eq $own.scaling.kind "hpa" }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels:
    {{- include "meshward.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $name }} }
  minReplicas: {{ include "meshward.cap" (merge (dict "most" $own.scaling.minReplicas) .) }}
  maxReplicas: {{ include "meshward.cap" (merge (dict "most" $own.scaling.maxReplicas) .) }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ $own.scaling.targetCPUUtilizationPercentage }} }
  # Each change moves partitions: wait before the next.
  behavior:
    scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: Pods, value: 2, periodSeconds: 60 }] }
    scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: Pods, value: 1, periodSeconds: 120 }] }
{{- else if eq $own.scaling.kind "keda" }}
---
{{ include "meshward.keda" (merge (dict "name" $name "own" $own) .) }}
{{- end }}
{{- end -}}

{{/* Scaling by how far a consumer group is behind, never beyond the partitions. */}}
{{- define "meshward.keda" -}}
{{- $v := .root.Values -}}
{{- $user := index $v.kafka.users .component -}}
{{- $topic := ternary "share-events" "at-risk" (eq .component "analyzer") -}}
{{- $hasLogin := or (ne $v.kafka.sasl.mechanism "none") $v.kafka.tls.enabled -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  labels:
    {{- include "meshward.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { name: {{ .name }} }
  minReplicaCount: {{ include "meshward.cap" (merge (dict "most" .own.scaling.minReplicas) .) }}
  maxReplicaCount: {{ include "meshward.cap" (merge (dict "most" .own.scaling.maxReplicas) .) }}
  cooldownPeriod: 600
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp: { stabilizationWindowSeconds: 60, policies: [{ type: Pods, value: 2, periodSeconds: 60 }] }
        scaleDown: { stabilizationWindowSeconds: 600, policies: [{ type: Pods, value: 1, periodSeconds: 120 }] }
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: {{ join "," $v.kafka.brokers | quote }}
        consumerGroup: {{ printf "%s%ss" $v.topics.prefix .component | quote }}
        topic: {{ printf "%s%s" $v.topics.prefix $topic | quote }}
        lagThreshold: {{ .own.scaling.lagThreshold | quote }}
        allowIdleConsumers: "false"
        sasl: {{ ternary "none" (replace "-" "_" $v.kafka.sasl.mechanism | replace "plain" "plaintext" | replace "scram_sha_" "scram_sha") (eq $v.kafka.sasl.mechanism "none") | quote }}
        tls: {{ ternary "enable" "disable" $v.kafka.tls.enabled | quote }}
      {{- if $hasLogin }}
      authenticationRef: { name: {{ .name }} }
      {{- end }}
{{- if $hasLogin }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ .name }}
  labels:
    {{- include "meshward.labels" . | nindent 4 }}
spec:
  {{- if $user.username }}
  env:
    - { parameter: username, name: MESHWARD_KAFKA_SASL_USERNAME, containerName: {{ .component }} }
  {{- end }}
  secretTargetRef:
    {{- if $user.passwordSecret.name }}
    - { parameter: password, name: {{ $user.passwordSecret.name }}, key: {{ $user.passwordSecret.key }} }
    {{- end }}
    {{- if $v.kafka.tls.caSecret.name }}
    - { parameter: ca, name: {{ $v.kafka.tls.caSecret.name }}, key: {{ $v.kafka.tls.caSecret.key }} }
    {{- end }}
    {{- if $user.certSecret.name }}
    - { parameter: cert, name: {{ $user.certSecret.name }}, key: {{ $user.certSecret.certKey }} }
    - { parameter: key, name: {{ $user.certSecret.name }}, key: {{ $user.certSecret.keyKey }} }
    {{- end }}
{{- end }}
{{- end -}}
