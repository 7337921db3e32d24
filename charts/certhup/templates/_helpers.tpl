{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "certhup.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "certhup.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "certhup.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "certhup.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The full name and what follows it, within 63 characters: {root, suffix} */ -}}
{{- define "certhup.nameWith" -}}
{{- $room := sub 62 (len .suffix) | int -}}
{{- printf "%s-%s" (include "certhup.fullname" .root | trunc $room | trimSuffix "-") .suffix -}}
{{- end -}}

{{- define "certhup.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "certhup.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* Never more than these: a DaemonSet's selector cannot be changed. */ -}}
{{- define "certhup.selectorLabels" -}}
app.kubernetes.io/name: {{ include "certhup.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "certhup.labels" -}}
helm.sh/chart: {{ include "certhup.chart" . }}
app.kubernetes.io/name: {{ include "certhup.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: certhup
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* name, labels and annotations of an object: {root, name, component, namespace, labels, annotations}; namespace "" for none */ -}}
{{- define "certhup.metadata" -}}
name: {{ .name }}
{{- with (hasKey . "namespace" | ternary .namespace (include "certhup.namespace" .root)) }}
namespace: {{ . }}
{{- end }}
labels:
  {{- include "certhup.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ default "agent" .component }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "certhup.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "certhup.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "certhup.image" -}}
{{- $i := .Values.image -}}
{{- with default $i.registry .Values.global.imageRegistry }}{{ . }}/{{ end -}}
{{- $i.repository -}}
{{- if or $i.tag (not $i.digest) }}:{{ default .Chart.AppVersion $i.tag }}{{ end -}}
{{- with $i.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- define "certhup.imagePullSecrets" -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets }}
- name: {{ kindIs "string" . | ternary . (get (kindIs "map" . | ternary . (dict)) "name") }}
{{- end }}
{{- end -}}

{{- /* The namespaces that Roles are made in, as a JSON list in alphabetical order. */ -}}
{{- define "certhup.namespaces" -}}
{{- concat .Values.rbac.namespaces (keys .Values.rbac.secretNames) | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- /* What the hand itself needs beside the pages that it writes: children, requests under way, kernel objects. */ -}}
{{- define "certhup.handMemory" -}}
{{- printf "%dMi" (add (int .Values.hand.budget.nodeMiB) 64) -}}
{{- end -}}

{{- define "certhup.eventRule" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- /* What no unprivileged container of ours does without. */ -}}
{{- define "certhup.restricted" -}}
runAsNonRoot: true
runAsUser: {{ int64 .Values.uid }}
runAsGroup: {{ int64 .Values.uid }}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}
