/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The flags that init and sidecar share, and what both make of them. */

#include "command/delivery.h"
#include "command/options.h"
#include "command/words.h"

struct pod_settings {
	const char *config;
	int log_level, log_format;
	const char *kubeconfig;
	const char *context;
	const char *namespace_;
	const char *secret;
	const char *dir;
	const char *subdir;
	uint32_t file_mode;
	const char *items;
	const char *bundle;
	const char *combined;
	const char *hand;
	const char *termination_log;

	/* No flags. */
	bool pod_processes; /* see struct delivery_options */
	int termination_fd; /* opened before the sandbox; -1: none */
};

#define POD_TEXT(s, flag, member, called, text, ...)                                               \
	{                                                                                          \
		.name = (flag), .type = OPTION_TEXT, .at = offsetof(s, pod.member),                \
		.value = (called), .help = (text), __VA_ARGS__                                     \
	}

/* Rows of the table of a command whose settings s have a member pod. */
#define POD_OPTIONS(s)                                                                             \
	POD_TEXT(s, "secret", secret, "NAME", "Secret to deliver"),                                \
	    POD_TEXT(s, "namespace", namespace_, "NAME",                                           \
		     "Its namespace; that of the pod, or of the kubeconfig's context",             \
		     .letter = 'n', .accepts = word_is_name, .right = WORD_NAME_RIGHT),            \
	    POD_TEXT(s, "dir", dir, "DIR", "Directory that the pod's containers share"),           \
	    POD_TEXT(s, "subdir", subdir, "NAME",                                                  \
		     "Directory made below it, which readers open; \".\" for none",                \
		     .otherwise = "certhup", .accepts = word_is_subdir,                            \
		     .right = WORD_SUBDIR_RIGHT),                                                  \
	    {.name = "file-mode",                                                                  \
	     .type = OPTION_MODE,                                                                  \
	     .at = offsetof(s, pod.file_mode),                                                     \
	     .value = "MODE",                                                                      \
	     .help = "Mode of the files; 0440 where DIR is setgid (fsGroup), else 0444"},          \
	    POD_TEXT(s, "items", items, "LIST",                                                    \
		     "Keys to deliver and their names, as tls.crt=cert.pem,tls.key=key.pem; all"), \
	    POD_TEXT(s, "bundle", bundle, "NAME",                                                  \
		     "One file more: the key as PKCS#8, then the chain"),                          \
	    POD_TEXT(s, "combined", combined, "NAME",                                              \
		     "One file more: the key as stored, a newline, then the chain"),               \
	    POD_TEXT(s, "kubeconfig", kubeconfig, "FILE",                                          \
		     "Where the API server is; in a pod its ServiceAccount is used"),              \
	    POD_TEXT(s, "context", context, "NAME", "Context of the kubeconfig"),                  \
	    POD_TEXT(s, "hand", hand, "PROGRAM",                                                   \
		     "The program that writes; certhup-hand beside this one"),                     \
	    POD_TEXT(s, "termination-log", termination_log, "FILE",                                \
		     "Where the last sentence goes, for kubectl describe, when it exists",         \
		     .otherwise = "/dev/termination-log"),                                         \
	    {.name = "log-level",                                                                  \
	     .type = OPTION_CHOICE,                                                                \
	     .at = offsetof(s, pod.log_level),                                                     \
	     .value = "LEVEL",                                                                     \
	     .choices = LOG_LEVEL_CHOICES,                                                         \
	     .otherwise = "info",                                                                  \
	     .help = "Least important lines that are logged"},                                     \
	    {.name = "log-format",                                                                 \
	     .type = OPTION_CHOICE,                                                                \
	     .at = offsetof(s, pod.log_format),                                                    \
	     .value = "FORMAT",                                                                    \
	     .choices = LOG_FORMAT_CHOICES,                                                        \
	     .otherwise = "json",                                                                  \
	     .help = "Form of the log on standard error"},                                         \
	    POD_TEXT(s, "config", config, "FILE", "File with lines \"flag = value\"")

#define POD_OPTION_TIMEOUT(s, otherwise_)                                                          \
	{                                                                                          \
		.name = "timeout", .type = OPTION_DURATION, .at = offsetof(s, timeout_ms),         \
		.value = "DURATION", .otherwise = (otherwise_), .max = LIMIT_DURATION_MS,          \
		.help = "How long to wait for the first pair; 0: for ever"                         \
	}

/* Logs as the flags say, from now on. */
void pod_begin(struct pod_settings *s);

/* The flag --KEY is an attribute of a volume. Errors: INVALID, naming the flag. */
int pod_attribute(struct attributes *a, const char *key, const char *value,
		  struct err *e) _must_check_;

/* The attributes that the flags mean, not finished yet. Errors: INVALID, naming the flag. */
int pod_attributes(const struct pod_settings *s, struct attributes *ret,
		   struct err *e) _must_check_;

/* Starts the delivery that the flags ask for. attributes are finished. */
int pod_deliver(const struct pod_settings *s, const struct attributes *attributes,
		struct loop *loop, const struct delivery_events *events, struct delivery **ret,
		struct err *e) _must_check_;

/* The last sentence: in the log and for kubectl describe. Returns code. */
int pod_end(const struct pod_settings *s, const struct err *e, int code);
