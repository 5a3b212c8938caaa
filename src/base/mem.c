/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_BLOCK 8192

struct dvt_arena_block {
	struct dvt_arena_block *next;
	size_t used;
	size_t size;
	_Alignas(16) uint8_t bytes[];
};

_Noreturn void
dvt_out_of_memory(void)
{
	static const char text[] = "event=memory.out severity=crit\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(71);
}

static void *
checked(void *p)
{
	if (p == NULL)
		dvt_out_of_memory();
	return p;
}

void *
dvt_alloc(size_t n)
{
	return checked(calloc(1, n == 0 ? 1 : n));
}

void *
dvt_alloc_array(size_t n, size_t size)
{
	return checked(calloc(n == 0 ? 1 : n, size == 0 ? 1 : size));
}

void *
dvt_realloc(void *p, size_t n)
{
	return checked(realloc(p, n == 0 ? 1 : n));
}

char *
dvt_strdup(const char *s)
{
	return s == NULL ? NULL : checked(strdup(s));
}

char *
dvt_strndup(const void *p, size_t n)
{
	char *s = dvt_alloc(n + 1);

	if (n > 0)
		memcpy(s, p, n);
	return s;
}

char *
dvt_asprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s);
}

void
dvt_cleanse(void *p, size_t n)
{
	explicit_bzero(p, n);
}

int
dvt_copy_str(char *to, size_t size, const char *from)
{
	size_t n = from == NULL ? 0 : strlen(from);

	if (n >= size) {
		to[0] = '\0';
		return -1;
	}
	if (n > 0)
		memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

void
dvt_secret_set(struct dvt_secret *s, const void *p, size_t n)
{
	uint8_t *copy = dvt_alloc(n + 1); /* p may lie inside s */

	if (n > 0)
		memcpy(copy, p, n);
	dvt_secret_free(s);
	s->p = copy;
	s->n = n;
}

void
dvt_secret_free(struct dvt_secret *s)
{
	if (s == NULL)
		return;
	if (s->p != NULL)
		dvt_cleanse(s->p, s->n);
	free(s->p);
	*s = (struct dvt_secret){0};
}

void *
dvt_arena_alloc(struct dvt_arena *a, size_t n)
{
	struct dvt_arena_block *b = a->head;
	size_t need = (n + 15) & ~(size_t)15;
	size_t size = need > ARENA_BLOCK ? need : ARENA_BLOCK;
	void *p;

	if (b == NULL || need > b->size - b->used) {
		b = dvt_alloc(sizeof(*b) + size);
		b->size = size;
		b->next = a->head;
		a->head = b;
	}
	p = b->bytes + b->used;
	b->used += need;
	return p;
}

char *
dvt_arena_strdup(struct dvt_arena *a, const char *s)
{
	size_t n;
	char *p;

	if (s == NULL)
		return NULL;
	n = strlen(s);
	p = dvt_arena_alloc(a, n + 1);
	memcpy(p, s, n + 1);
	return p;
}

char *
dvt_arena_printf(struct dvt_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = dvt_arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
	if (n > 0)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

void
dvt_arena_free(struct dvt_arena *a)
{
	struct dvt_arena_block *b, *next;

	for (b = a->head; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->head = NULL;
}
