{{- define "observers.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* With room for -migrate. */}}
{{- define "observers.fullname" -}}
{{- $name := include "observers.name" . }}
{{- $full := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) }}
{{- $full | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* Of all pods of a release: those of the service and those of the migration. */}}
{{- define "observers.releaseLabels" -}}
app.kubernetes.io/name: {{ include "observers.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The component keeps the pods of the migration out of Service, Deployment and PodDisruptionBudget. */}}
{{- define "observers.selectorLabels" -}}
{{ include "observers.releaseLabels" . }}
app.kubernetes.io/component: service
{{- end }}

{{/* Of objects; they have no component. */}}
{{- define "observers.labels" -}}
{{ include "observers.releaseLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "observers.image" -}}
{{- with .Values.image -}}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "observers.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "observers.fullname" .) "default") }}
{{- end }}

{{- define "observers.configMapName" -}}
{{- .Values.existingConfigMap | default (include "observers.fullname" .) }}
{{- end }}

{{/* Without one nothing is observed, and NOTES says so: the chart can be looked at, and installed before there is a file. */}}
{{- define "observers.file" -}}
{{- .Values.observersFile | default "version: 1\nobservers: []\n" }}
{{- end }}

{{/* Settings, variables for the observers file, and what comes out of Secrets. Takes { Values, secretEnv }. */}}
{{- define "observers.env" -}}
{{- range $name, $value := .Values.settings }}
{{- /* Helm reads numbers as floating point, and would write 1000000 as 1e+06. */}}
{{- $whole := and (kindIs "float64" $value) (eq (float64 $value) (float64 (int64 $value))) }}
- { name: {{ $name | quote }}, value: {{ $whole | ternary (int64 $value) $value | toString | quote }} }
{{- end }}
{{- range $name, $value := .Values.env }}
- { name: {{ $name | quote }}, value: {{ $value | quote }} }
{{- end }}
{{- range $name, $ref := .secretEnv }}
- { name: {{ $name | quote }}, valueFrom: { secretKeyRef: { name: {{ $ref.name | quote }}, key: {{ $ref.key | quote }} } } }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "observers.volumeMounts" -}}
{{- range $i, $mount := .Values.mounts }}
- { name: mount-{{ $i }}, mountPath: {{ $mount.path | quote }}, readOnly: true }
{{- end }}
{{- end }}

{{- define "observers.volumes" -}}
{{- range $i, $mount := .Values.mounts }}
{{- if $mount.secret }}
- { name: mount-{{ $i }}, secret: { secretName: {{ $mount.secret | quote }} } }
{{- else }}
- { name: mount-{{ $i }}, configMap: { name: {{ $mount.configMap | quote }} } }
{{- end }}
{{- end }}
{{- end }}

{{/* Of every pod. */}}
{{- define "observers.pod" -}}
automountServiceAccountToken: false
# Service links of a Service named observers would be OBSERVERS_PORT=tcp://…, which the service refuses.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.uid }}
  runAsGroup: {{ int64 .Values.uid }}
  {{- with .Values.fsGroup }}
  fsGroup: {{ int64 . }}
  {{- end }}
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Of every container. */}}
{{- define "observers.container" -}}
image: {{ include "observers.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- with .Values.envFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the schema cannot say, or not in words. */}}
{{- define "observers.check" -}}
{{- if and .Values.observersFile .Values.existingConfigMap }}
{{- fail "observersFile and existingConfigMap: give one of them" }}
{{- end }}
{{- if and .Values.existingConfigMap (eq .Values.reload "restart") }}
{{- fail "reload: restart works with observersFile only: the chart does not see when a ConfigMap of yours changes. Use reload: watch" }}
{{- end }}
{{- $extra := list }}
{{- range .Values.extraEnv }}
{{- if has .name $extra }}
{{- fail (printf "%s stands twice in extraEnv" .name) }}
{{- end }}
{{- $extra = append $extra .name }}
{{- end }}
{{- range $name := concat (keys .Values.env) (keys .Values.secretEnv) (keys .Values.settings) $extra }}
{{- $places := list (hasKey $.Values.settings $name | ternary "settings" "") (hasKey $.Values.env $name | ternary "env" "") (hasKey $.Values.secretEnv $name | ternary "secretEnv" "") (has $name $extra | ternary "extraEnv" "") | compact }}
{{- if gt (len $places) 1 }}
{{- fail (printf "%s stands in %s" $name (join " and in " $places)) }}
{{- end }}
{{- end }}
{{- range .Values.sidecars }}
{{- if eq .name "observers" }}
{{- fail "sidecars: observers is the name of the container of the service" }}
{{- end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress: which hosts? ingress.hosts" }}
{{- end }}
{{- if and (eq .Values.capture "apply") (not .Values.migration.enabled) }}
{{- fail "capture: apply is done by the migration job: set migration.enabled" }}
{{- end }}
{{- end }}
