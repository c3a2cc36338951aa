// SPDX-License-Identifier: BSD-2-Clause
// What happened, and who did what. Both lists begin with the newest; older ones are fetched below them.
import { newest } from "/assets/api.js";
import { act } from "/assets/actions.js";
import { h } from "/assets/dom.js";
import { local, when } from "/assets/format.js";
import { eventRow, filters, liveBadge, mono, page, panel, summary, table } from "/assets/parts.js";
import { setUi, state } from "/assets/state.js";

const PAGE = 100;

const matches = (e, { type, object }) => (!type || e.type === type || e.type.startsWith(`${type}.`)) && (!object || e.object === object || e.name === object);

const older = (path, params, cursor) => act("Older ones are shown below.", async () => {
	const found = await newest(path, params, PAGE, cursor);
	setUi({ older: [...(state.ui.older ?? []), ...found.items], next: found.next });
});

function olderButton(path, route, data, items) {
	const next = state.ui.older ? state.ui.next : data.next;
	return items.length && next
		? h("div", { class: "pager" }, h("button", { type: "button", onclick: () => older(path, route.params, next) }, `Older than ${local(items.at(-1).at)}`)) : null;
}

const union = (...lists) => [...new Map(lists.flat().map((e) => [e.id, e])).values()].sort((a, b) => b.id - a.id);

async function loadEvents({ params }) {
	return newest("/v1/events", params, PAGE);
}

function renderEvents(data, { route, live }) {
	const all = union(live.events.filter((e) => matches(e, route.params)), data.items, state.ui.older ?? []);
	return page("Events", liveBadge(),
		filters("events", route.params, [{ name: "type", label: "Type, or its first word", placeholder: "pool, lease.revoke" }, { name: "object", label: "About (id)", placeholder: "pl_1, ls_12" }]),
		h("div", { class: "panel" }, all.length ? h("ol", { class: "events", "aria-live": "polite", "aria-relevant": "additions", "aria-label": "Events, the newest first" }, all.map(eventRow))
			: h("p", { class: "empty" }, "No such event is kept. Renewals are counted, not told.")),
		olderButton("/v1/events", route, data, all));
}

const loadAudit = ({ params }) => newest("/v1/audit", params, PAGE);

function renderAudit(data, { route }) {
	const all = union(data.items, state.ui.older ?? []);
	return page("Audit", null,
		filters("audit", route.params, [{ name: "actor", label: "Who", placeholder: "token:tk_2, uid:0" }, { name: "verb", label: "Did what", placeholder: "revokeLease" }, { name: "object", label: "To what", placeholder: "ls_12" }]),
		panel("Who did what", { note: "Rows are only ever added; each hash covers the one before." },
			table("Audit", [["When"], ["Who"], ["From"], ["Did"], ["To"], ["What was asked"], ["Hash"]], all.map((a) => [String(a.id), when(a.at), mono(a.actor), mono(a.peer), mono(a.verb), mono(a.object || "–"),
				summary(a.detail) || "–", h("span", { class: "mono dim", title: a.hash }, a.hash.slice(0, 8))]), "Nothing has been changed through the API yet.")),
		olderButton("/v1/audit", route, data, all));
}

export const events = { title: "Events", scope: "leases:read", every: 60, load: loadEvents, render: renderEvents };
export const audit = { title: "Audit", scope: "audit:read", every: 30, load: loadAudit, render: renderAudit };
