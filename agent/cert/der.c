/* SPDX-License-Identifier: Apache-2.0 */
#include "cert/der.h"

#include "base/limits.h"

#include <limits.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/objects.h>

int der_next(struct der *d, struct der_item *ret)
{
	const unsigned char *p = d->data;
	long len;
	int form;

	if (d->len == 0 || d->len > LONG_MAX)
		return -1;
	form = ASN1_get_object(&p, &len, &ret->tag, &ret->class, (long)d->len);
	if (form & 0x80) /* malformed, or longer than what is there */
		ERR_clear_error();
	if ((form & 0x80) || (form & 1) || len < 0)
		return -1;
	ret->constructed = form & V_ASN1_CONSTRUCTED;
	ret->body = (struct der){p, (size_t)len};
	d->len -= (size_t)(p - d->data) + (size_t)len;
	d->data = p + len;
	return 0;
}

int der_expect(struct der *d, int tag, struct der *ret_body)
{
	struct der_item item;

	if (der_next(d, &item) < 0 || item.class != V_ASN1_UNIVERSAL || item.tag != tag)
		return -1;
	*ret_body = item.body;
	return 0;
}

/* Descends without recursion: a stack of what is still to be read at each depth. */
size_t der_count(struct der d, size_t max)
{
	struct der stack[LIMIT_DER_DEPTH] = {d};
	size_t count = 0;
	int depth = 0;

	while (depth >= 0) {
		struct der_item item;

		if (stack[depth].len == 0) {
			depth--;
			continue;
		}
		if (der_next(&stack[depth], &item) < 0)
			return 0;
		if (++count > max)
			return count;
		if (!item.constructed)
			continue;
		if (++depth == LIMIT_DER_DEPTH)
			return 0;
		stack[depth] = item.body;
	}
	return count;
}

int der_nid(const struct der *oid)
{
	uint8_t encoded[2 + LIMIT_OID] = {V_ASN1_OBJECT, (uint8_t)oid->len};
	const unsigned char *p = encoded;
	ASN1_OBJECT *object;
	int nid = NID_undef;

	if (oid->len == 0 || oid->len > LIMIT_OID)
		return NID_undef;
	for (size_t i = 0; i < oid->len; i++)
		encoded[2 + i] = oid->data[i];
	object = d2i_ASN1_OBJECT(NULL, &p, (long)(2 + oid->len));
	if (object)
		nid = OBJ_obj2nid(object);
	else
		ERR_clear_error();
	ASN1_OBJECT_free(object);
	return nid;
}

size_t der_bits(const struct der *integer)
{
	struct der d = *integer;
	size_t bits;

	if (d.len == 0 || (d.data[0] & 0x80))
		return 0;
	while (d.len && d.data[0] == 0) {
		d.data++;
		d.len--;
	}
	if (d.len == 0)
		return 0;
	bits = (d.len - 1) * 8;
	for (uint8_t top = d.data[0]; top; top >>= 1)
		bits++;
	return bits;
}
