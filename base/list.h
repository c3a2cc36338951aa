/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive doubly linked list. Thread: the owner's. */
#pragma once

#include <stdbool.h>

#include "base/defs.h"

struct cw_list {
	struct cw_list *prev, *next; /* a head points to itself when empty */
};

static inline void cw_list_init(struct cw_list *l)
{
	l->prev = l->next = l;
}

static inline bool cw_list_empty(const struct cw_list *l)
{
	return l->next == l;
}

void cw_list_append(struct cw_list *head, struct cw_list *item);
void cw_list_prepend(struct cw_list *head, struct cw_list *item);
/* Takes item out of whatever list it is in and makes it a list of its own; safe to repeat. */
void cw_list_remove(struct cw_list *item);
/* First item taken out, or NULL. */
struct cw_list *cw_list_pop(struct cw_list *head);
/* All of `from` to the end of `to`; from is empty afterwards. */
void cw_list_splice(struct cw_list *to, struct cw_list *from);

/* NOLINTBEGIN(bugprone-macro-parentheses): it and tmp are names being declared */
#define cw_list_for_each(it, head) \
	for (struct cw_list *it = (head)->next; it != (head); it = it->next)
#define cw_list_for_each_safe(it, tmp, head)                                   \
	for (struct cw_list *it = (head)->next, *tmp = it->next; it != (head); \
		it = tmp, tmp = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */
