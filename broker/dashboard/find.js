// SPDX-License-Identifier: BSD-2-Clause
// One box: an address, an address and port, a user, a principal, a lease. Who has it, and who had it.
import { get, now, pages, stamp } from "/assets/api.js";
import { timeline } from "/assets/chart.js";
import { h } from "/assets/dom.js";
import { ip4, local, plural, relative, span, when } from "/assets/format.js";
import { address, badge, both, filters, link, mono, owner, page, panel, table } from "/assets/parts.js";
import { can } from "/assets/state.js";

const ROWS = 200;

// What the words mean: {kind, of the lease list, of the history}.
function understand(text) {
	const port = /^([\d.]+):(\d{1,5})$/.exec(text);
	if (port && ip4(port[1]) !== null && Number(port[2]) < 65536)
		return { kind: "address and port", leases: { q: text }, history: { ip: port[1], port: port[2] } };
	if (ip4(text) !== null)
		return { kind: "address", leases: { ip: text }, history: { ip: text } };
	if (/^ls_[1-9]\d*$/.test(text))
		return { kind: "lease", leases: { q: text }, history: { lease: text } };
	if (/^(user|ip6|duid|rest):/.test(text))
		return { kind: "principal", leases: { owner: text }, history: { owner: text } };
	if (/^[0-9a-f]*:[0-9a-f:.]+$/i.test(text))
		return { kind: "IPv6 address", leases: { owner: `ip6:${text}` }, history: { owner: `ip6:${text}` } };
	if (/^[A-Za-z0-9._@-]{1,63}$/.test(text))
		return { kind: "user", leases: { user: text }, history: { user: text } };
	return null;
}

async function load({ params }) {
	const text = (params.q ?? "").trim();
	const what = text ? understand(text) : null;
	if (!what)
		return { text, what };
	const at = params.at ? stamp(Date.parse(params.at)) : null;
	const [leases, history] = await Promise.all([
		get("/v1/leases", { ...what.leases, state: ["active", "ending", "quarantined"], limit: 50 }),
		can("history:read") ? pages("/v1/history", at && what.history.ip ? { ...what.history, at }
			: { ...what.history, sort: "desc", ...(at ? { from: at, to: stamp(Date.parse(at) + 1000) } : {}) }, ROWS) : null,
	]);
	return { text, what, at, leases: leases.items, history };
}

function current(d) {
	if (!d.leases.length)
		return h("p", { class: "empty" }, "Nobody has a lease of it now.");
	return table("Current leases", [["Address"], ["Held by"], ["State"], ["Pool"], ["Since"], ["Ends"], ["Lease"]], d.leases.map((l) =>
		[l.id, address(l), both(owner(l.owner), mono(l.ipv6)), badge(l.state), link(`pools/${l.pool}`, l.pool), when(l.granted_at), when(l.expires_at, relative), link(`leases/${l.id}`, l.id)]));
}

function had(d) {
	const rows = d.history.items;
	if (!rows.length)
		return h("p", { class: "empty" }, d.at ? `Nobody had it at ${local(d.at)}.` : "Nobody had it, as far as history goes back.");
	const end = now();
	const spans = rows.map((t) => ({ from: Date.parse(t.granted_at), to: t.ended_at ? Date.parse(t.ended_at) : end, live: !t.ended_at }));
	return [
		spans.length > 1 ? h("figure", { class: "life" }, timeline(spans.slice(0, 40), Math.min(...spans.map((x) => x.from)), end),
			h("figcaption", {}, h("span", {}, local(rows.at(-1).granted_at)), h("span", {}, "now"))) : null,
		table("History", [["Address"], ["Held by"], ["From"], ["Until"], ["For", "nw"], ["Ended by"], ["Access"], ["Lease"]], rows.map((t) => [
			t.lease, address(t), both(owner(t.owner), mono(t.ipv6)), when(t.granted_at), t.ended_at ? when(t.ended_at) : badge("active"),
			span(((t.ended_at ? Date.parse(t.ended_at) : end) - Date.parse(t.granted_at)) / 1000), t.end_reason ?? "–", t.access, link(`leases/${t.lease}`, t.lease)])),
		d.history.more ? h("p", { class: "note" }, `Only ${ROWS} are shown. Name a time, or use causewayctl history list.`) : null,
	];
}

function render(d, state) {
	const box = filters("find", state.route.params, [
		{ name: "q", label: "Address, address:port, user, principal or lease", wide: true, placeholder: "192.0.2.9:2050" },
		{ name: "at", label: "At (your time)", type: "datetime-local" }]);
	if (!d.text)
		return page("Find", null, box, h("p", { class: "empty" }, "Who has an address, and who had it: ", h("code", {}, "192.0.2.9"), ", ", h("code", {}, "192.0.2.9:2050"), ", ",
			h("code", {}, "alice"), ", ", h("code", {}, "user:alice"), ", ", h("code", {}, "ls_12"), "."));
	if (!d.what)
		return page("Find", null, box, h("p", { class: "empty" }, "That is no address, user, principal (KIND:NAME) or lease."));
	return page("Find", null, box,
		panel("Now", { note: `${d.what.kind} ${d.text}` }, current(d)),
		d.history ? panel(d.at ? `At ${local(d.at)}` : "Before", { note: `${plural(d.history.items.length, "tenure")}. Each look into history is in the audit.` }, had(d))
			: panel("Before", {}, h("p", { class: "empty" }, "Who had it before is shown to tokens with the scope history:read.")));
}

export const find = { title: "Find", scope: "leases:read", every: 3600, load, render };
