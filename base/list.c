/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive doubly linked list. Thread: the owner's. */
#include "config.h"

#include "base/list.h"

static void insert(struct cw_list *before, struct cw_list *item)
{
	item->next = before;
	item->prev = before->prev;
	before->prev->next = item;
	before->prev = item;
}

void cw_list_append(struct cw_list *head, struct cw_list *item)
{
	insert(head, item);
}

void cw_list_prepend(struct cw_list *head, struct cw_list *item)
{
	insert(head->next, item);
}

void cw_list_remove(struct cw_list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	cw_list_init(item);
}

struct cw_list *cw_list_pop(struct cw_list *head)
{
	struct cw_list *item = head->next;

	if (item == head)
		return NULL;
	cw_list_remove(item);
	return item;
}

void cw_list_splice(struct cw_list *to, struct cw_list *from)
{
	if (cw_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	cw_list_init(from);
}
