/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/apiserver/resource.h"

#include <string.h>

static const char *const secret_fields[] = {"immutable", "data", "type", NULL};
static const char *const secret_labels[] = {"type", NULL};
static const char *const pod_fields[] = {"spec", "status", NULL};
static const char *const pod_labels[] = {
    "spec.nodeName", "spec.restartPolicy", "spec.schedulerName",       "spec.serviceAccountName",
    "status.phase",  "status.podIP",       "status.nominatedNodeName", NULL};
static const char *const configmap_fields[] = {"immutable", "data", "binaryData", NULL};
static const char *const account_fields[] = {"secrets", "imagePullSecrets",
					     "automountServiceAccountToken", NULL};
static const char *const spec_fields[] = {"spec", "status", NULL};
static const char *const no_labels[] = {NULL};

/* Events are stored as core/v1 writes them. */
static const char *const event_fields[] = {"involvedObject",
					   "reason",
					   "message",
					   "source",
					   "firstTimestamp",
					   "lastTimestamp",
					   "count",
					   "type",
					   "eventTime",
					   "series",
					   "action",
					   "related",
					   "reportingComponent",
					   "reportingInstance",
					   NULL};
static const char *const event_labels[] = {"involvedObject.kind",
					   "involvedObject.namespace",
					   "involvedObject.name",
					   "involvedObject.uid",
					   "reason",
					   "reportingComponent",
					   "type",
					   NULL};
static const char *const event_v1_labels[] = {
    "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
    "reason",         "reportingController", "type",           NULL};

static const struct resource resources[] = {
    {"", "v1", "secrets", "Secret", true, ROLE_STORED, secret_fields, secret_labels, NULL},
    {"", "v1", "pods", "Pod", true, ROLE_STORED, pod_fields, pod_labels,
     "{\"spec\":{\"containers\":null},\"status\":{}}"},
    {"", "v1", "events", "Event", true, ROLE_STORED, event_fields, event_labels, NULL},
    {"events.k8s.io", "v1", "events", "Event", true, ROLE_STORED, event_fields, event_v1_labels,
     NULL},
    {"", "v1", "configmaps", "ConfigMap", true, ROLE_STORED, configmap_fields, no_labels, NULL},
    {"", "v1", "namespaces", "Namespace", false, ROLE_STORED, spec_fields, no_labels,
     "{\"spec\":{},\"status\":{}}"},
    {"", "v1", "nodes", "Node", false, ROLE_STORED, spec_fields, no_labels,
     "{\"spec\":{},\"status\":{}}"},
    {"", "v1", "serviceaccounts", "ServiceAccount", true, ROLE_STORED, account_fields, no_labels,
     NULL},
    {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true,
     ROLE_REVIEW, spec_fields, no_labels, NULL},
    {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false,
     ROLE_REVIEW, spec_fields, no_labels, NULL},
    {"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false,
     ROLE_REVIEW, spec_fields, no_labels, NULL},
    {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false, ROLE_REVIEW, spec_fields,
     no_labels, NULL},
};

const struct resource *resource_find(const char *group, const char *version, const char *plural)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (!strcmp(resources[i].group, group) && !strcmp(resources[i].version, version) &&
		    !strcmp(resources[i].plural, plural))
			return &resources[i];
	return NULL;
}

bool resource_has_group(const char *group, const char *version)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (!strcmp(resources[i].group, group) && !strcmp(resources[i].version, version))
			return true;
	return false;
}

const struct resource *resource_of_kind(const char *api_version, const char *kind)
{
	char text[RESOURCE_API_VERSION];
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (!strcmp(resources[i].kind, kind) &&
		    !strcmp(resource_api_version(&resources[i], text), api_version))
			return &resources[i];
	return NULL;
}

const struct resource *resource_by_plural(const char *plural)
{
	for (size_t i = 0; i < ARRAY_LEN(resources); i++)
		if (!strcmp(resources[i].plural, plural))
			return &resources[i];
	return NULL;
}

bool resource_is_event(const struct resource *r)
{
	return !strcmp(r->plural, "events");
}

const char *resource_api_version(const struct resource *r,
				 char ret_text[static RESOURCE_API_VERSION])
{
	snprintf(ret_text, RESOURCE_API_VERSION, "%s%s%s", r->group, *r->group ? "/" : "",
		 r->version);
	return ret_text;
}
