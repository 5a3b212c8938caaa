/* SPDX-License-Identifier: Apache-2.0 */
#include "api/do.h"

#include "pki/key.h"

#include <openssl/rand.h>
#include <stdio.h>

#define NAME_CHARS                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum dvt_code
dvt_do_name(const char *what, const char *name, struct dvt_err *err)
{
	if (*name == '\0' || strlen(name) > DVT_NAME_MAX ||
	    name[strspn(name, NAME_CHARS)] != '\0')
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\" is no name of a %s: letters, digits, \".\", "
		    "\"_\", \"-\", at most %d",
		    name, what, DVT_NAME_MAX);
	return DVT_OK;
}

enum dvt_code
dvt_do_device_id(const char *id, struct dvt_err *err)
{
	size_t n = strlen(id);
	bool bad = n == 0 || n > DVT_DEVICE_ID_MAX || id[0] == ' ' ||
		   id[n - 1] == ' ';

	for (size_t i = 0; !bad && i < n; i++)
		bad = (unsigned char)id[i] < ' ' || id[i] == 0x7f;
	if (bad)
		return dvt_fail(err, DVT_E_INPUT,
		    "\"%.64s\" is no device id: 1 to %d bytes, no control "
		    "characters, no blank at either end",
		    id, DVT_DEVICE_ID_MAX);
	return DVT_OK;
}

enum dvt_code
dvt_do_secret(const char *prefix, char text[DVT_SECRET_TEXT],
    char hash[DVT_DIGEST_HEX], struct dvt_err *err)
{
	uint8_t bytes[32];
	char hex[2 * sizeof(bytes) + 1];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return dvt_fail(err, DVT_E_SYSTEM, "no random numbers");
	dvt_hex(bytes, sizeof(bytes), hex, sizeof(hex));
	(void)snprintf(text, DVT_SECRET_TEXT, "%.6s%s", prefix, hex);
	dvt_sha256_hex(dvt_span_str(text), hash);
	dvt_cleanse(bytes, sizeof(bytes));
	dvt_cleanse(hex, sizeof(hex));
	return DVT_OK;
}

enum dvt_code
dvt_do_tell(struct dvt_app *app, const char *action, const char *object,
    const char *event, const char *device, json_t *detail, struct dvt_err *err)
{
	enum dvt_code rc = app->core->audit(app, action, object, detail, err);

	if (rc == DVT_OK && event != NULL)
		rc = app->core->event(app, event, device, "", detail, err);
	json_decref(detail);
	return rc;
}

enum dvt_code
dvt_do_approval(struct dvt_app *app, const char *action, const char *object,
    const char *const *about, struct dvt_err *err)
{
	char digest[DVT_DIGEST_HEX];
	struct dvt_buf b;

	dvt_buf_init(&b, DVT_BODY_MAX);
	for (; *about != NULL; about++) {
		dvt_buf_be(&b, strlen(*about), 4);
		dvt_buf_puts(&b, *about);
	}
	dvt_sha256_hex(dvt_buf_span(&b), digest);
	dvt_buf_fini(&b);
	return app->core->approval(app, action, object, digest, err);
}

enum dvt_code
dvt_do_deny(struct dvt_app *app, const struct dvt_row_credential *c,
    struct dvt_err *err)
{
	json_t *body = json_pack("{s:s, s:s, s:I}", "reason", "revoked",
	    "device", c->owner, "not_after", (json_int_t)c->not_after);
	enum dvt_code rc = app->core->feed_set(
	    app, "deny", c->fingerprint, "", body, err);

	json_decref(body);
	return rc;
}

const char *
dvt_do_text(const struct dvt_req *req, const char *key, const char *dflt)
{
	const char *text = json_string_value(json_object_get(req->json, key));

	return text == NULL ? dflt : text;
}

void
dvt_do_refused(struct dvt_reply *reply, json_t *devices, int64_t total)
{
	json_decref(reply->extra);
	reply->extra = json_pack(
	    "{s:o, s:I}", "devices", devices, "total", (json_int_t)total);
}
