/* SPDX-License-Identifier: BSD-2-Clause */
/* openapi.yaml and the C beside it say the same: every table, query, problem, scope and route is compared with the
 * document that is served, and every example of it goes through its table and comes out as it was. */
#include "config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "schema/rest/id.h"
#include "schema/rest/openapi.h"
#include "schema/rest/queries.h"
#include "schema/rest/read.h"
#include "schema/rest/render.h"
#include "schema/rest/route.h"
#include "schema/rest/scope.h"
#include "tests/lib/cw-cmocka.h"

static json_t *doc;

static int load(void **state)
{
	const struct cw_slice text = cw_rest_openapi();

	(void) state;
	cw_json_init();
	doc = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	return doc ? 0 : -1;
}

static int unload(void **state)
{
	(void) state;
	json_decref(doc);
	return 0;
}

static json_t *at(json_t *j, const char *a, const char *b)
{
	json_t *m = json_object_get(j, a);

	return b && m ? json_object_get(m, b) : m;
}

static json_t *schema(const char *name)
{
	return json_object_get(at(at(doc, "components", NULL), "schemas", NULL), name);
}

static const char *ref_of(json_t *s)
{
	const char *ref = json_string_value(json_object_get(s, "$ref"));

	return ref ? strrchr(ref, '/') + 1 : "";
}

static json_t *follow(json_t *s, const char *part)
{
	return *ref_of(s) ? json_object_get(at(at(doc, "components", NULL), part, NULL), ref_of(s))
			  : s;
}

static void same(const char *where, const char *name, const char *what, bool good)
{
	if (!good)
		fail_msg("%s.%s: %s", where, name, what);
}

static bool is_type(json_t *s, const char *type)
{
	json_t *t = json_object_get(s, "type");

	if (json_is_array(t))
		t = json_array_get(t, 0);
	return t && strcmp(json_string_value(t), type) == 0;
}

static bool has_number(json_t *s, const char *key, uint64_t value, bool or_none)
{
	json_t *n = json_object_get(s, key);

	return n ? (uint64_t) json_integer_value(n) == value : or_none;
}

static bool same_words(json_t *list, const char *const *words)
{
	size_t n = 0;

	for (; words[n]; n++)
		if (!json_array_get(list, n) || json_is_null(json_array_get(list, n)) ||
			strcmp(json_string_value(json_array_get(list, n)), words[n]) != 0)
			return false;
	return n == json_array_size(list) ||
	       (n + 1 == json_array_size(list) && json_is_null(json_array_get(list, n)));
}

static void compare(const char *where, const struct cw_rest_field *f, json_t *s);

static void compare_text(const char *where, const struct cw_rest_field *f, json_t *s)
{
	same(where, f->name, "a text", is_type(s, "string"));
	if (json_object_get(s, "pattern") && !json_object_get(s, "maxLength"))
		return;
	same(where, f->name, "minLength", has_number(s, "minLength", f->min, !f->min));
	same(where, f->name, "maxLength", has_number(s, "maxLength", f->max, f->max == UINT16_MAX));
}

static void compare_list(const char *where, const struct cw_rest_field *f, json_t *s)
{
	json_t *items = json_object_get(s, "items");

	same(where, f->name, "a list", is_type(s, "array"));
	same(where, f->name, "minItems", has_number(s, "minItems", f->min, !f->min));
	same(where, f->name, "maxItems", has_number(s, "maxItems", f->max, f->max == UINT16_MAX));
	if (f->kind == CW_REST_WORDS)
		same(where, f->name, "words",
			same_words(json_object_get(follow(items, "schemas"), "enum"), f->words));
	else if (f->kind == CW_REST_SCOPES)
		same(where, f->name, "scopes", strcmp(ref_of(items), "Scope") == 0);
	else
		compare(where, f->item, items);
}

static const char *ref_for(const struct cw_rest_field *f)
{
	static const char *const ids[CW_ID_KINDS] = {"PoolId", "RangeId", "ExclusionId",
		"ReservationId", "LeaseId", "UserId", "TepId", "TokenId", "SessionId", "RunId"};

	switch (f->kind) {
	case CW_REST_NAME:
		return "Name";
	case CW_REST_PRINCIPAL:
		return "Principal";
	case CW_REST_ADDR4:
		return "Ipv4";
	case CW_REST_ADDR6:
		return "Ipv6";
	case CW_REST_RANGE4:
		return "RangeText";
	case CW_REST_TIME:
		return "Time";
	case CW_REST_ID:
		return ids[f->base];
	case CW_REST_PORTS:
		return "PortSet";
	case CW_REST_SHAPE:
		return "PortShape";
	case CW_REST_TAGS:
		return "Tags";
	case CW_REST_OBJECT:
		return f->object->name;
	default:
		return NULL;
	}
}

/* s without what makes it nullable; whether it was. */
static bool strip_null(json_t **s)
{
	json_t *one = json_object_get(*s, "oneOf"), *type = json_object_get(*s, "type");

	if (one) {
		*s = json_array_get(one, 0);
		return true;
	}
	return json_is_array(type);
}

static void compare(const char *where, const struct cw_rest_field *f, json_t *s)
{
	const bool nullable = strip_null(&s);
	const char *ref = ref_for(f);

	same(where, f->name, "null", nullable == !!(f->flags & CW_REST_NULLABLE));
	if (ref) {
		same(where, f->name, ref, strcmp(ref_of(s), ref) == 0);
		return;
	}
	s = follow(s, "schemas");
	switch (f->kind) {
	case CW_REST_BOOL:
		same(where, f->name, "true or false", is_type(s, "boolean"));
		break;
	case CW_REST_NUM:
		same(where, f->name, "an integer", is_type(s, "integer"));
		same(where, f->name, "minimum", has_number(s, "minimum", f->min, false));
		same(where, f->name, "maximum", has_number(s, "maximum", f->max, false));
		same(where, f->name, "width", f->size == 8 || f->max >> (8 * f->size) == 0);
		same(where, f->name, "null", !nullable || f->size == 8);
		break;
	case CW_REST_WORD:
		same(where, f->name, "words", same_words(json_object_get(s, "enum"), f->words));
		break;
	case CW_REST_WORDS:
	case CW_REST_SCOPES:
	case CW_REST_ARRAY:
		compare_list(where, f, s);
		break;
	case CW_REST_RAW:
		same(where, f->name, "an object", is_type(s, "object"));
		break;
	case CW_REST_TEXT:
		compare_text(where, f, s);
		break;
	default: /* prefixes: texts with a form of their own */
		same(where, f->name, "a text", is_type(s, "string"));
		break;
	}
}

static bool is_required(json_t *s, const char *name)
{
	json_t *list = json_object_get(s, "required"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

static void tables(void **state)
{
	(void) state;
	for (size_t k = 0; cw_rest_objects[k]; k++) {
		const struct cw_rest_object *o = cw_rest_objects[k];
		json_t *s = schema(o->name), *properties = json_object_get(s, "properties");

		same(o->name, "", "is a schema", s != NULL);
		same(o->name, "", "closed",
			json_is_false(json_object_get(s, "additionalProperties")));
		same(o->name, "", "properties", json_object_size(properties) == o->n);
		same(o->name, "", "minProperties",
			has_number(s, "minProperties", 1, false) ==
				!!(o->flags & CW_REST_NONEMPTY));
		for (unsigned i = 0; i < o->n; i++) {
			const struct cw_rest_field *f = &o->fields[i];
			json_t *p = json_object_get(properties, f->name);

			same(o->name, f->name, "is a property", p != NULL);
			same(o->name, f->name, "required",
				is_required(s, f->name) == !!(f->flags & CW_REST_REQUIRED));
			same(o->name, f->name, "writeOnly",
				!json_is_true(json_object_get(p, "writeOnly")) ||
					(f->flags & CW_REST_SECRET));
			compare(o->name, f, p);
		}
	}
}

/* Nothing in the document that no table knows. */
static void no_schema_is_left_out(void **state)
{
	static const char *const others[] = {"Problem", "Error", "PortSet", "PortShape", "Tags"};
	const char *name;
	json_t *s;

	(void) state;
	json_object_foreach(at(doc, "components", "schemas"), name, s)
	{
		bool known = !is_type(s, "object") ||
			     (strlen(name) > 4 && strcmp(name + strlen(name) - 4, "List") == 0);

		for (size_t i = 0; i < CW_ARRAY_LEN(others); i++)
			known = known || strcmp(name, others[i]) == 0;
		for (size_t i = 0; cw_rest_objects[i]; i++)
			known = known || strcmp(name, cw_rest_objects[i]->name) == 0;
		same(name, "", "has a table", known);
	}
}

/* Through the table and back: what was read is written as it was. */
static void examples(void **state)
{
	unsigned count = 0;

	(void) state;
	for (size_t k = 0; cw_rest_objects[k]; k++) {
		const struct cw_rest_object *o = cw_rest_objects[k];
		json_t *example = json_array_get(json_object_get(schema(o->name), "examples"), 0),
		       *back;
		struct cw_arena *arena = cw_arena_new(1 << 20);
		struct cw_rest_errors errs = {0};
		void *to = cw_arena_alloc(arena, 1, o->size);
		struct cw_json_out out;

		if (example) {
			if (cw_rest_read(o, example, arena, to, &errs) < 0)
				fail_msg(
					"%s: %s: %s", o->name, errs.e[0].pointer, errs.e[0].detail);
			cw_json_out_grow(&out, 1 << 20);
			cw_rest_render(&out, o, to);
			assert_int_equal(out.err, 0);
			back = json_loadb(out.buf, out.len, JSON_REJECT_DUPLICATES, NULL);
			if (strcmp(o->name, "Lease") ==
				0) /* the example has the first ranges only */
				json_array_clear(at(at(back, "ports", NULL), "ranges", NULL)),
					json_array_extend(
						at(at(back, "ports", NULL), "ranges", NULL),
						at(at(example, "ports", NULL), "ranges", NULL));
			if (!json_equal(back, example))
				fail_msg("%s: came out as %.*s", o->name, (int) out.len, out.buf);
			json_decref(back);
			cw_json_out_done(&out);
			count++;
		}
		cw_arena_free(arena);
	}
	assert_true(count >= 40);
}

/* Calls fn for each operation of the document. */
static void each_operation(void (*fn)(const char *path, const char *method, json_t *op))
{
	const char *path, *method;
	json_t *methods, *op;

	json_object_foreach(json_object_get(doc, "paths"), path, methods)
	{
		json_object_foreach(methods, method, op) fn(path, method, op);
	}
}

static unsigned with_query;

static void compare_query(const char *path, const char *method, json_t *op)
{
	const char *id = json_string_value(json_object_get(op, "operationId"));
	const struct cw_rest_object *o = NULL;
	unsigned n = 0;
	json_t *p;
	size_t i;

	(void) path;
	(void) method;
	for (size_t k = 0; cw_rest_queries[k]; k++)
		if (strcmp(cw_rest_queries[k]->name, id) == 0)
			o = cw_rest_queries[k];
	json_array_foreach(json_object_get(op, "parameters"), i, p)
	{
		const struct cw_rest_field *f = NULL;
		json_t *full = follow(p, "parameters");
		const char *name = json_string_value(json_object_get(full, "name"));

		if (strcmp(json_string_value(json_object_get(full, "in")), "query") != 0)
			continue;
		same(id, name, "has a table", o != NULL);
		for (unsigned k = 0; k < o->n; k++)
			if (strcmp(o->fields[k].name, name) == 0)
				f = &o->fields[k];
		same(id, name, "is in the table", f != NULL);
		if (!f)
			continue;
		same(id, name, "paging",
			!!(f->flags & CW_REST_PAGING) ==
				(strcmp(name, "limit") == 0 || strcmp(name, "cursor") == 0 ||
					strcmp(name, "count") == 0));
		if (f->kind == CW_REST_WORDS)
			same(id, name, "words",
				same_words(
					json_object_get(follow(at(json_object_get(full, "schema"),
								       "items", NULL),
								"schemas"),
						"enum"),
					f->words));
		else
			compare(id, f, json_object_get(full, "schema"));
		n++;
	}
	same(id, "", "parameters", n == (o ? o->n : 0));
	with_query += o ? 1 : 0;
}

static void queries(void **state)
{
	unsigned n = 0;

	(void) state;
	while (cw_rest_queries[n])
		n++;
	with_query = 0;
	each_operation(compare_query);
	assert_int_equal(with_query, n);
}

static unsigned routed;

/* A path that fits the template: each parameter is "x". */
static void sample_path(const char *template, char *to)
{
	for (; *template; template ++) {
		if (*template == '{') {
			*to++ = 'x';
			template = strchr(template, '}');
		} else {
			*to++ = *template;
		}
	}
	*to = '\0';
}

static void compare_route(const char *path, const char *method, json_t *op)
{
	const char *id = json_string_value(json_object_get(op, "operationId"));
	const char *scope = json_string_value(json_object_get(op, "x-scope"));
	const struct cw_rest_operation *o;
	char sample[128], upper[8] = "";
	struct cw_route r;
	uint32_t scopes;

	for (size_t i = 0; method[i]; i++)
		upper[i] = (char) (method[i] - 'a' + 'A');
	sample_path(path, sample);
	same(id, sample, "is routed",
		cw_route_find(cw_rest_method_of(upper), sample, strlen(sample), &r) == 0);
	o = cw_rest_operation(r.op);
	same(id, o->name, "to its operation", strcmp(o->name, id) == 0);
	same(id, o->path, "path", strcmp(o->path, path) == 0);
	same(id, "x-scope", scope, strcmp(o->scope, scope) == 0);
	same(id, "x-scope", "is known", cw_scopes_parse(scope, strlen(scope), &scopes) == 0);
	same(id, "x-scope", "as bits",
		cw_scope_missing(scopes, o->scopes) == 0 && !o->scopes == !scopes);
	same(id, "security", "open", o->open == (strcmp(scope, "none") == 0));
	same(id, "security", "as x-scope",
		o->open == (json_is_array(json_object_get(op, "security")) &&
				   json_array_size(json_object_get(op, "security")) == 0));
	same(id, "x-open-locally", "",
		o->open_locally == json_is_true(json_object_get(op, "x-open-locally")));
	same(id, "allowed", "has its method", r.allowed >> o->method & 1);
	routed++;
}

static void routes(void **state)
{
	(void) state;
	routed = 0;
	each_operation(compare_route);
	assert_int_equal(routed, CW_REST_OPS);
}

static json_t *codes_seen;

static void compare_problems(const char *path, const char *method, json_t *op)
{
	const char *id = json_string_value(json_object_get(op, "operationId")), *status;
	json_t *list = json_object_get(op, "x-problems"), *code, *response;
	size_t i;

	(void) path;
	(void) method;
	same(id, "x-problems", "are there", json_array_size(list) > 0);
	json_array_foreach(list, i, code)
	{
		const enum cw_problem p =
			cw_problem_of(json_string_value(code), json_string_length(code));
		char text[8];

		same(id, json_string_value(code), "is a problem", p < CW_PROBLEMS);
		same(id, json_string_value(code), "is not one that all have",
			!cw_problem_is_general(p));
		(void) snprintf(text, sizeof text, "%u", cw_problem_status(p));
		same(id, json_string_value(code), text, at(op, "responses", text) != NULL);
		(void) json_object_set(codes_seen, json_string_value(code), code);
	}
	json_object_foreach(json_object_get(op, "responses"), status, response)
	{
		bool known = status[0] < '4' || strcmp(status, "default") == 0;

		json_array_foreach(list, i, code)
		{
			const enum cw_problem p =
				cw_problem_of(json_string_value(code), json_string_length(code));

			known = known ||
				(unsigned) strtoul(status, NULL, 10) == cw_problem_status(p);
		}
		same(id, status, "has a problem", known);
	}
}

/* The closed list, in its order; each code can come from somewhere. */
static void problems(void **state)
{
	json_t *list = json_object_get(schema("ProblemCode"), "enum"),
	       *general = json_object_get(doc, "x-problems-any");
	size_t generals = 0;

	(void) state;
	codes_seen = json_object();
	each_operation(compare_problems);
	assert_int_equal(json_array_size(list), CW_PROBLEMS);
	for (unsigned p = 0; p < CW_PROBLEMS; p++) {
		const char *code = cw_problem_code((enum cw_problem) p);

		assert_string_equal(json_string_value(json_array_get(list, p)), code);
		assert_int_equal(cw_problem_of(code, strlen(code)), p);
		if (cw_problem_is_general((enum cw_problem) p))
			assert_string_equal(
				json_string_value(json_array_get(general, generals++)), code);
		else
			same(code, "", "belongs to an operation",
				json_object_get(codes_seen, code) != NULL);
	}
	assert_int_equal(json_array_size(general), generals);
	json_decref(codes_seen);
}

static void scopes(void **state)
{
	json_t *list = json_object_get(schema("Scope"), "enum"), *word;
	uint32_t all = 0, one;
	size_t i;

	(void) state;
	json_array_foreach(list, i, word)
	{
		assert_int_equal(
			cw_scope_parse(json_string_value(word), json_string_length(word), &one), 0);
		if (i < CW_SCOPE_BITS) {
			assert_string_equal(cw_scope_name(one & ~all), json_string_value(word));
			all |= one;
		}
	}
	assert_int_equal(json_array_size(list), CW_SCOPE_BITS + 3);
	assert_int_equal(all, CW_SCOPES_ADMIN);
}

static void compare_csv(const char *path, const char *method, json_t *op)
{
	json_t *content = json_object_get(at(op, "responses", "200"), "content");
	json_t *csv = json_object_get(content, "text/csv");
	const char *item = ref_of(at(content, "application/x-ndjson", "schema"));
	struct cw_json_out out;
	char text[512];

	(void) path;
	(void) method;
	if (!csv)
		return;
	for (size_t i = 0; cw_rest_objects[i]; i++) {
		if (strcmp(cw_rest_objects[i]->name, item) != 0)
			continue;
		cw_json_out_init(&out, text, sizeof text - 1);
		cw_rest_csv_head(&out, cw_rest_objects[i]);
		text[out.len - 2] = '\0';
		assert_string_equal(text, json_string_value(json_object_get(csv, "example")));
		with_query++;
	}
}

static void csv_columns(void **state)
{
	(void) state;
	with_query = 0;
	each_operation(compare_csv);
	assert_int_equal(with_query, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(no_schema_is_left_out),
		cmocka_unit_test(examples),
		cmocka_unit_test(queries),
		cmocka_unit_test(routes),
		cmocka_unit_test(problems),
		cmocka_unit_test(scopes),
		cmocka_unit_test(csv_columns),
	};

	return cmocka_run_group_tests_name("rest/schema", tests, load, unload);
}
