/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fuzz_gate.h"

#include "cert/gate.h"

#include <string.h>

#include <openssl/evp.h>

#define FUZZ_DER 1
#define FUZZ_EC 2 /* the key is SEC1; else PKCS#8, or with FUZZ_RSA PKCS#1 */
#define FUZZ_RSA 4
#define FUZZ_TEMPORARY 8
#define FUZZ_CA 16
#define FUZZ_POLICY 32

#define NOW_MS (INT64_C(1800000000) * 1000)

static const char separator[] = "|||\n";

/* Shows in the report of a crash which one it was. */
#define check(ok)                                                                                  \
	do {                                                                                       \
		if (!(ok)) {                                                                       \
			fprintf(stderr, "line %d: %s\n", __LINE__, #ok);                           \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void add_if_room(struct content *c, const char *file, const void *bytes, size_t len)
{
	struct err e;

	if (content_add(c, file, bytes, len, &e) < 0)
		err_clear(&e);
}

static void add_block(struct content *c, const char *file, const char *label, const uint8_t *der,
		      size_t len)
{
	size_t room = 2 * len + 512;
	char *text = malloc(room);
	EVP_ENCODE_CTX *base64 = EVP_ENCODE_CTX_new();
	int n;
	int added = 0;

	check(text && base64);
	n = snprintf(text, room, "-----BEGIN %s-----\n", label);
	EVP_EncodeInit(base64);
	check(len == 0 || EVP_EncodeUpdate(base64, (uint8_t *)text + n, &added, der, (int)len));
	n += added;
	EVP_EncodeFinal(base64, (uint8_t *)text + n, &added);
	n += added;
	n += snprintf(text + n, room - (size_t)n, "-----END %s-----\n", label);
	add_if_room(c, file, text, (size_t)n);
	EVP_ENCODE_CTX_free(base64);
	free(text);
}

static void add(struct content *c, unsigned part, unsigned flags, const uint8_t *data, size_t len)
{
	static const char *const files[] = {"tls.crt", "tls.key", "ca.crt"};
	const char *label = part != 1          ? "CERTIFICATE"
			    : flags & FUZZ_EC  ? "EC PRIVATE KEY"
			    : flags & FUZZ_RSA ? "RSA PRIVATE KEY"
					       : "PRIVATE KEY";

	if (flags & FUZZ_DER)
		add_block(c, files[part], label, data, len);
	else
		add_if_room(c, files[part], data, len);
}

static void fill(struct content *c, unsigned flags, const uint8_t *data, size_t len)
{
	for (unsigned part = 0; part < 3; part++) {
		const uint8_t *end = memmem(data, len, separator, sizeof(separator) - 1);
		size_t n = end ? (size_t)(end - data) : len;

		add(c, part, flags, data, n);
		if (!end)
			return;
		data += n + sizeof(separator) - 1;
		len -= n + sizeof(separator) - 1;
	}
}

/* What is shown to people is printable ASCII. */
static void check_text(const char *text, size_t size)
{
	check(strnlen(text, size) < size);
	for (; *text; text++)
		check(*text >= ' ' && *text <= '~');
}

static void check_verdict(const struct gate_verdict *v)
{
	check(v->reason < REASONS_COUNT);
	check((v->reason == REASON_NONE) == (v->detail[0] == '\0'));
	check_text(v->detail, sizeof(v->detail));
	check_text(v->leaf.serial, sizeof(v->leaf.serial));
	check_text(v->leaf.subject, sizeof(v->leaf.subject));
	check_text(v->leaf.issuer, sizeof(v->leaf.issuer));
	check_text(v->leaf.sans, sizeof(v->leaf.sans));
	check_text(v->leaf.key, sizeof(v->leaf.key));
	if (v->reason == REASON_NONE)
		check(fingerprint_is_set(&v->leaf.leaf) && v->leaf.chain_len > 0);
}

/* A pair that is taken has a key that can be written anew. */
static void check_pkcs8(struct gate *gate, const struct content *c)
{
	_cleanup_secret_ struct secret pkcs8 = {0};
	struct err e;

	check(gate_pkcs8(gate, &content_find(c, "tls.key")->bytes, &pkcs8, &e) == 0);
}

/* Made once: a new one costs a millisecond for each kind of key. */
static struct gate *gate_with(bool with_policy)
{
	static const char *const suffixes[] = {"example", NULL};
	static const struct gate_policy policies[] = {
	    {.min_rsa_bits = 0}, {.san_suffixes = suffixes, .issuer = "CN=x", .deny_sha1 = true}};
	static struct gate *gates[ARRAY_LEN(policies)];
	struct err e;

	if (!gates[with_policy])
		check(gate_new(&policies[with_policy], &gates[with_policy], &e) == 0);
	return gates[with_policy];
}

int fuzz_gate(const uint8_t *data, size_t len)
{
	struct gate_context context = {.wall_ms = NOW_MS};
	_cleanup_content_ struct content c = {0};
	struct gate_verdict v;
	struct gate *gate;
	struct err e;

	if (len == 0)
		return 0;
	context.temporary = data[0] & FUZZ_TEMPORARY;
	context.allow_ca = data[0] & FUZZ_CA;
	gate = gate_with(data[0] & FUZZ_POLICY);
	fill(&c, data[0], data + 1, len - 1);
	check(gate_judge(gate, &c, &context, &v, &e) == 0);
	check_verdict(&v);
	if (v.reason == REASON_NONE)
		check_pkcs8(gate, &c);
	return 0;
}
