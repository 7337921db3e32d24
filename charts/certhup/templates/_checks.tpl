{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- /* What the schema cannot say. Each sentence says what to do. */ -}}
{{- define "certhup.checks" -}}
{{- $v := .Values -}}
{{- if $v.csi.enabled -}}
{{- fail "csi.enabled: this version of certhup has no CSI driver yet: set csi.enabled=false and use annotated emptyDirs" -}}
{{- end -}}
{{- if not $v.emptydir.enabled -}}
{{- fail "emptydir.enabled: nothing would be delivered, because annotated emptyDirs are the only way in of this version: set emptydir.enabled=true" -}}
{{- end -}}
{{- if and (eq $v.rbac.scope "cluster") (or $v.rbac.namespaces $v.rbac.secretNames) -}}
{{- fail "rbac.scope=cluster opens every Secret, so rbac.namespaces and rbac.secretNames would narrow nothing: leave them empty, or set rbac.scope=namespaces" -}}
{{- end -}}
{{- if and (eq $v.rbac.scope "cluster") (eq $v.rbac.events "namespaces") -}}
{{- fail "rbac.events=namespaces needs rbac.scope=namespaces: set rbac.events to cluster or none" -}}
{{- end -}}
{{- if gt (int $v.hand.budget.namespaceMiB) (int $v.hand.budget.nodeMiB) -}}
{{- fail "hand.budget.namespaceMiB is more than hand.budget.nodeMiB: raise the node's, or lower the namespace's" -}}
{{- end -}}
{{- $uid := int64 $v.uid -}}
{{- if or (and (ge $uid 1000) (le $uid 9999)) (eq $uid 65532) (eq $uid 65534) -}}
{{- fail (printf "uid=%d is one that workloads have, and with hostPID processes of one user can read and end each other: take another than 1000 to 9999, 65532 and 65534" $uid) -}}
{{- end -}}
{{- if and (hasKey $v.securityContext "runAsUser") (ne (int64 $v.securityContext.runAsUser) $uid) -}}
{{- fail (printf "securityContext.runAsUser is not uid, which is %d: the hand lets in that user alone. Set uid instead" $uid) -}}
{{- end -}}
{{- if eq (toString $v.hostUsers) "false" -}}
{{- fail "hostUsers=false: in a user namespace of its own the hand may not touch the files of other pods: leave hostUsers empty" -}}
{{- end -}}
{{- if and $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor and metrics.podMonitor are both enabled, so everything would be counted twice: choose one" -}}
{{- end -}}
{{- if and (not $v.metrics.enabled) (or $v.metrics.serviceMonitor.enabled $v.metrics.podMonitor.enabled) -}}
{{- fail "metrics.enabled=false leaves nothing to scrape: set it to true, or switch the monitor off" -}}
{{- end -}}
{{- if and $v.image.tag (contains "@" $v.image.tag) -}}
{{- fail "image.tag holds a digest: put it into image.digest" -}}
{{- end -}}
{{- end -}}
