/* SPDX-License-Identifier: Apache-2.0 */
#include "command/command.h"
#include "command/directory.h"
#include "command/print.h"
#include "command/status.h"
#include "k8s/json.h"

#include "base/clock.h"
#include "cert/fingerprint.h"

#include <string.h>
#include <sys/stat.h>

struct settings {
	const char *config;
	const char *socket;
	int output;
};

static const struct option options[] = {
    OPTION_STATUS_SOCKET(struct settings, socket),
    OPTION_OUTPUT(struct settings, "text|json"),
    OPTION_CONFIG(struct settings),
};

#define ROWS (LIMIT_FILES + 1)

static int write_files(const struct directory *d, struct buf *b, struct err *e)
{
	const char *cells[ROWS][4] = {{"FILE", "MODE", "OWNER", "BYTES"}};
	char text[ROWS][3][32];

	for (size_t i = 0; i < d->entry_count; i++) {
		const struct volume_entry *entry = &d->entries[i];

		snprintf(text[i][0], sizeof(text[i][0]), "%04o", entry->mode & 07777);
		snprintf(text[i][1], sizeof(text[i][1]), "%u:%u", entry->uid, entry->gid);
		snprintf(text[i][2], sizeof(text[i][2]), "%llu", (unsigned long long)entry->size);
		cells[i + 1][0] = entry->name;
		for (size_t c = 0; c < 3; c++)
			cells[i + 1][c + 1] = text[i][c];
	}
	return print_table(b, cells[0], 4, d->entry_count + 1, e);
}

static int write_leaf(const char *file, const struct gate_leaf *leaf, struct buf *b, struct err *e)
{
	char hex[FINGERPRINT_HEX];
	char before[PRINT_WHEN];
	char after[PRINT_WHEN];
	char chain[32];
	int64_t now_s = clock_wall_ms(clock_system()) / 1000;

	fingerprint_hex(&leaf->leaf, hex);
	print_when(leaf->not_before_s, now_s, before);
	print_when(leaf->not_after_s, now_s, after);
	snprintf(chain, sizeof(chain), "%u certificates", leaf->chain_len);
	if (buf_add_str(b, "\n", e) < 0 || print_field(b, "Certificate", file, e) < 0 ||
	    print_field(b, "Subject", leaf->subject, e) < 0 ||
	    print_field(b, "Issuer", leaf->issuer, e) < 0 ||
	    print_field(b, "SANs", leaf->sans, e) < 0 ||
	    print_field(b, "Serial", leaf->serial, e) < 0 ||
	    print_field(b, "Key", leaf->key, e) < 0 || print_field(b, "SHA-256", hex, e) < 0 ||
	    print_field(b, "Not before", before, e) < 0 ||
	    print_field(b, "Not after", after, e) < 0)
		return -1;
	return print_field(b, "Chain", chain, e);
}

/* Writes each file's leaf; files without a certificate have none. */
static int each_leaf(const struct directory *d,
		     int (*on_leaf)(const char *file, const struct gate_leaf *leaf, void *to,
				    struct err *e),
		     void *to, struct err *e)
{
	for (size_t i = 0; i < d->files.count; i++) {
		const struct content_file *f = &d->files.files[i];
		struct gate_leaf leaf = {0};
		struct err none;

		if (gate_read_leaf(f->bytes.data, f->bytes.len, &leaf, &none) == 0 &&
		    on_leaf(f->name, &leaf, to, e) < 0)
			return -1;
	}
	return 0;
}

static int leaf_to_text(const char *file, const struct gate_leaf *leaf, void *to, struct err *e)
{
	return write_leaf(file, leaf, to, e);
}

static int write_text(const char *path, struct directory *d, struct buf *b, struct err *e)
{
	char hex[FINGERPRINT_HEX];
	struct fingerprint content;

	if (cert_content_fingerprint(&d->files, &content, e) < 0)
		return -1;
	fingerprint_hex(&content, hex);
	if (print_field(b, "Directory", path, e) < 0 ||
	    print_field(b, "Generation", d->generation, e) < 0 ||
	    print_field(b, "Content", hex, e) < 0 || buf_add_str(b, "\n", e) < 0 ||
	    write_files(d, b, e) < 0)
		return -1;
	return each_leaf(d, leaf_to_text, b, e);
}

static int leaf_to_json(const char *file, const struct gate_leaf *leaf, void *to, struct err *e)
{
	struct json *j = json_new_object();
	char hex[FINGERPRINT_HEX];
	char before[CLOCK_TEXT];
	char after[CLOCK_TEXT];

	fingerprint_hex(&leaf->leaf, hex);
	clock_text_s(leaf->not_before_s * 1000, before);
	clock_text_s(leaf->not_after_s * 1000, after);
	if (!j || json_set_string(j, "file", file) < 0 ||
	    json_set_string(j, "subject", leaf->subject) < 0 ||
	    json_set_string(j, "issuer", leaf->issuer) < 0 ||
	    json_set_string(j, "sans", leaf->sans) < 0 ||
	    json_set_string(j, "serial", leaf->serial) < 0 ||
	    json_set_string(j, "key", leaf->key) < 0 ||
	    json_set_string(j, "fingerprint", hex) < 0 ||
	    json_set_string(j, "notBefore", before) < 0 ||
	    json_set_string(j, "notAfter", after) < 0 ||
	    json_set_int(j, "chain", leaf->chain_len) < 0) {
		json_free(j);
		return err_set(e, ERR_EXHAUSTED, "no memory");
	}
	return json_append(to, j) < 0 ? err_set(e, ERR_EXHAUSTED, "no memory") : 0;
}

static int file_to_json(const struct volume_entry *entry, struct json *files)
{
	struct json *j = json_new_object();
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", entry->mode & 07777);
	if (!j || json_set_string(j, "name", entry->name) < 0 ||
	    json_set_string(j, "mode", mode) < 0 || json_set_int(j, "uid", entry->uid) < 0 ||
	    json_set_int(j, "gid", entry->gid) < 0 ||
	    json_set_int(j, "bytes", (int64_t)entry->size) < 0) {
		json_free(j);
		return -1;
	}
	return json_append(files, j);
}

static int write_json(const char *path, struct directory *d, struct buf *b, struct err *e)
{
	_cleanup_json_ struct json *j = json_new_object();
	_cleanup_json_ struct json *files = json_new_array();
	_cleanup_json_ struct json *leaves = json_new_array();
	struct fingerprint content;
	char hex[FINGERPRINT_HEX];
	int r = 0;

	if (cert_content_fingerprint(&d->files, &content, e) < 0)
		return -1;
	fingerprint_hex(&content, hex);
	if (!j || !files || !leaves)
		return err_set(e, ERR_EXHAUSTED, "no memory");
	for (size_t i = 0; i < d->entry_count && r == 0; i++)
		r = file_to_json(&d->entries[i], files);
	if (r == 0 && each_leaf(d, leaf_to_json, leaves, e) < 0)
		return -1;
	if (r < 0 || json_set_string(j, "directory", path) < 0 ||
	    json_set_string(j, "generation", *d->generation ? d->generation : NULL) < 0 ||
	    json_set_string(j, "content", hex) < 0 || json_set(j, "files", TAKE(files)) < 0 ||
	    json_set(j, "certificates", TAKE(leaves)) < 0)
		return err_set(e, ERR_EXHAUSTED, "no memory");
	if (json_write(j, true, b, e) < 0)
		return -1;
	return buf_add_str(b, "\n", e);
}

static int inspect_directory(const struct settings *s, const char *path)
{
	_cleanup_directory_ struct directory d = {0};
	_cleanup_buf_ struct buf b;
	struct err e = {0};

	buf_init(&b, MIB);
	if (directory_read(path, &d, &e) < 0)
		return complain(&e, CODE_FAILURE);
	return print_end(s->output ? write_json(path, &d, &b, &e) : write_text(path, &d, &b, &e),
			 &b, CODE_DONE, &e);
}

static int run(void *settings, const struct arguments *arguments)
{
	const struct settings *s = settings;
	const char *what = arguments->operands[0];
	struct stat st;

	if (what[0] == '.' || what[0] == '/' || (stat(what, &st) == 0 && S_ISDIR(st.st_mode)))
		return inspect_directory(s, what);
	return status_pod(s->socket, what, s->output);
}

const struct command command_inspect = {
    .name = "inspect",
    .summary = "Show what is in a directory, or what a pod of this node has.",
    .about = "A word that is a directory, or begins with / or ., is a directory: its files and "
	     "certificates\nare shown, and never a byte of a key. Any other is a pod, as POD or "
	     "NAMESPACE/POD: what the\nnode agent knows of its volumes is shown.",
    .operands = "DIR|POD",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "# The files of a volume, from inside its pod\n"
		"certhup inspect /tls\n"
		"# All volumes of a pod, on its node\n"
		"certhup inspect shop/web-0 -o json\n",
    .exits = "0 1 2",
    .run = run,
    .settings_size = sizeof(struct settings),
};
