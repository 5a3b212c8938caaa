/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a program: one table gives key, type, unit, range, default and
 * help; the file is INI with dotted keys, flat or in sections. Every error
 * names file, line and key; an unknown key is refused with the nearest known.
 */
#ifndef DVT_PROC_CONFIG_H
#define DVT_PROC_CONFIG_H

#include "base/span.h"

#define DVT_SETTING_TYPES(X)                                                   \
	X(DVT_SET_BOOL, "yes or no")                                           \
	X(DVT_SET_INT, "number")                                               \
	X(DVT_SET_SECONDS, "duration") /* 90, 90s, 15m, 24h, 7d, 2w, 1y */     \
	X(DVT_SET_MS, "duration")      /* 500ms, or as above; kept as ms */    \
	X(DVT_SET_BYTES, "size")       /* 4096, 64k, 1M, 2G */                 \
	X(DVT_SET_TEXT, "text")                                                \
	X(DVT_SET_PATH, "path")   /* relative: to the file's folder */         \
	X(DVT_SET_CHOICE, "word") /* one of the words in choices */            \
	X(DVT_SET_LIST, "list")   /* blank or comma between the items */       \
	X(DVT_SET_PATHS, "paths") /* a list; each relative as a PATH */        \
	X(DVT_SET_OUTPUT, "path") /* a PATH, or - for standard output */       \
	X(DVT_SET_PLACE, "text")  /* after file: or unix: a PATH */            \
	X(DVT_SET_PLACES, "list") /* of PLACEs */
#define DVT_SETTING_ENUM(id, name) id,
enum dvt_setting_type { DVT_SETTING_TYPES(DVT_SETTING_ENUM) };

struct dvt_setting {
	/*
	 * "gateway.tls.logHandshakes". With "KIND *." in front it is a setting
	 * of each section [KIND NAME] that the file has; its full key is
	 * "KIND NAME.key" then.
	 */
	const char *key;
	enum dvt_setting_type type;
	const char *unit;  /* "s", "bytes", or the words of a CHOICE: "a|b" */
	int64_t min, max;  /* of numbers; of the length of texts. 0, 0: any */
	const char *dflt;  /* as in the file; NULL: must be given */
	const char *help;  /* one sentence */
	const char *alias; /* another spelling that is accepted, or NULL */
};

struct dvt_config;

/**
 * dvt_config_load() - read and check a settings file
 * @table: @n settings; must outlive the configuration
 * @path:  the file; NULL: defaults alone
 * @out:   the caller's; dvt_config_free()
 *
 * Return: DVT_OK; DVT_E_INPUT ("file:line: key: why"); DVT_E_LIMIT (file over
 *         DVT_CONFIG_MAX); DVT_E_SYSTEM.
 */
DVT_MUST_USE enum dvt_code dvt_config_load(const struct dvt_setting *table,
    size_t n, const char *path, struct dvt_config **out, struct dvt_err *err);
/* The same from memory; @name stands for the file in errors. */
DVT_MUST_USE enum dvt_code dvt_config_parse(const struct dvt_setting *table,
    size_t n, struct dvt_span text, const char *name, struct dvt_config **out,
    struct dvt_err *err);
/* "key=value" of a command line, over what the file says. */
DVT_MUST_USE enum dvt_code dvt_config_set(
    struct dvt_config *c, const char *key_value, struct dvt_err *err);
void dvt_config_free(struct dvt_config *c);

/* By key; asking for a key that is not in the table is our own mistake. */
bool dvt_config_bool(const struct dvt_config *c, const char *key);
/* Numbers, durations (SECONDS: s, MS: ms), sizes (bytes). */
int64_t dvt_config_int(const struct dvt_config *c, const char *key);
/* Text, absolute path, word; NULL when empty. Borrowed. */
const char *dvt_config_text(const struct dvt_config *c, const char *key);
/* Items of a list; @i from 0; NULL after the last. Borrowed. */
const char *dvt_config_item(
    const struct dvt_config *c, const char *key, size_t i);
bool dvt_config_given(const struct dvt_config *c, const char *key);
/* Name of the @i-th section [@kind NAME] of the file; NULL after the last. */
const char *dvt_config_group(
    const struct dvt_config *c, const char *kind, size_t i);
/* As dvt_config_text(), of "KIND NAME.key". */
const char *dvt_config_group_text(const struct dvt_config *c, const char *kind,
    const char *name, const char *key);

/* Every setting with its value now, as a file that can be read back. */
void dvt_config_dump(const struct dvt_config *c, struct dvt_buf *out);
/* The table as a commented file with the defaults ("dovetail init"). */
void dvt_settings_sample(
    const struct dvt_setting *table, size_t n, struct dvt_buf *out);
/* The table as a man page (mdoc) of its own: "| man -l -" shows it. */
void dvt_settings_man(const char *program, const struct dvt_setting *table,
    size_t n, struct dvt_buf *out);

#endif
