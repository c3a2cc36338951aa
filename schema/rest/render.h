/* SPDX-License-Identifier: BSD-2-Clause */
/* From our structs to JSON and CSV, by the tables of fields.h. Members come in the order of the table; those that are
 * not REQUIRED only if `seen` has them. Thread: the owner's. */
#pragma once

#include "schema/rest/fields.h"
#include "schema/rest/json_out.h"

/* Port sets are told with so many of their ranges. */
enum { CW_REST_RANGES_MAX = 64 };

/* One object. */
void cw_rest_render(struct cw_json_out *o, const struct cw_rest_object *object, const void *p);
/* The members of a query that was read but those of paging: what a cursor is bound to. */
void cw_rest_render_filter(
	struct cw_json_out *o, const struct cw_rest_object *object, const void *p);

/* A page: begin, cw_rest_render() per row, end. next: the cursor, NULL on the last page; count: NULL if nobody asked. */
void cw_rest_list_begin(struct cw_json_out *o);
void cw_rest_list_end(struct cw_json_out *o, const char *next, const uint64_t *count);
/* One row and its line end (application/x-ndjson). */
void cw_rest_render_line(struct cw_json_out *o, const struct cw_rest_object *object, const void *p);

/* text/csv (RFC 4180): the names of the columns, a row. Null is empty; port sets and their shapes have a column per
 * number; objects, lists and ranges are left out, tags are JSON. */
void cw_rest_csv_head(struct cw_json_out *o, const struct cw_rest_object *object);
void cw_rest_csv_row(struct cw_json_out *o, const struct cw_rest_object *object, const void *p);
