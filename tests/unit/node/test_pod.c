/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pod's JSON to bindings and complaints.
 */

#include "node/container.h"
#include "node/pod.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define UID "\"uid\":\"6d1f0b9e-0000-4000-8000-000000000001\""
#define META(annotation)                                                                           \
	"\"metadata\":{\"namespace\":\"ns\",\"name\":\"web-0\"," UID                               \
	",\"annotations\":{\"certhup.io/volumes\":\"" annotation "\"}}"
#define MOUNT(name) "{\"name\":\"" name "\",\"volumeMounts\":[{\"name\":\"tls\"}]}"
#define VOLUMES                                                                                    \
	"\"volumes\":[{\"name\":\"tls\",\"emptyDir\":{\"medium\":\"Memory\"}},{\"name\":\"disk\"," \
	"\"emptyDir\":{}}]"
#define SPEC(more) "\"spec\":{" VOLUMES ",\"containers\":[" MOUNT("nginx") "]" more "}"
#define RUNNING                                                                                    \
	"\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.0.7\",\"podIPs\":[{\"ip\":\"10.0.0."   \
	"7\"},{\"ip\":\"fd00::7\"}],\"containerStatuses\":[{"                                      \
	"\"name\":\"nginx\","                                                                      \
	"\"containerID\":\"containerd://" ID "\",\"state\":{\"running\":{}}}]}"
#define ASK "{\\\"tls\\\":{\\\"secret\\\":\\\"web-tls\\\",\\\"reload\\\":\\\"signal:HUP\\\"}}"

static struct pod pod;

static void read_pod(const char *json)
{
	static const struct attributes_defaults defaults = {.settle_ms = -1};
	_cleanup_json_ struct json *j = NULL;
	struct err e;

	if (json_parse(json, strlen(json), &j, &e) < 0)
		fail_msg("%s", e.message);
	if (pod_read(j, &defaults, &pod, &e) < 0)
		fail_msg("%s", e.message);
}

static bool complains(enum event_reason reason, const char *words)
{
	for (size_t i = 0; i < pod.complaint_count; i++)
		if (pod.complaints[i].reason == reason && strstr(pod.complaints[i].text, words))
			return true;
	return false;
}

static void annotated_volume_becomes_a_binding(void **state _unused_)
{
	const struct binding_spec *s = &pod.specs[0];

	read_pod("{" META(ASK) "," SPEC(",\"serviceAccountName\":\"web\"") "," RUNNING "}");
	assert_int_equal(pod.count, 1);
	assert_int_equal(pod.complaint_count, 0);
	assert_string_equal(s->ref.pod_uid, "6d1f0b9e-0000-4000-8000-000000000001");
	assert_string_equal(s->ref.name, "tls");
	assert_string_equal(s->account, "web");
	assert_string_equal(s->address, "10.0.0.7");
	assert_string_equal(s->other_address, "fd00::7");
	assert_string_equal(s->container, "nginx");
	assert_string_equal(s->container_id, ID);
	assert_true(s->running);
	assert_string_equal(s->attributes.secret, "web-tls");
	assert_int_equal(s->attributes.signal, SIGHUP);
}

static void pod_without_annotation_wants_nothing(void **state _unused_)
{
	read_pod("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"web-0\"," UID
		 "}," SPEC("") "," RUNNING "}");
	assert_int_equal(pod.count, 0);
	assert_int_equal(pod.complaint_count, 0);
}

static void pod_whose_work_is_over_wants_nothing(void **state _unused_)
{
	read_pod("{" META(ASK) "," SPEC("") ",\"status\":{\"phase\":\"Succeeded\"}}");
	assert_int_equal(pod.count, 0);
	assert_true(pod.over);
	read_pod("{" META(ASK) "," SPEC("") "," RUNNING "}");
	assert_false(pod.over);
}

static void owner_follows_group_then_user_then_nobody(void **state _unused_)
{
	const struct binding_spec *s = &pod.specs[0];

	read_pod("{" META(ASK) "," SPEC(
	    ",\"securityContext\":{\"fsGroup\":2000,\"runAsUser\":1000}") "," RUNNING "}");
	assert_int_equal(s->owner.uid, 0);
	assert_int_equal(s->owner.gid, 2000);
	assert_int_equal(s->owner.mode, 0440);
	read_pod("{" META(ASK) "," SPEC(",\"securityContext\":{\"runAsUser\":1000}") "," RUNNING
										     "}");
	assert_int_equal(s->owner.uid, 1000);
	assert_int_equal(s->owner.mode, 0400);
	read_pod("{" META(ASK) "," SPEC("") "," RUNNING "}");
	assert_int_equal(s->owner.mode, 0444);
	assert_true(s->world_readable);
}

static void two_users_are_nobody(void **state _unused_)
{
	read_pod("{" META(ASK) ",\"spec\":{" VOLUMES
			       ",\"containers\":[{\"name\":\"a\",\"securityContext\":{"
			       "\"runAsUser\":1},\"volumeMounts\":[{\"name\":\"tls\"}]},"
			       "{\"name\":\"b\",\"securityContext\":{\"runAsUser\":2}}]}}");
	assert_int_equal(pod.specs[0].owner.mode, 0444);
}

static void asked_owner_and_mode_win(void **state _unused_)
{
	read_pod("{" META("{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"owner\\\":\\\"999:70\\\","
			  "\\\"mode\\\":\\\"0400\\\"}}") "," SPEC(",\"securityContext\":{"
								  "\"fsGroup\":2000}") "," RUNNING
										       "}");
	assert_int_equal(pod.specs[0].owner.uid, 999);
	assert_int_equal(pod.specs[0].owner.gid, 70);
	assert_int_equal(pod.specs[0].owner.mode, 0400);
}

static void volume_on_a_disk_is_refused(void **state _unused_)
{
	read_pod("{" META("{\\\"disk\\\":{\\\"secret\\\":\\\"s\\\"},\\\"tls\\\":{\\\"secret\\\":"
			  "\\\"s\\\"}}") "," SPEC("") "," RUNNING "}");
	assert_int_equal(pod.count, 1);
	assert_true(complains(EVENT_NOT_MEMORY_BACKED, "disk"));
}

static void unknown_volume_is_told_and_the_others_go_on(void **state _unused_)
{
	read_pod("{" META("{\\\"nope\\\":{\\\"secret\\\":\\\"s\\\"},\\\"tls\\\":{\\\"secret\\\":"
			  "\\\"s\\\"}}") "," SPEC("") "," RUNNING "}");
	assert_int_equal(pod.count, 1);
	assert_true(complains(EVENT_INVALID_ANNOTATION, "nope"));
}

static void E13_hostile_values_are_refused_by_key_with_what_is_allowed(void **state _unused_)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"../../etc\\\"}}", "secret"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"a\\\\nb\\\"}}", "secret"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"other/s\\\"}}", "secret"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"namespace\\\":\\\"other\\\"}}",
	     "own namespace"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"signal:9\\\"}}",
	     "signal:HUP"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"signal:KILL\\\"}}",
	     "signal:HUP"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"exec:rm -rf\\\"}}",
	     "not there yet"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"signal:HUP;$(id)\\\"}}",
	     "reload"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"items\\\":\\\"tls.crt=../../proc/1/"
	     "x\\\"}}",
	     "items"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"bundle\\\":\\\"..data\\\"}}", "bundle"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"probe\\\":\\\"tls:99999\\\"}}",
	     "tls:PORT"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"mode\\\":\\\"4755\\\"}}", "mode"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"mode\\\":\\\"0666\\\"}}", "0400, 0440"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"owner\\\":\\\"root\\\"}}", "in numbers"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"splay\\\":\\\"-5s\\\"}}", "duration"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"mode\\\":420}}", "not a string"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"bundel\\\":\\\"x\\\"}}",
	     "there are: secret"},
	    {"{\\\"tls\\\":{\\\"items\\\":\\\"a=b\\\"}}", "secret is required"},
	    {"{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"bundle\\\":\\\"x.pem\\\",\\\"combined\\\":"
	     "\\\"x.pem\\\"}}",
	     "two outputs"},
	    {"{\\\"tls\\\":\\\"web\\\"}", "not an object"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char json[4096];

		snprintf(json, sizeof(json), "{%s%s%s,%s,%s}",
			 "\"metadata\":{\"namespace\":\"ns\",\"name\":\"web-0\"," UID
			 ",\"annotations\":{\"certhup.io/volumes\":\"",
			 cases[i].json, "\"}}", SPEC(""), RUNNING);
		read_pod(json);
		assert_int_equal(pod.count, 0);
		if (!complains(EVENT_INVALID_ANNOTATION, cases[i].words))
			fail_msg("%s: %s", cases[i].json,
				 pod.complaint_count ? pod.complaints[0].text : "no complaint");
	}
}

static void E13_many_volumes_are_bounded(void **state _unused_)
{
	static char json[65536];
	size_t n = (size_t)snprintf(json, sizeof(json),
				    "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"w\"," UID
				    ",\"annotations\":{\"certhup.io/volumes\":\"{");

	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(json + n, sizeof(json) - n,
				      "%s\\\"v%d\\\":{\\\"secret\\\":\\\"s\\\"}", i ? "," : "", i);
	snprintf(json + n, sizeof(json) - n, "}\"}},%s}", SPEC(""));
	read_pod(json);
	assert_int_equal(pod.count, 0);
	assert_in_range(pod.complaint_count, 1, LIMIT_POD_COMPLAINTS);
}

static void annotation_that_is_no_json_is_told(void **state _unused_)
{
	read_pod("{" META("nginx: web-tls") "," SPEC("") "," RUNNING "}");
	assert_true(complains(EVENT_INVALID_ANNOTATION, "not a JSON object"));
}

static void several_containers_are_ambiguous_unless_one_is_named(void **state _unused_)
{
#define TWO                                                                                        \
	",\"spec\":{" VOLUMES ",\"containers\":[" MOUNT("nginx") "," MOUNT("side") "]}," RUNNING "}"
	read_pod("{" META(ASK) TWO);
	assert_int_equal(pod.count, 1);
	assert_string_equal(pod.specs[0].container, "");
	assert_true(complains(EVENT_CONTAINER_AMBIGUOUS, "tls"));
	read_pod("{" META("{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"signal:"
			  "HUP\\\",\\\"container\\\":\\\"nginx\\\"}}") TWO);
	assert_string_equal(pod.specs[0].container, "nginx");
	assert_int_equal(pod.complaint_count, 0);
	read_pod("{" META("{\\\"tls\\\":{\\\"secret\\\":\\\"s\\\",\\\"reload\\\":\\\"signal:"
			  "HUP\\\",\\\"container\\\":\\\"nope\\\"}}") TWO);
	assert_true(complains(EVENT_INVALID_ANNOTATION, "nope"));
	assert_string_equal(pod.specs[0].container, "");
}

static void sub_path_is_told(void **state _unused_)
{
	read_pod("{" META(ASK) ",\"spec\":{" VOLUMES
			       ",\"containers\":[{\"name\":\"nginx\",\"volumeMounts\":[{\"name\":"
			       "\"tls\",\"subPath\":\"tls.crt\"}]}]}," RUNNING "}");
	assert_true(complains(EVENT_SUBPATH_NEVER_UPDATES, "nginx"));
	assert_int_equal(pod.count, 1);
}

static void pending_pod_without_start_gate_is_told(void **state _unused_)
{
#define PENDING ",\"status\":{\"phase\":\"Pending\"}}"
	read_pod("{" META(ASK) "," SPEC("") PENDING);
	assert_true(complains(EVENT_NO_START_GATE, "--wait-for"));
	read_pod("{" META(ASK) "," SPEC(
	    ",\"initContainers\":[{\"name\":\"i\",\"args\":[\"init\",\"--wait-for\",\"/tls\"]}]")
		     PENDING);
	assert_int_equal(pod.complaint_count, 0);
	read_pod("{" META(ASK) "," SPEC(",\"initContainers\":[{\"name\":\"i\",\"command\":["
					"\"certhup\",\"init\",\"--wait-for=/tls\"]}]") PENDING);
	assert_int_equal(pod.complaint_count, 0);
}

/* Anybody who may make a pod may write its annotations: none of them says whose directory it is. */
static void E13_annotations_name_no_other_pods_directory(void **state _unused_)
{
	read_pod("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"s\"," UID
		 ",\"annotations\":{\"kubernetes.io/config.hash\":"
		 "\"11111111-0000-4000-8000-000000000002\",\"certhup.io/volumes\":\"" ASK
		 "\"}}," SPEC("") "," RUNNING "}");
	assert_int_equal(pod.count, 1);
	assert_string_equal(pod.specs[0].ref.pod_uid, "6d1f0b9e-0000-4000-8000-000000000001");
}

static void static_pod_is_told_that_it_has_no_right(void **state _unused_)
{
	read_pod("{\"metadata\":{\"namespace\":\"ns\",\"name\":\"s\"," UID
		 ",\"annotations\":{\"kubernetes.io/config.mirror\":"
		 "\"0123456789abcdef0123456789abcdef\",\"kubernetes.io/config.hash\":"
		 "\"0123456789abcdef0123456789abcdef\",\"certhup.io/volumes\":\"" ASK
		 "\"}}," SPEC("") "," RUNNING "}");
	assert_int_equal(pod.count, 0);
	assert_true(complains(EVENT_INVALID_ANNOTATION, "static pod"));
}

static void sidecar_container_counts_and_a_stopped_one_has_no_id(void **state _unused_)
{
	read_pod("{" META(ASK) ",\"spec\":{" VOLUMES
			       ",\"containers\":[{\"name\":\"app\"}],\"initContainers\":["
			       "{\"name\":\"proxy\",\"restartPolicy\":\"Always\",\"volumeMounts\":["
			       "{\"name\":\"tls\"}]}]},"
			       "\"status\":{\"phase\":\"Running\",\"initContainerStatuses\":[{"
			       "\"name\":\"proxy\",\"containerID\":"
			       "\"cri-o://" ID "\",\"state\":{\"waiting\":{}}}]}}");
	assert_string_equal(pod.specs[0].container, "proxy");
	assert_string_equal(pod.specs[0].container_id, "");
	assert_false(pod.specs[0].running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(annotated_volume_becomes_a_binding),
	    cmocka_unit_test(pod_without_annotation_wants_nothing),
	    cmocka_unit_test(pod_whose_work_is_over_wants_nothing),
	    cmocka_unit_test(owner_follows_group_then_user_then_nobody),
	    cmocka_unit_test(two_users_are_nobody),
	    cmocka_unit_test(asked_owner_and_mode_win),
	    cmocka_unit_test(volume_on_a_disk_is_refused),
	    cmocka_unit_test(unknown_volume_is_told_and_the_others_go_on),
	    cmocka_unit_test(E13_hostile_values_are_refused_by_key_with_what_is_allowed),
	    cmocka_unit_test(E13_many_volumes_are_bounded),
	    cmocka_unit_test(annotation_that_is_no_json_is_told),
	    cmocka_unit_test(several_containers_are_ambiguous_unless_one_is_named),
	    cmocka_unit_test(sub_path_is_told),
	    cmocka_unit_test(pending_pod_without_start_gate_is_told),
	    cmocka_unit_test(E13_annotations_name_no_other_pods_directory),
	    cmocka_unit_test(static_pod_is_told_that_it_has_no_right),
	    cmocka_unit_test(sidecar_container_counts_and_a_stopped_one_has_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
