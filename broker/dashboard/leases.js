// SPDX-License-Identifier: BSD-2-Clause
// Leases: the list, page by page, and the life of one.
import { get, newest, now, pages, Problem } from "/assets/api.js";
import { extend, part, revoke } from "/assets/actions.js";
import { h, s } from "/assets/dom.js";
import { local, ports, relative, span, when } from "/assets/format.js";
import { address, badge, both, button, eventRow, facts, filters, findLink, link, mono, owner, page, pager, panel, table } from "/assets/parts.js";
import { can } from "/assets/state.js";

const PAGE = 50;
const FIELDS = [
	{ name: "q", label: "Known by", placeholder: "address, address:port, owner, user, lease" },
	{ name: "ip", label: "Address or prefix", placeholder: "192.0.2.0/28" },
	{ name: "state", label: "State", options: ["", "active", "ending", "quarantined", "free"] },
	{ name: "access", label: "Access", options: ["", "tsp", "dhcp6", "rest", "gateway"] },
	{ name: "pool", label: "Pool" },
	{ name: "tep", label: "TEP" },
];

async function loadList({ params }) {
	// Counting reads all rows that fit: once, with the first page.
	const list = await get("/v1/leases", { ...params, limit: PAGE, count: params.cursor ? null : "exact" });
	return list;
}

function renderList(d, { route }) {
	return page("Leases", null, filters("leases", Object.fromEntries(Object.entries(route.params).filter(([k]) => k !== "cursor")), FIELDS),
		table("Leases", [["Lease"], ["Address"], ["Held by"], ["State"], ["Pool, TEP"], ["Access"], ["Ends"], ["", "do"]], d.items.map((l) => [
			l.id, link(`leases/${l.id}`, l.id), address(l), both(owner(l.owner), mono(l.ipv6)),
			both(badge(l.state), l.confirmed ? null : h("span", { title: "Its TEP has not confirmed it yet" }, "waits for its TEP")),
			both(link(`pools/${l.pool}`, l.pool), l.tep), l.access, when(l.expires_at, relative),
			l.state === "active" ? button("Revoke", "leases:write", () => revoke(l)) : ""]),
		Object.keys(route.params).length ? "No lease is like that." : "There is no lease yet."),
		pager("leases", route.params, d.next, d.items.length, d.count));
}

// What is gone from the leases is still in the history.
async function loadOne({ id }) {
	let held = null;
	try {
		held = await get(`/v1/leases/${part(id)}`);
	} catch (e) {
		if (!(e instanceof Problem) || e.status !== 404)
			throw e;
	}
	const [history, events] = await Promise.all([
		can("history:read") ? pages("/v1/history", { lease: id }, 10).catch((e) => (e.status === 400 || e.status === 404 ? { items: [] } : Promise.reject(e))) : { items: [] },
		newest("/v1/events", { object: id }, 50).catch(() => ({ items: [] })),
	]);
	const tenure = history.items[0] ?? null;
	if (!held && !tenure)
		throw new Problem(404, { title: "There is no such lease", code: "not-found" });
	return { lease: held, tenure, events: events.items };
}

function life(d) {
	const l = d.lease;
	const from = Date.parse((l ?? d.tenure).granted_at);
	const ended = d.tenure?.ended_at ?? null;
	const end = ended ? Date.parse(ended) : l ? Date.parse(l.expires_at) : now();
	const at = Math.min(1, Math.max(0, (now() - from) / Math.max(1, end - from)));
	return h("figure", { class: "life" },
		s("svg", { viewBox: "0 0 1000 12", preserveAspectRatio: "none", class: "timeline one", role: "img", "aria-label": `${Math.round(at * 100)} percent of its time has passed` },
			s("rect", { x: 0, y: 0, width: 1000, height: 12, class: "rest" }),
			s("rect", { x: 0, y: 0, width: (1000 * (ended ? 1 : at)).toFixed(1), height: 12, class: ended ? "bar" : "bar live" })),
		h("figcaption", {}, h("span", {}, `granted ${local((l ?? d.tenure).granted_at)}`), h("span", {}, ended ? `ended ${local(ended)}` : `ends ${local(l.expires_at)}`)));
}

function renderOne(d) {
	const l = d.lease;
	const t = l ?? d.tenure;
	const over = !l || l.state === "free" || l.state === "quarantined";
	const off = l?.state === "active" ? null : "It has ended.";
	return page(["Lease of ", t.address], l ? [button("Extend", "leases:write", () => extend(l), { off }), button("Revoke", "leases:write", () => revoke(l), { danger: true, off })] : null,
		h("p", { class: "lead" }, badge(over ? (l?.state ?? "free") : l.state), l && !l.confirmed ? badge("not confirmed by its TEP", "warn") : null,
			over ? ` It has ended${t.end_reason ? ` by ${t.end_reason}` : ""}.` : [" Ends ", when(l.expires_at, relative), "."]),
		panel("Life", {}, life(d)),
		panel("What it is", {}, facts([
			["Address", findLink(t.address)], ["Ports", t.ports ? h("span", {}, `${ports(t.ports)} (set ${t.ports.psid} of ${2 ** t.ports.length})`) : "all"],
			["Held by", owner(t.owner)], ["Carried to", mono(t.ipv6)], ["Pool", t.pool ? link(`pools/${t.pool}`, t.pool) : "gone"], ["TEP", t.tep ?? "gone"],
			["Asked for by", t.access], ["Granted", when(t.granted_at)], l ? ["Ends", when(l.expires_at)] : null, d.tenure?.ended_at ? ["Ended", when(d.tenure.ended_at)] : null,
			l ? ["Lifetime", span(l.lifetime_s)] : null, d.tenure?.moved_from ? ["Moved from", link(`leases/${d.tenure.moved_from}`, d.tenure.moved_from)] : null,
			["Lease", mono(l?.id ?? d.tenure.lease)]])),
		l && Object.keys(l.tags).length ? panel("Tags", {}, facts(Object.entries(l.tags))) : null,
		panel("What happened to it", {}, d.events.length ? h("ol", { class: "events" }, d.events.map(eventRow)) : h("p", { class: "empty small" }, "No event of it is kept.")));
}

export const leases = { title: "Leases", scope: "leases:read", every: 15, load: loadList, render: renderList };
export const lease = { title: "Lease", scope: "leases:read", every: 15, load: loadOne, render: renderOne };
