/* SPDX-License-Identifier: Apache-2.0 */
/* The state tables, as the engine has them. */
#include "api/handlers.h"
#include "fleet/machine.h"
#include "wire/json.h"

#define MACHINE_MAX (1 << 20) /* bytes of one table as JSON */

/* GET /v1/machines */
enum dvt_code
api_get_machines(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	json_t *names = json_array();

	(void)app;
	(void)req;
	(void)err;
	for (size_t i = 0; i < dvt_machines_n; i++)
		json_array_append_new(
		    names, json_string(dvt_machines[i]->name));
	dvt_reply_list(reply, names, NULL);
	return DVT_OK;
}

/* GET /v1/machines/{name} */
enum dvt_code
api_get_machine(struct dvt_app *app, const struct dvt_req *req,
    struct dvt_reply *reply, struct dvt_err *err)
{
	const char *name = dvt_req_path(req, "name");
	const struct dvt_machine *machine = dvt_machine_find(name);
	struct dvt_buf text;
	json_t *table;
	enum dvt_code rc;

	(void)app;
	if (machine == NULL)
		return dvt_fail(err, DVT_E_ABSENT,
		    "there is no machine %.64s (GET /v1/machines)", name);
	dvt_buf_init(&text, MACHINE_MAX);
	dvt_machine_json(machine, &text);
	rc = dvt_json_parse(dvt_buf_span(&text), MACHINE_MAX, &table, err);
	if (rc == DVT_OK)
		dvt_reply_json(reply, 200, table);
	dvt_buf_fini(&text);
	return rc;
}
