/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/gate.h"

#include "base/limits.h"
#include "cert/fingerprint.h"
#include "tests/unit/cert/judge.h"

static const enum pki_type supported[] = {PKI_P256,    PKI_P384,    PKI_P521,
					  PKI_ED25519, PKI_RSA2048, PKI_RSA3072};

/* The usual good pair. */
static char *good_crt, *good_key;

static int setup(void **state)
{
	judge_setup(state);
	good_crt = issue(&(struct pki_cert){0}, pki_key(PKI_P256, 2));
	good_key = pki_key_pem(pki_key(PKI_P256, 2), PKI_PKCS8);
	return 0;
}

static int teardown(void **state)
{
	free(good_crt);
	free(good_key);
	return judge_teardown(state);
}

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

static enum reason judge_at(const struct pki_cert *what, int64_t at_s)
{
	_cleanup_free_ char *crt = issue(what, pki_key(PKI_P256, 2));

	return judge_in(crt, good_key, NULL, &(struct gate_context){.wall_ms = at_s * 1000});
}

static void C3_dates_hold_with_a_tolerance_for_skew(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert week = {.not_before_s = now, .not_after_s = now + 7 * DAY_S};

	assert_reason(judge_at(&week, now), REASON_NONE);
	assert_reason(judge_at(&week, now - LIMIT_SKEW_S), REASON_NONE);
	assert_reason(judge_at(&week, now - LIMIT_SKEW_S - 1), REASON_NOT_YET_VALID);
	assert_reason(judge_at(&week, now + 7 * DAY_S - 1), REASON_NONE);
	assert_reason(judge_at(&week, now + 7 * DAY_S), REASON_EXPIRED);
	assert_int_equal(verdict.leaf.not_before_s, now);
	assert_int_equal(verdict.leaf.not_after_s, now + 7 * DAY_S);
	policy.skew_s = 10;
	assert_reason(judge_at(&week, now - 11), REASON_NOT_YET_VALID);
	assert_reason(judge_at(&week, now - 10), REASON_NONE);
	policy.skew_s = 0;
}

static void C3_far_dates_are_dates(void **state _unused_)
{
	static const int64_t ends[] = {
	    2524607999,  /* 2049-12-31T23:59:59Z, the last UTCTime */
	    2524608000,  /* the first GeneralizedTime */
	    4102444800,  /* 2100 */
	    253402300799 /* 9999-12-31T23:59:59Z: never, by RFC 5280 */
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		assert_reason(judge_at(&(struct pki_cert){.not_after_s = ends[i]}, now_s()),
			      REASON_NONE);
		assert_int_equal(verdict.leaf.not_after_s, ends[i]);
		assert_reason(judge_at(&(struct pki_cert){.not_after_s = ends[i]}, ends[i] + 1),
			      REASON_EXPIRED);
	}
	assert_reason(
	    judge_at(&(struct pki_cert){.not_before_s = -2000000000, .not_after_s = -1000000000},
		     now_s()),
	    REASON_EXPIRED);
	assert_int_equal(verdict.leaf.not_before_s, -2000000000);
}

static void C3_policy_may_want_some_life_left(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert hour = {.not_before_s = now, .not_after_s = now + 3600};

	policy.min_remaining_s = 600;
	assert_reason(judge_at(&hour, now + 3000), REASON_NONE);
	assert_reason(judge_at(&hour, now + 3001), REASON_POLICY_LIFETIME);
	policy.min_remaining_s = 0;
	policy.max_lifetime_s = 3600;
	assert_reason(judge_at(&hour, now), REASON_NONE);
	policy.max_lifetime_s = 3599;
	assert_reason(judge_at(&hour, now), REASON_POLICY_LIFETIME);
	policy.max_lifetime_s = 0;
}

static void C3_issuer_must_be_valid_too_but_not_a_root(void **state _unused_)
{
	static const struct pki_cert old = {
	    .subject = "CN=Old", .ca = true, .not_before_s = 1000000000, .not_after_s = 1100000000};
	EVP_PKEY *key = pki_key(PKI_P256, 3);
	X509 *intermediate = pki_sign(&old, key, pki.root, pki.root_key);
	X509 *root = pki_sign(&old, key, NULL, key);
	_cleanup_free_ char *leaf =
	    sign_pem(&(struct pki_cert){0}, pki_key(PKI_P256, 2), root, key);
	_cleanup_free_ char *intermediate_pem = pki_cert_pem(intermediate);
	_cleanup_free_ char *root_pem = pki_cert_pem(root);
	_cleanup_free_ char *expired =
	    pki_join((const char *const[]){leaf, intermediate_pem, NULL});
	_cleanup_free_ char *rooted = pki_join((const char *const[]){leaf, root_pem, NULL});

	assert_reason(judge(expired, good_key, NULL), REASON_EXPIRED);
	assert_reason(judge(rooted, good_key, NULL), REASON_NONE);
	X509_free(intermediate);
	X509_free(root);
}

#define TEMPORARY_SUBJECT "CN=web,serialNumber=1234567890"

static void C5_temporary_certificate_is_known_by_its_looks(void **state _unused_)
{
	static const struct gate_context annotated = {.temporary = true};
	static const struct gate_context bare = {.temporary = false};
	EVP_PKEY *ca_key = pki_key(PKI_P521, 3);
	EVP_PKEY *key = pki_key(PKI_P256, 2);
	X509 *ca = pki_sign(&(struct pki_cert){.subject = "CN=cert-manager.local", .ca = true},
			    ca_key, NULL, ca_key);
	_cleanup_free_ char *marked =
	    sign_pem(&(struct pki_cert){.subject = TEMPORARY_SUBJECT}, key, ca, ca_key);
	_cleanup_free_ char *old_mark =
	    sign_pem(&(struct pki_cert){.serial = "1234567890"}, key, ca, ca_key);
	_cleanup_free_ char *unmarked = sign_pem(&(struct pki_cert){0}, key, ca, ca_key);
	_cleanup_free_ char *self = sign_pem(&(struct pki_cert){0}, key, NULL, key);
	_cleanup_free_ char *same_subject =
	    issue(&(struct pki_cert){.subject = TEMPORARY_SUBJECT}, key);

	assert_reason(judge_in(marked, good_key, NULL, &bare), REASON_TEMPORARY);
	assert_reason(judge_in(old_mark, good_key, NULL, &bare), REASON_TEMPORARY);
	assert_reason(judge_in(unmarked, good_key, NULL, &bare), REASON_NONE);
	assert_reason(judge_in(self, good_key, NULL, &bare), REASON_NONE);
	assert_reason(judge_in(same_subject, good_key, NULL, &bare), REASON_NONE);

	assert_reason(judge_in(marked, good_key, NULL, &annotated), REASON_TEMPORARY);
	assert_reason(judge_in(unmarked, good_key, NULL, &annotated), REASON_TEMPORARY);
	assert_reason(judge_in(self, good_key, NULL, &annotated), REASON_TEMPORARY);
	/* The annotation stays on the Secret when the real certificate has come. */
	assert_reason(judge_in(good_crt, good_key, NULL, &annotated), REASON_NONE);
	X509_free(ca);
}

static void C5_next_private_key_is_not_a_pair(void **state _unused_)
{
	static const struct gate_context next = {.next_key = true};
	_cleanup_free_ char *new_key = pki_key_pem(pki_key(PKI_P256, 3), PKI_PKCS8);

	assert_reason(judge_in(NULL, good_key, NULL, &next), REASON_NEXT_KEY);
	assert_reason(judge_in(good_crt, good_key, NULL, &next), REASON_NEXT_KEY);
	/* The new key beside the old certificate. */
	assert_reason(judge(good_crt, new_key, NULL), REASON_KEY_MISMATCH);
}

static void C6_names_that_lead_elsewhere_are_refused(void **state _unused_)
{
	static const char *const names[] = {
	    "",         ".",         "..",       "..data",     "..x",  "...", "a/b",
	    "/etc/x",   "../x",      "../../x",  "a/../b",     "a\\b", "a b", "a\nb",
	    "\xc3\xa4", "a\xff",     "a\x7f",    "%2e%2e/x",   "a:b",  "~",   "a*",
	    "$(x)",     "..\\..\\x", "..2026_x", "..data_tmp", "-\t",  "./a"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_content_ struct content c;
		struct err e;

		pki_content(&c, good_crt, good_key, NULL);
		assert_int_equal(content_add(&c, names[i], "x", 1, &e), -1);
		/* And if it should come in by another way. */
		assert_int_equal(content_add(&c, "x", "x", 1, &e), 0);
		snprintf(c.files[c.count - 1].name, sizeof(c.files[0].name), "%s", names[i]);
		assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_BAD_NAME);
	}
}

static void C6_long_names_are_taken_up_to_the_maximum(void **state _unused_)
{
	_cleanup_content_ struct content c;
	char name[LIMIT_FILE_NAME + 2];
	struct err e;

	pki_content(&c, good_crt, good_key, NULL);
	memset(name, 'a', sizeof(name));
	name[LIMIT_FILE_NAME + 1] = '\0';
	assert_int_equal(content_add(&c, name, "x", 1, &e), -1);
	name[LIMIT_FILE_NAME] = '\0';
	assert_int_equal(content_add(&c, name, "x", 1, &e), 0);
	assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_NONE);
}

static void C7_older_serial_is_allowed_and_can_be_told(void **state _unused_)
{
	int64_t now = now_s();
	const struct pki_cert newer = {.serial = "0200", .not_before_s = now - 60};
	const struct pki_cert older = {.serial = "01ff", .not_before_s = now - 3600};
	int64_t newer_since;

	assert_reason(judge_at(&newer, now), REASON_NONE);
	assert_string_equal(verdict.leaf.serial, "0200");
	newer_since = verdict.leaf.not_before_s;
	assert_reason(judge_at(&older, now), REASON_NONE);
	assert_string_equal(verdict.leaf.serial, "01ff");
	assert_true(verdict.leaf.not_before_s < newer_since);
}

static void C8_new_bundle_is_new_content_with_the_same_leaf(void **state _unused_)
{
	_cleanup_content_ struct content before;
	_cleanup_content_ struct content after;
	_cleanup_free_ char *ca = pki_join((const char *const[]){pki.root_pem, pki.root_pem, NULL});
	struct fingerprint content[2];
	struct fingerprint leaf;
	struct err e;

	pki_content(&before, good_crt, good_key, pki.root_pem);
	pki_content(&after, good_crt, good_key, ca);
	assert_int_equal(cert_content_fingerprint(&before, &content[0], &e), 0);
	assert_int_equal(cert_content_fingerprint(&after, &content[1], &e), 0);
	assert_false(fingerprint_equal(&content[0], &content[1]));
	assert_reason(judge_content(&before, &(struct gate_context){0}), REASON_NONE);
	leaf = verdict.leaf.leaf;
	assert_reason(judge_content(&after, &(struct gate_context){0}), REASON_NONE);
	assert_true(fingerprint_equal(&leaf, &verdict.leaf.leaf));
	assert_true(fingerprint_is_set(&leaf));
}

static void ca_pair_is_delivered_only_if_allowed(void **state _unused_)
{
	static const struct gate_context allowed = {.allow_ca = true};
	_cleanup_free_ char *key = pki_key_pem(pki.intermediate_key, PKI_PKCS8);

	assert_reason(judge(pki.intermediate_pem, key, NULL), REASON_CA_LEAF);
	assert_reason(judge_in(pki.intermediate_pem, key, NULL, &allowed), REASON_NONE);
}

static void size_of_the_secret_is_bounded(void **state _unused_)
{
	_cleanup_content_ struct content c;
	size_t len;

	pki_content(&c, good_crt, good_key, NULL);
	len = c.files[0].bytes.len;
	c.files[0].bytes.len = LIMIT_CONTENT + 1;
	assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_TOO_LARGE);
	c.files[0].bytes.len = len;
}

static void unchanged_content_need_not_be_parsed(void **state _unused_)
{
	_cleanup_content_ struct content c;
	struct fingerprint known = {0};
	uint64_t before = gate_parsed(gate);
	struct err e;

	pki_content(&c, good_crt, good_key, pki.root_pem);
	for (int i = 0; i < 100; i++) {
		struct fingerprint now;

		assert_int_equal(cert_content_fingerprint(&c, &now, &e), 0);
		if (fingerprint_equal(&now, &known))
			continue;
		assert_reason(judge_content(&c, &(struct gate_context){0}), REASON_NONE);
		known = now;
	}
	assert_int_equal(gate_parsed(gate) - before, 1);
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
	    cmocka_unit_test(C3_dates_hold_with_a_tolerance_for_skew),
	    cmocka_unit_test(C3_far_dates_are_dates),
	    cmocka_unit_test(C3_policy_may_want_some_life_left),
	    cmocka_unit_test(C3_issuer_must_be_valid_too_but_not_a_root),
	    cmocka_unit_test(C5_temporary_certificate_is_known_by_its_looks),
	    cmocka_unit_test(C5_next_private_key_is_not_a_pair),
	    cmocka_unit_test(C6_names_that_lead_elsewhere_are_refused),
	    cmocka_unit_test(C6_long_names_are_taken_up_to_the_maximum),
	    cmocka_unit_test(C7_older_serial_is_allowed_and_can_be_told),
	    cmocka_unit_test(C8_new_bundle_is_new_content_with_the_same_leaf),
	    cmocka_unit_test(ca_pair_is_delivered_only_if_allowed),
	    cmocka_unit_test(size_of_the_secret_is_bounded),
	    cmocka_unit_test(unchanged_content_need_not_be_parsed),
	    cmocka_unit_test(leaf_is_described),
	    cmocka_unit_test(long_and_hostile_names_are_cut_and_masked),
	    cmocka_unit_test(key_becomes_pkcs8_whatever_it_was),
	    cmocka_unit_test(no_pkcs8_without_a_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
