/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and texts in all their forms, and what is made of them. */
#include "tests/unit/cert/judge.h"

static const enum pki_type supported[] = {PKI_P256,    PKI_P384,    PKI_P521,
					  PKI_ED25519, PKI_RSA2048, PKI_RSA3072};

static void C1_key_matches_leaf_only_if_it_is_its_own(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(supported[i], 0));

		for (size_t j = 0; j < ARRAY_LEN(supported); j++)
			for (unsigned n = 0; n < 2; n++) {
				_cleanup_free_ char *key =
				    pki_key_pem(pki_key(supported[j], n), PKI_PKCS8);
				bool own = i == j && n == 0;

				assert_reason(judge(crt, key, pki.root_pem),
					      own ? REASON_NONE : REASON_KEY_MISMATCH);
			}
	}
}

static void C1_private_part_belongs_to_the_public_one(void **state _unused_)
{
	static const enum pki_type types[] = {PKI_P256, PKI_RSA2048};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		EVP_PKEY *stolen = pki_stolen_key(pki_key(types[i], 2), pki_key(types[i], 3));
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(types[i], 2));
		_cleanup_free_ char *key = pki_key_pem(stolen, PKI_PKCS8);

		assert_reason(judge(crt, key, NULL), REASON_BAD_KEY);
		EVP_PKEY_free(stolen);
	}
}

static void C2_every_form_of_a_key_is_taken_unless_encrypted(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		EVP_PKEY *key = pki_key(supported[i], 0);
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, key);

		for (int form = 0; form < PKI_FORMS; form++) {
			bool traditional =
			    form == PKI_TRADITIONAL || form == PKI_TRADITIONAL_ENCRYPTED;
			bool plain = form == PKI_PKCS8 || form == PKI_TRADITIONAL;
			_cleanup_free_ char *pem = NULL;

			if (traditional && supported[i] == PKI_ED25519)
				continue;
			pem = pki_key_pem(key, (enum pki_form)form);
			assert_reason(judge(crt, pem, NULL), plain ? REASON_NONE : REASON_BAD_KEY);
		}
	}
}

static void C2_keys_that_servers_do_not_take_are_refused(void **state _unused_)
{
	static const enum pki_type types[] = {PKI_SECP256K1, PKI_BRAINPOOL256, PKI_ED448, PKI_DSA,
					      PKI_RSA_PSS};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		_cleanup_free_ char *crt = issue(&(struct pki_cert){0}, pki_key(types[i], 0));
		_cleanup_free_ char *key = pki_key_pem(pki_key(types[i], 0), PKI_PKCS8);

		assert_reason(judge(crt, key, NULL), REASON_BAD_KEY);
	}
}

/* The same text with other line ends. */
static char *with_line_ends(const char *text, const char *end)
{
	char *out = calloc(2, strlen(text) + 1);
	char *p = out;

	for (; *text; text++) {
		if (*text != '\n') {
			*p++ = *text;
			continue;
		}
		for (const char *c = end; *c; c++)
			*p++ = *c;
	}
	return out;
}

static void C2_line_ends_and_text_around_blocks_are_taken(void **state _unused_)
{
	static const char *const ends[] = {"\r\n", " \t\n", "\n"};
	static const char parameters[] = "-----BEGIN EC PARAMETERS-----\n"
					 "BggqhkjOPQMBBw==\n"
					 "-----END EC PARAMETERS-----\n";

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		_cleanup_free_ char *crt = with_line_ends(good_crt, ends[i]);
		_cleanup_free_ char *key = with_line_ends(good_key, ends[i]);
		_cleanup_free_ char *crt_in_text = pki_join((const char *const[]){
		    "subject=CN = x\nissuer=CN = y\n\n", crt, "\nnot PEM \x01\xff\n", NULL});
		_cleanup_free_ char *key_behind = pki_join((const char *const[]){
		    "Bag Attributes\n", parameters, good_crt, key, good_crt, "\n\n", NULL});

		assert_reason(judge(crt, key, pki.root_pem), REASON_NONE);
		assert_reason(judge(crt_in_text, key_behind, crt_in_text), REASON_NONE);
	}
}

static void C2_text_that_is_cut_is_refused(void **state _unused_)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	size_t whole = strlen(good_crt);
	size_t first = (size_t)(strstr(good_crt, end) - good_crt) + strlen(end);

	for (size_t len = 1; len < whole; len += 7) {
		_cleanup_free_ char *crt = strndup(good_crt, len);
		enum reason r = judge(crt, good_key, NULL);

		/* Behind the leaf nothing of a block has begun. Before, nothing may be missing but
		 * the last line end. */
		if (len >= first - 1 && len < first + strlen("-----BEGIN"))
			assert_reason(r, REASON_NONE);
		else if (len < whole - 1)
			assert_reason(r, REASON_BAD_PEM);
	}
	for (size_t len = 1; len < strlen(good_key) - 1; len++) {
		_cleanup_free_ char *key = strndup(good_key, len);

		assert_reason(judge(good_crt, key, NULL), REASON_BAD_PEM);
	}
}

/* The block with one byte of its DER set. */
static char *damage(const char *name, const uint8_t *der, size_t len, size_t at, uint8_t byte)
{
	_cleanup_free_ uint8_t *copy = malloc(len + 1);

	memcpy(copy, der, len);
	copy[len] = 0;
	copy[at] = byte;
	return pki_block(name, copy, at == len ? len + 1 : len);
}

static void C2_other_encodings_have_their_exact_reason(void **state _unused_)
{
	size_t key_len;
	_cleanup_free_ uint8_t *key_der = pki_key_der(pki_key(PKI_P256, 2), PKI_PKCS8, &key_len);
	uint8_t *crt_der = NULL;
	int crt_len = i2d_X509(pki.intermediate, &crt_der);
	_cleanup_free_ char *crt_bom =
	    pki_join((const char *const[]){"\xef\xbb\xbf", good_crt, NULL});
	_cleanup_free_ char *key_bom =
	    pki_join((const char *const[]){"\xef\xbb\xbf", good_key, NULL});
	_cleanup_free_ char *no_base64 = pki_join((const char *const[]){
	    "-----BEGIN CERTIFICATE-----\n$$$$\n-----END CERTIFICATE-----\n", NULL});
	_cleanup_free_ char *old_name = pki_block("X509 CERTIFICATE", crt_der, (size_t)crt_len);
	_cleanup_free_ char *trusted = pki_block("TRUSTED CERTIFICATE", crt_der, (size_t)crt_len);
	_cleanup_free_ char *crt_tail =
	    damage("CERTIFICATE", crt_der, (size_t)crt_len, (size_t)crt_len, 0);
	_cleanup_free_ char *key_tail = damage("PRIVATE KEY", key_der, key_len, key_len, 0);
	_cleanup_free_ char *not_der = damage("CERTIFICATE", crt_der, (size_t)crt_len, 0, 0x31);
	_cleanup_free_ char *endless = damage("CERTIFICATE", crt_der, (size_t)crt_len, 1, 0x80);
	_cleanup_free_ char *not_a_key = damage("PRIVATE KEY", key_der, key_len, 0, 0x31);
	const struct {
		const char *crt;
		const char *key;
		enum reason reason;
	} cases[] = {
	    {crt_bom, good_key, REASON_BAD_PEM},   {good_crt, key_bom, REASON_BAD_PEM},
	    {no_base64, good_key, REASON_BAD_PEM}, {"junk", good_key, REASON_BAD_PEM},
	    {good_crt, "junk", REASON_BAD_PEM},    {good_key, good_key, REASON_BAD_PEM},
	    {good_crt, good_crt, REASON_BAD_PEM},  {old_name, good_key, REASON_BAD_PEM},
	    {trusted, good_key, REASON_BAD_PEM},   {crt_tail, good_key, REASON_BAD_PEM},
	    {good_crt, key_tail, REASON_BAD_KEY},  {not_der, good_key, REASON_BAD_PEM},
	    {endless, good_key, REASON_BAD_PEM},   {good_crt, not_a_key, REASON_BAD_KEY},
	    {"", good_key, REASON_MISSING},        {good_crt, "", REASON_MISSING},
	    {NULL, good_key, REASON_MISSING},      {good_crt, NULL, REASON_MISSING},
	};
	_cleanup_content_ struct content c = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_reason(judge(cases[i].crt, cases[i].key, NULL), cases[i].reason);
	assert_int_equal(content_add(&c, "tls.crt", crt_der, (size_t)crt_len, &e), 0);
	assert_int_equal(content_add(&c, "tls.key", key_der, key_len, &e), 0);
	assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_BAD_PEM);
	assert_string_equal(verdict.detail, "tls.crt is DER, not PEM");
	OPENSSL_free(crt_der);
}

static void C2_bundle_is_whole_or_empty(void **state _unused_)
{
	_cleanup_free_ char *cut = strndup(pki.root_pem, strlen(pki.root_pem) / 2);
	_cleanup_free_ char *second_cut = pki_join((const char *const[]){pki.root_pem, cut, NULL});

	assert_reason(judge(good_crt, good_key, NULL), REASON_NONE);
	assert_reason(judge(good_crt, good_key, ""), REASON_NONE);
	assert_reason(judge(good_crt, good_key, pki.root_pem), REASON_NONE);
	assert_reason(judge(good_crt, good_key, cut), REASON_BAD_PEM);
	assert_reason(judge(good_crt, good_key, second_cut), REASON_BAD_PEM);
	assert_reason(judge(good_crt, good_key, "\n"), REASON_BAD_PEM);
	assert_reason(judge(good_crt, good_key, good_key), REASON_BAD_PEM);
}

static void leaf_is_described(void **state _unused_)
{
	struct gate_leaf leaf;
	struct err e;
	struct fingerprint expected;
	X509 *cert = pki_sign(
	    &(struct pki_cert){.subject = "CN=web,O=A\\+B\nC",
			       .sans = "DNS:a.example,IP:10.0.0.1,IP:fe80::1,email:x@example.com,"
				       "URI:spiffe://t/ns",
			       .serial = "0a0b"},
	    pki_key(PKI_RSA2048, 0), pki.intermediate, pki.intermediate_key);
	_cleanup_free_ char *pem = pki_cert_pem(cert);

	pki_leaf_fingerprint(cert, &expected);
	assert_int_equal(gate_read_leaf(pem, strlen(pem), &leaf, &e), 0);
	assert_true(fingerprint_equal(&leaf.leaf, &expected));
	assert_string_equal(leaf.serial, "0a0b");
	assert_string_equal(leaf.key, "RSA 2048");
	assert_string_equal(leaf.issuer, "CN=Test Intermediate");
	assert_string_equal(leaf.subject, "O=A\\\\\\+B\\0AC,CN=web");
	assert_string_equal(leaf.sans, "DNS:a.example, IP:10.0.0.1, IP:fe80::1, "
				       "email:x@example.com, URI:spiffe://t/ns");
	assert_int_equal(leaf.chain_len, 1);
	X509_free(cert);

	assert_int_equal(gate_read_leaf(good_crt, strlen(good_crt), &leaf, &e), 0);
	assert_string_equal(leaf.key, "ECDSA P-256");
	assert_int_equal(leaf.chain_len, 2);
	assert_int_equal(gate_read_leaf(good_key, strlen(good_key), &leaf, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
}

static void long_and_hostile_names_are_cut_and_masked(void **state _unused_)
{
	char sans[4096] = "";
	char extension[] = "subjectAltName=DER:30:0b:82:09:61:2c:20:49:50:3a:31:0a:ff";
	struct gate_leaf leaf;
	struct err e;
	_cleanup_free_ char *hostile =
	    issue(&(struct pki_cert){.sans = "", .extension = {extension}}, pki_key(PKI_P256, 2));
	_cleanup_free_ char *many = NULL;

	assert_int_equal(gate_read_leaf(hostile, strlen(hostile), &leaf, &e), 0);
	assert_string_equal(leaf.sans, "DNS:a??IP:1??");
	for (int i = 0; i < 100; i++)
		snprintf(sans + strlen(sans), sizeof(sans) - strlen(sans), "%sDNS:name-%d.example",
			 i ? "," : "", i);
	many = issue(&(struct pki_cert){.sans = sans}, pki_key(PKI_P256, 2));
	assert_int_equal(gate_read_leaf(many, strlen(many), &leaf, &e), 0);
	assert_in_range(strlen(leaf.sans), sizeof(leaf.sans) - 64, sizeof(leaf.sans) - 1);
	assert_string_equal(leaf.sans + strlen(leaf.sans) - 3, "...");
}

static void key_becomes_pkcs8_whatever_it_was(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_LEN(supported); i++) {
		EVP_PKEY *key = pki_key(supported[i], 0);
		_cleanup_free_ char *expected = pki_key_pem(key, PKI_PKCS8);

		for (int form = PKI_PKCS8; form <= PKI_TRADITIONAL; form++) {
			_cleanup_free_ char *pem = NULL;
			_cleanup_secret_ struct secret in = {0};
			_cleanup_secret_ struct secret out = {0};
			struct err e;

			if (form == PKI_TRADITIONAL && supported[i] == PKI_ED25519)
				continue;
			pem = pki_key_pem(key, (enum pki_form)form);
			assert_int_equal(secret_copy(&in, pem, strlen(pem), &e), 0);
			assert_int_equal(gate_pkcs8(gate, &in, &out, &e), 0);
			assert_int_equal(out.len, strlen(expected));
			assert_memory_equal(out.data, expected, out.len);
		}
	}
}

static void no_pkcs8_without_a_key(void **state _unused_)
{
	_cleanup_free_ char *encrypted = pki_key_pem(pki_key(PKI_P256, 2), PKI_PKCS8_ENCRYPTED);
	_cleanup_secret_ struct secret in = {0};
	struct secret out = {0};
	struct err e;

	assert_int_equal(secret_copy(&in, encrypted, strlen(encrypted), &e), 0);
	assert_int_equal(gate_pkcs8(gate, &in, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(C1_key_matches_leaf_only_if_it_is_its_own),
	    cmocka_unit_test(C1_private_part_belongs_to_the_public_one),
	    cmocka_unit_test(C2_every_form_of_a_key_is_taken_unless_encrypted),
	    cmocka_unit_test(C2_keys_that_servers_do_not_take_are_refused),
	    cmocka_unit_test(C2_line_ends_and_text_around_blocks_are_taken),
	    cmocka_unit_test(C2_text_that_is_cut_is_refused),
	    cmocka_unit_test(C2_other_encodings_have_their_exact_reason),
	    cmocka_unit_test(C2_bundle_is_whole_or_empty),
	    cmocka_unit_test(leaf_is_described),
	    cmocka_unit_test(long_and_hostile_names_are_cut_and_masked),
	    cmocka_unit_test(key_becomes_pkcs8_whatever_it_was),
	    cmocka_unit_test(no_pkcs8_without_a_key),
	};

	return cmocka_run_group_tests(tests, judge_setup, judge_teardown);
}
