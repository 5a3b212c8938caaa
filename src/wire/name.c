/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names: see name.h. */
#include "wire/name.h"

#include "wire/der.h"
#include "wire/oid.h"
#include "wire/utf8.h"

enum dvt_code
dvt_name_open(
    struct dvt_span name, struct dvt_name_walk *walk, struct dvt_err *err)
{
	enum dvt_code rc;

	*walk = (struct dvt_name_walk){0};
	if ((rc = dvt_der_take(&name, DVT_DER_SEQ, &walk->rdns, err)) != DVT_OK)
		return rc;
	return dvt_der_done(name, "name", err);
}

enum dvt_code
dvt_name_take(
    struct dvt_name_walk *walk, struct dvt_name_part *part, struct dvt_err *err)
{
	struct dvt_span pair;
	enum dvt_code rc;

	*part = (struct dvt_name_part){.joined = walk->set.n > 0};
	if (walk->set.n == 0) {
		if (walk->rdns.n == 0)
			return dvt_fail(err, DVT_E_ABSENT, "name: at its end");
		rc = dvt_der_take(&walk->rdns, DVT_DER_SET, &walk->set, err);
		if (rc != DVT_OK)
			return rc;
	}
	if ((rc = dvt_der_take(&walk->set, DVT_DER_SEQ, &pair, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_der_take_oid(&pair, &part->type, err)) != DVT_OK)
		return rc;
	rc = dvt_der_take_any(&pair, &part->tag, NULL, &part->value, err);
	if (rc != DVT_OK)
		return rc;
	return dvt_der_done(pair, "name", err);
}

enum dvt_code
dvt_name_check(struct dvt_span name, struct dvt_err *err)
{
	struct dvt_name_walk walk;
	struct dvt_name_part part;
	struct dvt_err end;
	enum dvt_code rc;

	if ((rc = dvt_name_open(name, &walk, err)) != DVT_OK)
		return rc;
	while ((rc = dvt_name_take(&walk, &part, &end)) == DVT_OK)
		;
	if (rc == DVT_E_ABSENT)
		return DVT_OK;
	if (err != NULL)
		*err = end;
	return rc;
}

enum dvt_code
dvt_name_get(struct dvt_span name, struct dvt_span type, struct dvt_span *value,
    struct dvt_err *err)
{
	struct dvt_name_walk walk;
	struct dvt_name_part part;
	enum dvt_code rc;
	bool found = false;

	*value = (struct dvt_span){NULL, 0};
	if ((rc = dvt_name_open(name, &walk, err)) != DVT_OK)
		return rc;
	while ((rc = dvt_name_take(&walk, &part, err)) == DVT_OK) {
		if (!dvt_span_eq(part.type, type))
			continue;
		*value = part.value;
		found = true;
	}
	if (rc != DVT_E_ABSENT)
		return rc;
	if (!found)
		return dvt_fail(err, DVT_E_ABSENT, "name: attribute not in it");
	return DVT_OK;
}

static void
put_type(struct dvt_buf *out, struct dvt_span type)
{
	const struct {
		struct dvt_span oid;
		const char *text;
	} known[] = {
	    {DVT_OID_COMMON_NAME,      "CN"          },
	    {DVT_OID_ORGANIZATION,     "O"           },
	    {DVT_OID_ORG_UNIT,         "OU"          },
	    {DVT_OID_COUNTRY,          "C"           },
	    {DVT_OID_STATE,            "ST"          },
	    {DVT_OID_LOCALITY,         "L"           },
	    {DVT_OID_SERIAL_NUMBER,    "serialNumber"},
	    {DVT_OID_EMAIL,            "emailAddress"},
	    {DVT_OID_DOMAIN_COMPONENT, "DC"          },
	};
	char text[96];

	for (size_t i = 0; i < DVT_COUNT(known); i++) {
		if (dvt_span_eq(type, known[i].oid)) {
			dvt_buf_puts(out, known[i].text);
			return;
		}
	}
	dvt_buf_puts(out, dvt_der_oid_text(type, text, sizeof(text)));
}

static void
put_value(struct dvt_buf *out, struct dvt_span value)
{
	const size_t last = value.n;

	for (size_t i = 0; i < last;) {
		struct dvt_span rest = dvt_span_from(value, i);
		uint8_t c = rest.p[0];
		uint32_t wide;
		size_t n;

		if (c >= 0x20 && c < 0x7f) {
			if (strchr(",+\"\\<>;=", c) != NULL ||
			    (i == 0 && (c == '#' || c == ' ')) ||
			    (i == last - 1 && c == ' '))
				dvt_buf_putc(out, '\\');
			n = 1;
			dvt_buf_put(out, rest.p, n);
		} else if (c >= 0x80 && (n = dvt_utf8_len(rest, &wide)) > 0 &&
			   wide >= 0xa0) {
			dvt_buf_put(out, rest.p, n);
		} else {
			n = 1;
			dvt_buf_printf(out, "\\%02X", c);
		}
		i += n;
	}
}

enum dvt_code
dvt_name_format(struct dvt_span name, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_name_walk walk;
	struct dvt_name_part part;
	enum dvt_code rc;
	bool first = true;

	if ((rc = dvt_name_check(name, err)) != DVT_OK)
		return rc;
	if ((rc = dvt_name_open(name, &walk, err)) != DVT_OK)
		return rc;
	while (dvt_name_take(&walk, &part, NULL) == DVT_OK) {
		if (!first)
			dvt_buf_putc(out, part.joined ? '+' : ',');
		first = false;
		put_type(out, part.type);
		dvt_buf_putc(out, '=');
		put_value(out, part.value);
	}
	return dvt_buf_ok(out, "name", err);
}

void
dvt_name_put(struct dvt_buf *b, const struct dvt_name_part *parts, size_t n)
{
	size_t seq = dvt_der_open(b, DVT_DER_SEQ);

	for (size_t i = 0; i < n; i++) {
		size_t set = dvt_der_open(b, DVT_DER_SET);
		size_t pair = dvt_der_open(b, DVT_DER_SEQ);
		/* RFC 5280 appendix A.1: PrintableString only for these */
		bool printable = dvt_span_eq(parts[i].type, DVT_OID_COUNTRY) ||
				 dvt_span_eq(
				     parts[i].type, DVT_OID_SERIAL_NUMBER);

		dvt_der_put_oid(b, parts[i].type);
		dvt_der_put(b, printable ? DVT_DER_PRINTABLE : DVT_DER_UTF8,
		    parts[i].value);
		dvt_der_close(b, pair);
		dvt_der_close(b, set);
	}
	dvt_der_close(b, seq);
}
