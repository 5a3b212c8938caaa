/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's command line: words to a REST call, its answer to a table or
 * (--json) to JSON. Nothing is decided here and no file of the control plane
 * but its socket is touched.
 */
#ifndef DVT_CLI_CLI_H
#define DVT_CLI_CLI_H

#include "base/limits.h"
#include "base/mem.h"
#include "base/span.h"
#include "wire/json.h"

#include <stdio.h>

#define CLI_ARGS_MAX 16
#define CLI_OPTS_MAX 256 /* each excepted device is one */
#define CLI_PAGE     500 /* rows asked for at a time */
#define CLI_WIDTH    100 /* columns of what people read */

struct cli {
	char *socket;            /* Unix socket of the control plane, or NULL */
	const char *url;         /* "https://host:port", or NULL */
	const char *ca;          /* PEM file that verifies it */
	struct dvt_secret token; /* empty: none */
	bool json;               /* --json: answers as they came */
	json_t *problem;         /* last problem document, or NULL */

	/* the command's own words */
	const char *arg[CLI_ARGS_MAX];
	size_t args;
	struct {
		const char *name; /* name_len of it, in argv */
		size_t name_len;
		const char *value; /* "" without one */
	} opt[CLI_OPTS_MAX];
	size_t opts;
};

struct cli_command {
	const char *words; /* "device list" */
	size_t least, most;
	const char *usage;   /* of its arguments, for people */
	const char *options; /* "state= json": "=" takes a value */
	enum dvt_code (*run)(struct cli *c, struct dvt_err *err);
	const char *help;
};
extern const struct cli_command cli_commands[];
extern const size_t cli_commands_n;

/* The command that @argv begins with, or NULL; @used: out: its words, or NULL.
 */
const struct cli_command *cli_find(char **argv, size_t n, size_t *used);
/* --help or -h is among the words. */
bool cli_help_wanted(char **argv, size_t n);
/* Of the command, else of the noun, that @argv begins with, else all. */
void cli_help(FILE *to, char **argv, size_t n);

/* Options before the command; *at moves to the first word. DVT_E_INPUT. */
DVT_MUST_USE enum dvt_code cli_parse_global(
    struct cli *c, char **argv, size_t n, size_t *at, struct dvt_err *err);
/**
 * cli_parse() - words of a command line into @c
 * @cmd: out: the command; NULL when there is none of these words
 *
 * Words and values are borrowed from @argv. DVT_OK; DVT_E_INPUT with usage.
 */
DVT_MUST_USE enum dvt_code cli_parse(struct cli *c, char **argv, size_t n,
    const struct cli_command **cmd, struct dvt_err *err);

/* Value of "--name", NULL when not given ("" for one without a value). */
const char *cli_opt(const struct cli *c, const char *name);
/* The @i-th value of an option that may be repeated, or NULL. */
const char *cli_opt_nth(const struct cli *c, const char *name, size_t i);

/**
 * cli_call() - one REST call
 * @method: "GET", "POST", "DELETE"
 * @body:   borrowed; NULL: none
 * @out:    the answer, the caller's; may be NULL
 *
 * Return: DVT_OK for 2xx; else the code of the problem document with its
 *         detail as text (the whole document is in @c->problem).
 */
DVT_MUST_USE enum dvt_code cli_call(struct cli *c, const char *method,
    const char *target, const json_t *body, json_t **out, struct dvt_err *err);
/* The same with bytes as body. */
DVT_MUST_USE enum dvt_code cli_send(struct cli *c, const char *method,
    const char *target, const char *type, struct dvt_span body, json_t **out,
    struct dvt_err *err);
/* All pages of a list as one array, the caller's. */
DVT_MUST_USE enum dvt_code cli_list(
    struct cli *c, const char *target, json_t **items, struct dvt_err *err);
/* Append "?key=value" or "&key=value", percent-encoded; NULL value: nothing */
void cli_query(struct dvt_buf *target, const char *key, const char *value);
/* A path segment, percent-encoded. */
void cli_segment(struct dvt_buf *target, const char *text);

/* How a cell is written */
enum cli_form {
	CLI_TEXT,
	CLI_NUMBER, /* right-aligned */
	CLI_DATE,   /* Unix seconds as a day */
	CLI_AGO,    /* Unix seconds as "3 min ago"; 0: "never" */
	CLI_TIME,   /* Unix seconds in full */
	CLI_YES,    /* 0/1 or true/false as "yes" or "" */
	CLI_SHORT,  /* a digest, its first 12 digits */
	CLI_LIST,   /* a list of texts, by blanks */
};
struct cli_column {
	const char *title;
	const char *field; /* "trust.confirmed" goes down */
	enum cli_form form;
};
/* Rows of @items within 100 columns; says so when there are none. */
void cli_table(const json_t *items, const struct cli_column *columns, size_t n,
    const char *nothing);
/* "name: value" lines of one object. */
void cli_fields(const json_t *object, const struct cli_column *rows, size_t n);
/**
 * cli_ask() - GET @target; with --json that is the output
 * @answer: out: the caller's; NULL when it was printed, or on failure
 */
DVT_MUST_USE enum dvt_code cli_ask(
    struct cli *c, const char *target, json_t **answer, struct dvt_err *err);
/**
 * cli_show() - one answer of the API, whole as JSON or a list of it as a table
 * @target:  what to GET
 * @field:   the list
 * @nothing: text for a list that is empty
 */
DVT_MUST_USE enum dvt_code cli_show(struct cli *c, const char *target,
    const char *field, const struct cli_column *columns, size_t n,
    const char *nothing, struct dvt_err *err);
/**
 * cli_none() - what a list that is empty says
 * @what: "No device"
 * @keys: @n options that filter; the first argument filters as well
 * @otherwise: all of the text when nothing was filtered by
 *
 * "No device for \"x\", --state parked." Return: @out or @otherwise.
 */
#define CLI_NONE 256
const char *cli_none(const struct cli *c, const char *what,
    const char *const *keys, size_t n, const char *otherwise,
    char out[CLI_NONE]);
/* One cell as text, at most @size. */
const char *cli_cell(const json_t *object, const char *field,
    enum cli_form form, char *out, size_t size);
/* --json: the answer as it is, with a line feed. */
void cli_print_json(const json_t *value);
/* Lines of at most CLI_WIDTH columns, broken at blanks. */
void cli_print_wrapped(const char *text);
/* The table of a refusal ("devices": [{device, reason}]) on standard error */
void cli_print_refused(const json_t *problem);

/* Append a whole file or pipe (dvt_read_fd()); "-" is standard input. */
DVT_MUST_USE enum dvt_code cli_read_file(
    const char *path, struct dvt_buf *out, struct dvt_err *err);

/* --- the commands, by file --- */
typedef enum dvt_code cli_run(struct cli *c, struct dvt_err *err);
cli_run cmd_status, cmd_explain, cmd_machine_show, cmd_completion;
cli_run cmd_device_list, cmd_device_show, cmd_device_updates, cmd_device_secret,
    cmd_device_block, cmd_device_unblock, cmd_device_recover;
cli_run cmd_device_config_set, cmd_device_config_list, cmd_device_config_get,
    cmd_device_config_remove, cmd_device_config_unlock;
cli_run cmd_device_import;
cli_run cmd_authority_list, cmd_authority_create, cmd_authority_import,
    cmd_authority_cross_sign, cmd_authority_retire, cmd_authority_revoke,
    cmd_authority_dependents, cmd_security_ca_list;
cli_run cmd_trust_status, cmd_trust_update;
cli_run cmd_trust_check;
cli_run cmd_rotation_plan, cmd_rotation_list, cmd_rotation_status,
    cmd_rotation_start, cmd_rotation_pause, cmd_rotation_resume,
    cmd_rotation_abort, cmd_rotation_rollback;
cli_run cmd_gateway_list, cmd_gateway_add, cmd_gateway_remove, cmd_gateway_csr,
    cmd_gateway_rotate, cmd_gateway_rollback, cmd_gateway_recover,
    cmd_gateway_validate, cmd_gateway_reload, cmd_gateway_log;
cli_run cmd_cert_inspect, cmd_cert_verify, cmd_cert_revoke, cmd_cert_list;
cli_run cmd_logs_counts, cmd_logs_device, cmd_event_list, cmd_event_follow,
    cmd_alert_list, cmd_alert_ack;
cli_run cmd_approval_list, cmd_approval_give, cmd_policy_show, cmd_policy_set,
    cmd_token_list, cmd_token_create, cmd_token_revoke, cmd_audit_verify,
    cmd_audit_export;

#endif
