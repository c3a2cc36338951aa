/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tables can tell about a struct, see fields.h. Thread: any. */
#include "config.h"

#include <string.h>

#include "schema/rest/fields.h"

bool cw_rest_has(const struct cw_rest_object *o, const void *p, size_t offset)
{
	uint32_t seen;

	memcpy(&seen, p, sizeof seen);
	for (unsigned i = 0; i < o->n; i++)
		if (o->fields[i].offset == offset)
			return seen >> i & 1;
	return false;
}

const char *cw_rest_word(const struct cw_rest_field *f, unsigned value)
{
	if (value < f->base)
		return NULL;
	for (unsigned i = 0; f->words[i]; i++)
		if (i == value - f->base)
			return f->words[i];
	return NULL;
}
