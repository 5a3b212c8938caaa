/* SPDX-License-Identifier: Apache-2.0 */
/* Names from text: see issue.h. */
#include "pki/issue.h"

#include "base/mem.h"
#include "wire/name.h"
#include "wire/oid.h"

#include <strings.h>

#define PARTS_MAX 16  /* attributes of one name */
#define TEXT_MAX  512 /* characters of one name */

static bool
type_from_text(const char *text, size_t n, struct dvt_span *oid)
{
	static const struct {
		const char *text;
		struct dvt_span oid;
	} types[] = {
	    {"CN",           DVT_OID_COMMON_NAME     },
	    {"O",            DVT_OID_ORGANIZATION    },
	    {"OU",           DVT_OID_ORG_UNIT        },
	    {"C",            DVT_OID_COUNTRY         },
	    {"ST",           DVT_OID_STATE           },
	    {"L",            DVT_OID_LOCALITY        },
	    {"serialNumber", DVT_OID_SERIAL_NUMBER   },
	    {"DC",           DVT_OID_DOMAIN_COMPONENT},
	};

	for (size_t i = 0; i < DVT_COUNT(types); i++) {
		if (strlen(types[i].text) == n &&
		    strncasecmp(types[i].text, text, n) == 0) {
			*oid = types[i].oid;
			return true;
		}
	}
	return false;
}

/*
 * One value, its escapes resolved into @to; stops before a comma or the end.
 * Returns the place it stopped at, or NULL when an escape is broken.
 */
static const char *
take_value(const char *s, char *to, size_t *n)
{
	size_t got;

	for (*n = 0; *s != '\0' && *s != ','; (*n)++) {
		char hex[3] = {0};

		if (*s != '\\') {
			to[*n] = *s++;
			continue;
		}
		if (s[1] != '\0' && strchr(",+\"\\<>;=# ", s[1]) != NULL) {
			to[*n] = s[1];
			s += 2;
			continue;
		}
		memcpy(hex, s + 1, strnlen(s + 1, 2));
		if (dvt_unhex(hex, (uint8_t *)to + *n, 1, &got, NULL) !=
			DVT_OK ||
		    got != 1)
			return NULL;
		s += 3;
	}
	return s;
}

/* "TYPE=value" at @s; moves @s behind it. */
static enum dvt_code
take_part(
    const char **s, char *room, struct dvt_name_part *part, struct dvt_err *err)
{
	const char *equals, *end;
	size_t n;

	while (**s == ' ')
		(*s)++;
	equals = strchr(*s, '=');
	if (equals == NULL ||
	    !type_from_text(*s, (size_t)(equals - *s), &part->type))
		return dvt_fail(err, DVT_E_INPUT,
		    "name: \"%.40s\" does not begin with CN=, O=, OU=, C=, "
		    "ST=, "
		    "L=, DC= or serialNumber=",
		    *s);
	end = take_value(equals + 1, room, &n);
	if (end == NULL || n == 0 || memchr(room, 0, n) != NULL)
		return dvt_fail(err, DVT_E_INPUT,
		    "name: \"%.40s\" has no value or a broken escape", *s);
	part->value = (struct dvt_span){(const uint8_t *)room, n};
	*s = end;
	return DVT_OK;
}

enum dvt_code
dvt_name_from_text(const char *text, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_name_part parts[PARTS_MAX] = {0};
	char room[TEXT_MAX], *free_at = room;
	const char *s = text;
	size_t first = PARTS_MAX; /* filled from the end: the wire's order */
	enum dvt_code rc;

	if (strlen(text) >= sizeof(room))
		return dvt_fail(err, DVT_E_LIMIT, "name: over %zu characters",
		    sizeof(room) - 1);
	do {
		if (first == 0)
			return dvt_fail(err, DVT_E_LIMIT,
			    "name: more than %d parts", PARTS_MAX);
		rc = take_part(&s, free_at, &parts[--first], err);
		if (rc != DVT_OK)
			return rc;
		free_at += parts[first].value.n;
	} while (*s++ == ',');
	dvt_name_put(out, parts + first, PARTS_MAX - first);
	return dvt_buf_ok(out, "name", err);
}

enum dvt_code
dvt_name_from_cn(
    const char *common_name, struct dvt_buf *out, struct dvt_err *err)
{
	struct dvt_name_part part = {
	    .type = DVT_OID_COMMON_NAME, .value = dvt_span_str(common_name)};

	if (part.value.n == 0)
		return dvt_fail(err, DVT_E_INPUT, "name: empty common name");
	dvt_name_put(out, &part, 1);
	return dvt_buf_ok(out, "name", err);
}
