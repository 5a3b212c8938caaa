/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/plan.h"

#include "base/mem.h"
#include "wire/json.h"

#include <openssl/evp.h>

#include <stddef.h>

#define LONGEST_S INT64_C(157680000) /* five years */

/* The numbers of a plan: field, place, least, most, default. */
static const struct number {
	const char *key;
	size_t at;
	int64_t least, most, dflt;
} numbers[] = {
    {"overlap_min_s",     offsetof(struct dvt_plan, overlap_min_s),     0,      LONGEST_S,
     DVT_PLAN_OVERLAP_S											},
    {"wave_min_s",        offsetof(struct dvt_plan, wave_min_s),        0,      LONGEST_S,
     DVT_PLAN_WAVE_S											   },
    {"observe_min_s",     offsetof(struct dvt_plan, observe_min_s),     0,      LONGEST_S,
     DVT_PLAN_OBSERVE_S											},
    {"hold_s",            offsetof(struct dvt_plan, hold_s),            0,      LONGEST_S,
     DVT_PLAN_HOLD_S											   },
    {"notice_s",          offsetof(struct dvt_plan, notice_s),          0,      LONGEST_S, 0                   },
    {"success_ppm",       offsetof(struct dvt_plan, success_ppm),       500000, 1000000,
     DVT_PLAN_SUCCESS_PPM										      },
    {"failure_limit_ppm", offsetof(struct dvt_plan, failure_limit_ppm), 0,
     1000000,									      DVT_PLAN_FAILURE_PPM},
    {"failure_min",       offsetof(struct dvt_plan, failure_min),       1,      1000000,
     DVT_PLAN_FAILURE_MIN										      },
    {"reconnect_per_s",   offsetof(struct dvt_plan, reconnect_per_s),   1,      100000,
     DVT_PLAN_RECONNECTS										       },
};

static const char *const fields[] = {"kind", "from", "to", "overlap_min_s",
    "wave_min_s", "observe_min_s", "hold_s", "notice_s", "success_ppm",
    "failure_limit_ppm", "failure_min", "reconnect_per_s", "pilot_gateway",
    "pilot_devices", "gateway", "forced", "except"};

static int64_t *
number_at(struct dvt_plan *p, const struct number *f)
{
	return (int64_t *)(void *)((char *)p + f->at);
}

void
dvt_plan_fini(struct dvt_plan *p)
{
	if (p == NULL)
		return;
	free(p->pilot_devices);
	free(p->except);
	*p = (struct dvt_plan){0};
}

static enum dvt_code
take_text(const json_t *obj, const char *key, char *to, size_t size,
    struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	rc = dvt_json_opt_str(obj, key, size - 1, "", &text, err);
	if (rc == DVT_OK && dvt_copy_str(to, size, text) != 0)
		rc = dvt_fail(err, DVT_E_LIMIT, "%s is too long", key);
	return rc;
}

static enum dvt_code
take_kind(const json_t *obj, enum dvt_rotation_kind *out, struct dvt_err *err)
{
	const char *text;
	enum dvt_code rc;

	if ((rc = dvt_json_get_str(obj, "kind", 32, &text, err)) != DVT_OK)
		return rc;
	*out = dvt_rotation_kind_from_name(text);
	switch (*out) {
	case DVT_ROT_SERVER_CERT:
	case DVT_ROT_SERVER_CA:
	case DVT_ROT_DEVICE_CA:
	case DVT_ROT_RENEWAL:
		return DVT_OK;
	case DVT_ROT_ALGORITHM:
	case DVT_ROT_TRUST_KEY:
		return dvt_fail(err, DVT_E_INPUT,
		    "this version does not run kind '%s'", text);
	case DVT_ROT_KIND_N:
		break;
	}
	return dvt_fail(err, DVT_E_INPUT,
	    "kind '%s' is none of server-cert, server-ca, device-ca, "
	    "renewal",
	    text);
}

static enum dvt_code
take_pilots(const json_t *obj, struct dvt_plan *p, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	rc = dvt_json_opt_list(obj, "pilot_devices", &list, err);
	if (rc != DVT_OK || list == NULL || json_array_size(list) == 0)
		return rc;
	if (json_array_size(list) > DVT_PLAN_LIST_MAX)
		return dvt_fail(err, DVT_E_LIMIT,
		    "pilot_devices: %zu, at most %d", json_array_size(list),
		    DVT_PLAN_LIST_MAX);
	p->pilot_devices = dvt_alloc_array(
	    json_array_size(list), sizeof(*p->pilot_devices));
	json_array_foreach(list, i, item)
	{
		const char *id = json_string_value(item);

		if (id == NULL || id[0] == '\0' ||
		    json_string_length(item) != strlen(id) ||
		    dvt_copy_str(p->pilot_devices[i],
			sizeof(p->pilot_devices[i]), id) != 0)
			return dvt_fail(err, DVT_E_INPUT,
			    "pilot_devices[%zu] is no device id", i);
		if (dvt_plan_pilots(p, id))
			return dvt_fail(err, DVT_E_INPUT,
			    "pilot_devices names '%s' twice", id);
		p->pilot_devices_n = i + 1;
	}
	return DVT_OK;
}

static enum dvt_code
take_exception(const json_t *item, struct dvt_plan *p, struct dvt_err *err)
{
	static const char *const keys[] = {"device", "reason"};
	struct dvt_plan_except *e = &p->except[p->except_n];
	const char *device, *reason;
	enum dvt_code rc;

	if ((rc = dvt_json_only(item, keys, DVT_COUNT(keys), err)) != DVT_OK ||
	    (rc = dvt_json_get_str(
		 item, "device", DVT_DEVICE_ID_MAX, &device, err)) != DVT_OK ||
	    (rc = dvt_json_get_str(
		 item, "reason", DVT_REASON_MAX - 1, &reason, err)) != DVT_OK)
		return rc;
	if (device[0] == '\0' || reason[0] == '\0')
		return dvt_fail(err, DVT_E_INPUT,
		    "an exception needs a device and a reason");
	if (dvt_plan_excepts(p, device) != NULL)
		return dvt_fail(err, DVT_E_INPUT, "names '%s' twice", device);
	if (dvt_copy_str(e->device, sizeof(e->device), device) != 0 ||
	    dvt_copy_str(e->reason, sizeof(e->reason), reason) != 0)
		return dvt_fail(err, DVT_E_LIMIT, "'%s' is too long", device);
	p->except_n++;
	return DVT_OK;
}

static enum dvt_code
take_exceptions(const json_t *obj, struct dvt_plan *p, struct dvt_err *err)
{
	json_t *list, *item;
	size_t i;
	enum dvt_code rc;

	rc = dvt_json_opt_list(obj, "except", &list, err);
	if (rc != DVT_OK || list == NULL || json_array_size(list) == 0)
		return rc;
	if (json_array_size(list) > DVT_PLAN_LIST_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "except: %zu, at most %d",
		    json_array_size(list), DVT_PLAN_LIST_MAX);
	p->except = dvt_alloc_array(json_array_size(list), sizeof(*p->except));
	json_array_foreach(
	    list, i, item) if ((rc = take_exception(item, p, err)) != DVT_OK)
	{
		dvt_err_prefix(err, "except[%zu]", i);
		return rc;
	}
	return DVT_OK;
}

/* What a kind must have and may not have. */
static enum dvt_code
check(const struct dvt_plan *p, struct dvt_err *err)
{
	const char *kind = dvt_rotation_kind_name(p->kind);
	bool two = p->kind == DVT_ROT_SERVER_CA || p->kind == DVT_ROT_DEVICE_CA;

	if (p->to[0] == '\0' && p->kind != DVT_ROT_RENEWAL)
		return dvt_fail(err, DVT_E_INPUT, "%s needs 'to'", kind);
	if (two && p->from[0] == '\0')
		return dvt_fail(err, DVT_E_INPUT, "%s needs 'from'", kind);
	if (two && strcmp(p->from, p->to) == 0)
		return dvt_fail(
		    err, DVT_E_INPUT, "from and to are both '%s'", p->to);
	if (p->forced && p->kind != DVT_ROT_SERVER_CERT)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s cannot be 'forced'", kind);
	if (p->gateway[0] != '\0' && p->kind != DVT_ROT_SERVER_CERT)
		return dvt_fail(err, DVT_E_INPUT,
		    "%s moves every edge; 'gateway' is for server-cert", kind);
	for (size_t i = 0; i < p->pilot_devices_n; i++)
		if (dvt_plan_excepts(p, p->pilot_devices[i]) != NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "'%s' is a pilot device and excepted",
			    p->pilot_devices[i]);
	return DVT_OK;
}

static enum dvt_code
take_fields(const json_t *obj, struct dvt_plan *p, struct dvt_err *err)
{
	enum dvt_code rc;

	if ((rc = dvt_json_only(obj, fields, DVT_COUNT(fields), err)) !=
		DVT_OK ||
	    (rc = take_kind(obj, &p->kind, err)) != DVT_OK ||
	    (rc = take_text(obj, "from", p->from, sizeof(p->from), err)) !=
		DVT_OK ||
	    (rc = take_text(obj, "to", p->to, sizeof(p->to), err)) != DVT_OK ||
	    (rc = take_text(obj, "pilot_gateway", p->pilot_gateway,
		 sizeof(p->pilot_gateway), err)) != DVT_OK ||
	    (rc = take_text(obj, "gateway", p->gateway, sizeof(p->gateway),
		 err)) != DVT_OK ||
	    (rc = dvt_json_opt_bool(obj, "forced", false, &p->forced, err)) !=
		DVT_OK)
		return rc;
	for (size_t i = 0; i < DVT_COUNT(numbers); i++) {
		const struct number *f = &numbers[i];

		rc = dvt_json_opt_i64(obj, f->key, f->least, f->most, f->dflt,
		    number_at(p, f), err);
		if (rc != DVT_OK)
			return rc;
	}
	if ((rc = take_pilots(obj, p, err)) != DVT_OK ||
	    (rc = take_exceptions(obj, p, err)) != DVT_OK)
		return rc;
	return check(p, err);
}

enum dvt_code
dvt_plan_parse(struct dvt_span json, struct dvt_plan *out, struct dvt_err *err)
{
	struct dvt_plan p = {0};
	json_t *obj;
	enum dvt_code rc;

	*out = (struct dvt_plan){0};
	if ((rc = dvt_json_parse(json, DVT_PLAN_MAX, &obj, err)) != DVT_OK)
		return rc;
	rc = take_fields(obj, &p, err);
	json_decref(obj);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "plan");
		dvt_plan_fini(&p);
		return rc;
	}
	*out = p;
	return DVT_OK;
}

static json_t *
lists_of(const struct dvt_plan *p, json_t **pilots)
{
	json_t *except = json_array();

	*pilots = json_array();
	for (size_t i = 0; i < p->pilot_devices_n; i++)
		json_array_append_new(
		    *pilots, json_string(p->pilot_devices[i]));
	for (size_t i = 0; i < p->except_n; i++)
		json_array_append_new(except,
		    json_pack("{s:s, s:s}", "device", p->except[i].device,
			"reason", p->except[i].reason));
	return except;
}

void
dvt_plan_format(const struct dvt_plan *p, struct dvt_buf *out)
{
	struct dvt_plan copy = *p;
	json_t *obj, *pilots, *except;

	obj = json_pack("{s:s, s:s, s:s}", "kind",
	    dvt_rotation_kind_name(p->kind), "from", p->from, "to", p->to);
	for (size_t i = 0; i < DVT_COUNT(numbers); i++)
		json_object_set_new(obj, numbers[i].key,
		    json_integer(*number_at(&copy, &numbers[i])));
	except = lists_of(p, &pilots);
	json_object_set_new(
	    obj, "pilot_gateway", json_string(p->pilot_gateway));
	json_object_set_new(obj, "pilot_devices", pilots);
	json_object_set_new(obj, "gateway", json_string(p->gateway));
	json_object_set_new(obj, "forced", json_boolean(p->forced));
	json_object_set_new(obj, "except", except);
	dvt_json_put(out, obj);
	json_decref(obj);
}

void
dvt_plan_digest(const struct dvt_plan *p, char out[DVT_DIGEST_HEX])
{
	uint8_t hash[32];
	struct dvt_buf text;

	dvt_buf_init(&text, DVT_PLAN_MAX * 2);
	dvt_plan_format(p, &text);
	if (EVP_Digest(text.p, text.n, hash, NULL, EVP_sha256(), NULL) != 1)
		memset(hash, 0, sizeof(hash));
	dvt_hex(hash, sizeof(hash), out, DVT_DIGEST_HEX);
	dvt_buf_fini(&text);
}

const char *
dvt_plan_excepts(const struct dvt_plan *p, const char *device)
{
	for (size_t i = 0; i < p->except_n; i++)
		if (strcmp(p->except[i].device, device) == 0)
			return p->except[i].reason;
	return NULL;
}

bool
dvt_plan_pilots(const struct dvt_plan *p, const char *device)
{
	for (size_t i = 0; i < p->pilot_devices_n; i++)
		if (strcmp(p->pilot_devices[i], device) == 0)
			return true;
	return false;
}

bool
dvt_plan_has(enum dvt_rotation_kind kind, enum dvt_phase phase)
{
	bool moves_trust = kind == DVT_ROT_SERVER_CA ||
			   kind == DVT_ROT_DEVICE_CA ||
			   kind == DVT_ROT_ALGORITHM;

	return (phase != DVT_PHASE_OVERLAP && phase != DVT_PHASE_RETIRE) ||
	       moves_trust;
}

int64_t
dvt_plan_last_safe(const struct dvt_plan *p, const int64_t *ends, size_t n)
{
	int64_t first = 0, needs = 2 * p->wave_min_s + p->observe_min_s;

	if (dvt_plan_has(p->kind, DVT_PHASE_OVERLAP))
		needs += p->overlap_min_s;
	for (size_t i = 0; i < n; i++)
		if (ends[i] > 0 && (first == 0 || ends[i] < first))
			first = ends[i];
	return first == 0 ? 0 : first - needs;
}
