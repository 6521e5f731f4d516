{{- define "tenants.fullname" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "tenants.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tenants.labels" -}}
{{ include "tenants.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tenants.image" -}}
{{- with .Values.manager.image -}}
{{ .registry }}/{{ .repository }}:{{ .tag | default (printf "v%s" $.Chart.AppVersion) }}
{{- end -}}
{{- end -}}

{{/* The kubectl of the cluster's own version: nobody may have published that yet. */}}
{{- define "tenants.kubectl" -}}
{{- $cluster := .Capabilities.KubeVersion -}}
{{- with .Values.jobs.image -}}
{{ .registry }}/{{ .repository }}:{{ .tag | default (printf "v%s.%s" $cluster.Major $cluster.Minor) }}
{{- end -}}
{{- end -}}
