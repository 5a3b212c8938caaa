/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings file: see config.h. inih splits the lines; it is fed line by line
 * from memory, so that each error can name its line and a continuation can be
 * told from a key given twice.
 */
#include "proc/config.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "proc/config_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOLD_MAX       400 /* bytes of mistakes told at once */
#define GROUP_NAME_MAX 32  /* inih keeps 49 characters of [KIND NAME] */

struct value {
	char *text; /* NULL: not given */
	int64_t number;
	int line; /* of the file; 0: default or command line */
	char **items;
	size_t items_n;
};

/* A section [KIND NAME]. */
struct group {
	char *kind, *name;
};

struct dvt_config {
	struct dvt_setting *table; /* a copy; settings of groups behind it */
	struct value *values;
	size_t n;
	size_t fixed; /* of the table as given; keys behind are ours */
	struct group *groups;
	size_t groups_n;
	char *name;   /* of the file, for errors */
	char *folder; /* relative paths begin here */
};

/* While a file is read. */
struct reading {
	struct dvt_config *c;
	struct dvt_span rest;
	int line;
	bool indented; /* this line begins with a blank */
	size_t last;   /* setting of the line before; SIZE_MAX: none */
	bool slipped;  /* the line before is a mistake */
	struct dvt_err *err;
	enum dvt_code rc;
	/* all mistakes are told, of very many the first */
	enum dvt_code wrong; /* of the first */
	struct dvt_buf mistakes;
	int more;
};

static size_t
find(const struct dvt_config *c, const char *key)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strstr(c->table[i].key, " *.") != NULL)
			continue; /* stands for others */
		if (strcmp(c->table[i].key, key) == 0 ||
		    (c->table[i].alias != NULL &&
			strcmp(c->table[i].alias, key) == 0))
			return i;
	}
	return c->n;
}

/* --- sections [KIND NAME] --- */

/* Where "*." is in the key of a setting of a section; NULL: it is plain. */
static const char *
star_of(const struct dvt_setting *s)
{
	const char *star = strstr(s->key, " *.");

	return star != NULL ? star + 1 : NULL;
}

/* Does @key fit "KIND *.rest"? Then its NAME. */
static bool
fits(const struct dvt_setting *s, const char *key, struct dvt_span *name)
{
	const char *star = star_of(s);
	size_t before = star != NULL ? (size_t)(star - s->key) : 0;
	size_t after = star != NULL ? strlen(star + 1) : 0;
	size_t n = strlen(key);

	if (star == NULL || n <= before + after ||
	    strncmp(key, s->key, before) != 0 ||
	    strcmp(key + n - after, star + 1) != 0)
		return false;
	*name = (struct dvt_span){
	    (const uint8_t *)key + before, n - before - after};
	return true;
}

static enum dvt_code
group_name_check(const char *name, struct dvt_err *err)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) &&
		    strchr("._-", name[i]) == NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "\"%.64s\": letters, digits, \".\", \"_\" and "
			    "\"-\" make the name of a section",
			    name);
	if (n > GROUP_NAME_MAX)
		return dvt_fail(err, DVT_E_INPUT,
		    "a section's name of %zu characters, at most %d", n,
		    GROUP_NAME_MAX);
	return DVT_OK;
}

/* Every setting of this kind of section, for one name. */
static enum dvt_code
group_add(struct dvt_config *c, const struct dvt_setting *like,
    const char *name, struct dvt_err *err)
{
	size_t kind_n = (size_t)(star_of(like) - like->key) - 1;
	char *kind = dvt_strndup(like->key, kind_n);
	enum dvt_code rc = group_name_check(name, err);

	if (rc == DVT_OK && c->groups_n == DVT_CONFIG_GROUPS)
		rc = dvt_fail(err, DVT_E_LIMIT, "over %d sections [%s NAME]",
		    DVT_CONFIG_GROUPS, kind);
	if (rc != DVT_OK) {
		free(kind);
		return rc;
	}
	for (size_t i = 0; i < c->fixed; i++) {
		const struct dvt_setting s = c->table[i]; /* it may move */
		const char *star = star_of(&s);

		if (star == NULL || strncmp(s.key, kind, kind_n) != 0 ||
		    star != s.key + kind_n + 1)
			continue;
		c->table = dvt_realloc(
		    c->table, (c->n + 1) * sizeof(*c->table));
		c->values = dvt_realloc(
		    c->values, (c->n + 1) * sizeof(*c->values));
		c->table[c->n] = s;
		c->table[c->n].key = dvt_asprintf(
		    "%s %s%s", kind, name, star + 1);
		c->values[c->n++] = (struct value){0};
	}
	c->groups = dvt_realloc(
	    c->groups, (c->groups_n + 1) * sizeof(*c->groups));
	c->groups[c->groups_n++] = (struct group){kind, dvt_strdup(name)};
	return DVT_OK;
}

/* The setting of that key; its section is made when it is new. n: none. */
static enum dvt_code
find_or_add(
    struct dvt_config *c, const char *key, size_t *at, struct dvt_err *err)
{
	struct dvt_span name;

	*at = find(c, key);
	for (size_t i = 0; *at == c->n && i < c->fixed; i++) {
		enum dvt_code rc;
		char *text;

		if (!fits(&c->table[i], key, &name))
			continue;
		text = dvt_strndup((const char *)name.p, name.n);
		rc = group_add(c, &c->table[i], text, err);
		free(text);
		if (rc != DVT_OK)
			return rc;
		*at = find(c, key);
		break;
	}
	return DVT_OK;
}

static size_t
must_find(const struct dvt_config *c, const char *key)
{
	size_t i = find(c, key);

	assert(i < c->n); /* a key that is not in the table: our mistake */
	return i;
}

/* An absolute path; @path is no longer than its text. */
static char *
path_full(const struct dvt_config *c, const char *path, size_t n)
{
	char *one = dvt_strndup(path, n), *full;

	if (n == 0 || path[0] == '/')
		return one;
	full = dvt_asprintf("%s/%s", c->folder, one);
	free(one);
	return full;
}

/* "file:PATH", "unix:PATH", "mqtt:unix:PATH" with an absolute path. */
static char *
place_full(const struct dvt_config *c, const char *text, size_t n)
{
	static const char *const kinds[] = {"file:", "unix:", "mqtt:unix:"};
	char *path, *full;

	for (size_t i = 0; i < DVT_COUNT(kinds); i++) {
		size_t k = strlen(kinds[i]);

		if (n <= k || strncmp(text, kinds[i], k) != 0)
			continue;
		path = path_full(c, text + k, n - k);
		full = dvt_asprintf("%s%s", kinds[i], path);
		free(path);
		return full;
	}
	return dvt_strndup(text, n);
}

/* A value, or one of a list, as it is used. */
static char *
item_full(const struct dvt_config *c, enum dvt_setting_type type,
    const char *text, size_t n)
{
	bool is_dash = n == 1 && text[0] == '-';

	if (type == DVT_SET_PLACE || type == DVT_SET_PLACES)
		return place_full(c, text, n);
	if (type == DVT_SET_PATH || type == DVT_SET_PATHS ||
	    (type == DVT_SET_OUTPUT && !is_dash))
		return path_full(c, text, n);
	return dvt_strndup(text, n);
}

static bool
is_list(enum dvt_setting_type type)
{
	return type == DVT_SET_LIST || type == DVT_SET_PATHS ||
	       type == DVT_SET_PLACES;
}

static void
items_split(
    const struct dvt_config *c, enum dvt_setting_type type, struct value *v)
{
	const char *p = v->text;

	while (*p != '\0') {
		size_t n;

		p += strspn(p, " \t\n,");
		n = strcspn(p, " \t\n,");
		if (n == 0)
			break;
		v->items = dvt_realloc(
		    v->items, (v->items_n + 1) * sizeof(*v->items));
		v->items[v->items_n++] = item_full(c, type, p, n);
		p += n;
	}
}

static void
value_fini(struct value *v)
{
	for (size_t i = 0; i < v->items_n; i++)
		free(v->items[i]);
	free(v->items);
	free(v->text);
	*v = (struct value){0};
}

/* As a file can say it: what a line would take for a comment, or for its end,
 * cannot be in a value (nor come from the command line and be dumped). */
static enum dvt_code
sayable(const char *text, struct dvt_err *err)
{
	for (const char *p = text; *p != '\0'; p++) {
		bool first = p == text || p[-1] == '\n';

		if (iscntrl((unsigned char)*p) && *p != '\n' && *p != '\t')
			return dvt_fail(
			    err, DVT_E_INPUT, "control character %d", *p);
		if ((*p == ';' && (first || isblank((unsigned char)p[-1]))) ||
		    (*p == '#' && first && p > text))
			return dvt_fail(err, DVT_E_INPUT,
			    "\"%.16s\" would read as a comment", p);
	}
	return DVT_OK;
}

/* Check and keep; @text is copied. */
static enum dvt_code
value_set(struct dvt_config *c, size_t i, const char *text, int line,
    struct dvt_err *err)
{
	const struct dvt_setting *s = &c->table[i];
	struct value v = {.line = line};
	enum dvt_code rc = sayable(text, err);

	if (rc == DVT_OK)
		rc = dvt_setting_check(s, text, &v.number, err);
	if (rc != DVT_OK) {
		dvt_err_prefix(err, "%s", s->key);
		return rc;
	}
	v.text = is_list(s->type) ? dvt_strdup(text)
				  : item_full(c, s->type, text, strlen(text));
	if (is_list(s->type))
		items_split(c, s->type, &v);
	value_fini(&c->values[i]);
	c->values[i] = v;
	return DVT_OK;
}

/* The next line for inih; NULL at the end or after a failure. */
static char *
next_line(char *out, int size, void *stream)
{
	struct reading *r = stream;
	const uint8_t *end;
	size_t n;

	if (r->rest.n == 0 || r->rc != DVT_OK)
		return NULL;
	end = memchr(r->rest.p, '\n', r->rest.n);
	n = end != NULL ? (size_t)(end - r->rest.p) + 1 : r->rest.n;
	r->line++;
	if (n >= (size_t)size) {
		r->rc = dvt_fail(r->err, DVT_E_LIMIT,
		    "%s:%d: line of %zu bytes, at most %d", r->c->name, r->line,
		    n, size - 1);
		return NULL;
	}
	memcpy(out, r->rest.p, n);
	out[n] = '\0';
	r->indented = out[0] == ' ' || out[0] == '\t';
	r->rest = dvt_span_from(r->rest, n);
	return out;
}

/* Lists and JSON may go on, indented; all else is a slip worth telling. */
static enum dvt_code
go_on(struct dvt_config *c, size_t i, const char *more, struct dvt_err *err)
{
	const struct value *v = &c->values[i];
	enum dvt_code rc;
	char *joined;

	if (!is_list(c->table[i].type) && v->text[0] != '[' &&
	    v->text[0] != '{')
		return dvt_fail(err, DVT_E_INPUT,
		    "%s: an indented line would go on with it; keys begin in "
		    "the first column",
		    c->table[i].key);
	joined = dvt_asprintf("%s\n%s", v->text, more);
	rc = value_set(c, i, joined, v->line, err);
	free(joined);
	return rc;
}

static enum dvt_code
unknown(const struct dvt_config *c, const char *key, struct dvt_err *err)
{
	const char *near = dvt_setting_nearest(c->table, c->n, key);

	if (near == NULL)
		return dvt_fail(err, DVT_E_INPUT, "%s: unknown setting", key);
	return dvt_fail(err, DVT_E_INPUT,
	    "%s: unknown setting; did you mean %s?", key, near);
}

/* Keep a mistake for the end; what goes on with it is none of its own. */
static void
slip(struct reading *r, enum dvt_code rc, const struct dvt_err *why)
{
	bool goes_on = r->indented && r->slipped;

	r->slipped = true;
	if (goes_on)
		return;
	if (r->wrong == DVT_OK)
		r->wrong = rc;
	if (r->mistakes.n > 0 && r->mistakes.n + strlen(why->text) >= TOLD_MAX)
		r->more++;
	else
		dvt_buf_printf(&r->mistakes, "%s%s:%d: %s",
		    r->mistakes.n > 0 ? "; " : "", r->c->name, r->line,
		    why->text);
}

static int
on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	char *key = section[0] == '\0' ? dvt_strdup(name)
				       : dvt_asprintf("%s.%s", section, name);
	struct dvt_err why = {0};
	enum dvt_code rc;
	size_t i = r->c->n;

	rc = find_or_add(r->c, key, &i, &why);
	if (rc == DVT_OK && i == r->c->n)
		rc = unknown(r->c, key, &why);
	else if (rc != DVT_OK)
		; /* told already */
	else if (r->indented && i == r->last && r->c->values[i].text != NULL)
		rc = go_on(r->c, i, value, &why);
	else if (r->c->values[i].text != NULL)
		rc = dvt_fail(&why, DVT_E_INPUT, "%s: given already in line %d",
		    key, r->c->values[i].line);
	else
		rc = value_set(r->c, i, value, r->line, &why);
	if (rc != DVT_OK)
		slip(r, rc, &why);
	else
		r->slipped = false;
	r->last = i;
	free(key);
	return 1;
}

/* The mistakes in one text. */
static enum dvt_code
mistakes_tell(struct reading *r)
{
	if (r->wrong == DVT_OK)
		return DVT_OK;
	if (r->more > 0)
		dvt_buf_printf(&r->mistakes, "; and %d more", r->more);
	return dvt_fail(r->err, r->wrong, "%s", dvt_buf_str(&r->mistakes));
}

static enum dvt_code
lines_read(struct dvt_config *c, struct dvt_span text, struct dvt_err *err)
{
	struct reading r = {.c = c, .rest = text, .last = SIZE_MAX, .err = err};
	struct dvt_err why;
	int bad;

	if (text.n > DVT_CONFIG_MAX)
		return dvt_fail(err, DVT_E_LIMIT, "%s: %zu bytes, at most %d",
		    c->name, text.n, DVT_CONFIG_MAX);
	if (text.n > 0 && memchr(text.p, 0, text.n) != NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "%s: not a text (NUL byte)", c->name);
	ini_use_stack = false;
	ini_max_line = DVT_CONFIG_LINE;
	ini_initial_alloc = DVT_CONFIG_LINE;
	ini_stop_on_first_error = true;
	dvt_buf_init(&r.mistakes, 2 * TOLD_MAX);
	bad = ini_parse_stream(next_line, &r, on_pair, &r);
	if (r.rc == DVT_OK && bad != 0) {
		(void)dvt_fail(&why, DVT_E_INPUT,
		    "neither \"[section]\" nor \"key = value\"");
		r.slipped = false;
		slip(&r, DVT_E_INPUT, &why);
	}
	if (r.rc == DVT_OK)
		r.rc = mistakes_tell(&r);
	dvt_buf_fini(&r.mistakes);
	return r.rc;
}

static enum dvt_code
defaults_set(struct dvt_config *c, struct dvt_err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct dvt_setting *s = &c->table[i];
		enum dvt_code rc;

		if (c->values[i].text != NULL)
			continue;
		if (star_of(s) != NULL) { /* of sections that are not there */
			c->values[i].text = dvt_strdup("");
			continue;
		}
		if (s->dflt == NULL)
			return dvt_fail(err, DVT_E_INPUT,
			    "%s: %s: must be given (%s)", c->name, s->key,
			    s->help);
		/* a default need not be within the range: "" and 0 are "none"
		 */
		if (s->dflt[0] == '\0') {
			c->values[i].text = dvt_strdup("");
			continue;
		}
		if ((rc = value_set(c, i, s->dflt, 0, err)) != DVT_OK)
			return rc;
	}
	return DVT_OK;
}

static char *
folder_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	char here[4096], *relative, *full;

	if (slash == name)
		return dvt_strdup("");
	if (slash != NULL && name[0] == '/')
		return dvt_strndup(name, (size_t)(slash - name));
	if (getcwd(here, sizeof(here)) == NULL)
		here[0] = '\0';
	if (slash == NULL)
		return dvt_strdup(here);
	relative = dvt_strndup(name, (size_t)(slash - name));
	full = dvt_asprintf("%s/%s", here, relative);
	free(relative);
	return full;
}

enum dvt_code
dvt_config_parse(const struct dvt_setting *table, size_t n,
    struct dvt_span text, const char *name, struct dvt_config **out,
    struct dvt_err *err)
{
	struct dvt_config *c = dvt_alloc(sizeof(*c));
	enum dvt_code rc;

	*out = NULL;
	c->table = dvt_alloc_array(n + 1, sizeof(*c->table));
	memcpy(c->table, table, n * sizeof(*c->table));
	c->n = c->fixed = n;
	c->values = dvt_alloc_array(n + 1, sizeof(*c->values));
	c->name = dvt_strdup(name);
	c->folder = folder_of(name);
	rc = lines_read(c, text, err);
	if (rc == DVT_OK)
		rc = defaults_set(c, err);
	if (rc != DVT_OK) {
		dvt_config_free(c);
		return rc;
	}
	*out = c;
	return DVT_OK;
}

enum dvt_code
dvt_config_load(const struct dvt_setting *table, size_t n, const char *path,
    struct dvt_config **out, struct dvt_err *err)
{
	struct dvt_buf text;
	enum dvt_code rc;

	*out = NULL;
	if (path == NULL)
		return dvt_config_parse(
		    table, n, (struct dvt_span){NULL, 0}, "defaults", out, err);
	dvt_buf_init(&text, DVT_CONFIG_MAX);
	if ((rc = dvt_read_regular(path, &text, err)) != DVT_OK)
		dvt_err_prefix(err, "settings");
	else
		rc = dvt_config_parse(
		    table, n, dvt_buf_span(&text), path, out, err);
	dvt_buf_fini(&text);
	return rc;
}

enum dvt_code
dvt_config_set(struct dvt_config *c, const char *key_value, struct dvt_err *err)
{
	const char *eq = strchr(key_value, '=');
	enum dvt_code rc;
	char *key;
	size_t i;

	if (eq == NULL || strchr(eq, '\n') != NULL)
		return dvt_fail(
		    err, DVT_E_INPUT, "\"%s\" is no key=value", key_value);
	key = dvt_strndup(key_value, (size_t)(eq - key_value));
	if ((rc = find_or_add(c, key, &i, err)) == DVT_OK)
		rc = i == c->n ? unknown(c, key, err)
			       : value_set(c, i, eq + 1, 0, err);
	if (rc == DVT_OK)
		rc = defaults_set(c, err); /* of a section that is new */
	if (rc == DVT_OK)
		c->values[i].line = -1; /* given, but by no line */
	free(key);
	return rc;
}

void
dvt_config_free(struct dvt_config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++) {
		value_fini(&c->values[i]);
		if (i >= c->fixed)
			free((char *)(uintptr_t)c->table[i].key);
	}
	for (size_t i = 0; i < c->groups_n; i++) {
		free(c->groups[i].kind);
		free(c->groups[i].name);
	}
	free(c->groups);
	free(c->table);
	free(c->values);
	free(c->name);
	free(c->folder);
	free(c);
}

bool
dvt_config_bool(const struct dvt_config *c, const char *key)
{
	return c->values[must_find(c, key)].number != 0;
}

int64_t
dvt_config_int(const struct dvt_config *c, const char *key)
{
	return c->values[must_find(c, key)].number;
}

const char *
dvt_config_text(const struct dvt_config *c, const char *key)
{
	const char *text = c->values[must_find(c, key)].text;

	return text[0] != '\0' ? text : NULL;
}

const char *
dvt_config_item(const struct dvt_config *c, const char *key, size_t i)
{
	const struct value *v = &c->values[must_find(c, key)];

	return i < v->items_n ? v->items[i] : NULL;
}

bool
dvt_config_given(const struct dvt_config *c, const char *key)
{
	return c->values[must_find(c, key)].line != 0;
}

const char *
dvt_config_group(const struct dvt_config *c, const char *kind, size_t i)
{
	for (size_t k = 0; k < c->groups_n; k++)
		if (strcmp(c->groups[k].kind, kind) == 0 && i-- == 0)
			return c->groups[k].name;
	return NULL;
}

const char *
dvt_config_group_text(const struct dvt_config *c, const char *kind,
    const char *name, const char *key)
{
	char *full = dvt_asprintf("%s %s.%s", kind, name, key);
	const char *text = dvt_config_text(c, full);

	free(full);
	return text;
}

/* A value as it can be read back: what goes on is indented. */
static void
value_put(struct dvt_buf *out, const char *key, const char *text)
{
	dvt_buf_printf(out, "%s =%s", key, text[0] != '\0' ? " " : "");
	for (const char *p = text; *p != '\0'; p++) {
		dvt_buf_putc(out, *p);
		if (*p == '\n')
			dvt_buf_puts(out, "  ");
	}
	dvt_buf_putc(out, '\n');
}

void
dvt_config_dump(const struct dvt_config *c, struct dvt_buf *out)
{
	for (size_t i = 0; i < c->n; i++)
		if (star_of(&c->table[i]) == NULL)
			value_put(out, c->table[i].key, c->values[i].text);
}

void
dvt_settings_sample(
    const struct dvt_setting *table, size_t n, struct dvt_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct dvt_setting *s = &table[i];
		const char *star = star_of(s);

		if (star != NULL)
			dvt_buf_printf(out, "# In sections [%.*sNAME], %s: ",
			    (int)(star - s->key), s->key, star + 2);
		else
			dvt_buf_puts(out, "# ");
		dvt_buf_printf(out, "%s (", s->help);
		dvt_setting_type_format(s, out);
		dvt_buf_puts(out, ")\n");
		if (star != NULL)
			dvt_buf_putc(out, '\n');
		else if (s->dflt == NULL)
			dvt_buf_printf(out, "%s =\n\n", s->key);
		else
			dvt_buf_printf(out, "#%s = %s\n\n", s->key, s->dflt);
	}
}

static void
man_item(const struct dvt_setting *s, struct dvt_buf *out)
{
	const char *star = star_of(s);

	if (star != NULL)
		dvt_buf_printf(out, ".It Cm [%.*sNAME] %s\n",
		    (int)(star - s->key), s->key, star + 2);
	else
		dvt_buf_printf(out, ".It Cm %s\n", s->key);
	dvt_buf_printf(out, "%s\n.Pq ", s->help);
	dvt_setting_type_format(s, out);
	if (s->dflt == NULL)
		dvt_buf_puts(out, "; must be given\n");
	else if (s->dflt[0] != '\0')
		dvt_buf_printf(out, "; default %s", s->dflt);
	if (s->dflt != NULL)
		dvt_buf_puts(out, "\n");
	if (s->alias != NULL)
		dvt_buf_printf(out, "Also accepted as\n.Cm %s .\n", s->alias);
}

void
dvt_settings_man(const char *program, const struct dvt_setting *table, size_t n,
    struct dvt_buf *out)
{
	dvt_buf_printf(out,
	    ".Dd November 21, 2026\n.Dt %s 5\n.Os "
	    "Dovetail " DVT_VERSION
	    "\n.Sh NAME\n.Nm %s\n.Nd every setting, with its default\n"
	    ".Sh SETTINGS\n.Bl -tag -width Ds\n",
	    program, program);
	for (size_t i = 0; i < n; i++)
		man_item(&table[i], out);
	dvt_buf_printf(out, ".El\n.Sh SEE ALSO\n.Xr %s 8\n", program);
}
