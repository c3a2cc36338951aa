// SPDX-License-Identifier: BSD-2-Clause
// Tunnel end points, how far they are from what they should forward, and who is connected.
import { get, pages } from "/assets/api.js";
import { disconnect, drainTep, part, resync } from "/assets/actions.js";
import { h } from "/assets/dom.js";
import { ago, bytes, count, plural, ports } from "/assets/format.js";
import { badge, button, facts, link, mono, owner, page, panel, table } from "/assets/parts.js";
import { can, setUi, stale, state } from "/assets/state.js";

const SESSIONS = 200;

async function load(route, { ui }) {
	const [teps, sessions] = await Promise.all([
		pages("/v1/teps", {}, 1000), can("leases:read") ? pages("/v1/sessions", {}, SESSIONS) : null,
	]);
	const drift = ui.drift && teps.items.some((t) => t.id === ui.drift) ? await get(`/v1/teps/${part(ui.drift)}/drift`) : null;
	return { teps: teps.items, sessions, drift };
}

function trouble(t) {
	if (t.state === "down")
		return h("p", { class: "problem bad" }, t.last_error ?? "It does not answer.");
	if (t.last_error)
		return h("p", { class: "problem warn" }, t.last_error);
	return null;
}

const binding = (b) => (b ? h("span", { class: "mono" }, b.address, b.ports ? ` ${ports(b.ports)}` : "", " → ", b.ipv6, b.lease ? [" ", link(`leases/${b.lease}`, b.lease)] : null) : "–");

function driftOf(d) {
	return [h("p", { class: "note" }, `It should have ${count(d.wanted)} and has ${count(d.actual)}: ${plural(d.differences, "difference")}.`),
		table("Differences", [["Difference"], ["It should"], ["It does"]], d.items.map((i, n) => [`d${n}`, badge(i.kind, "warn"), binding(i.wanted), binding(i.actual)]), "It forwards exactly what it should."),
		d.differences > d.items.length ? h("p", { class: "note" }, `The first ${d.items.length}.`) : null];
}

function card(t, d) {
	const open = state.ui.drift === t.id;
	return h("article", { class: `panel tep ${t.state}`, "data-key": t.id },
		h("header", {}, h("h2", {}, t.name), badge(t.state), t.draining ? badge("draining") : null, t.required ? null : h("span", { class: "note" }, "not required")),
		trouble(t),
		facts([["Bindings", count(t.bindings)], ["Not confirmed", t.waiting ? count(t.waiting) : "none"],
			["Drift", t.drift === null ? "never compared" : t.drift ? h("strong", { class: "warn" }, plural(t.drift, "difference")) : "none"],
			["Compared", t.compared_at ? ago(t.compared_at) : "never"], ["Plugin", t.plugin || "–"], ["IPv6", mono(t.ipv6)], ["IPv4", t.ipv4 ? mono(t.ipv4) : "–"]]),
		h("div", { class: "buttons" },
			h("button", { type: "button", "aria-expanded": String(open), onclick: () => (setUi({ drift: open ? null : t.id }), stale()) }, "Differences"),
			button("Resync", "teps:write", () => resync(t), { off: t.state === "down" ? "It is down; it is compared as soon as it is back." : null }),
			button(t.draining ? "Undrain" : "Drain", "teps:write", () => drainTep(t))),
		open && d.drift?.tep === t.name ? driftOf(d.drift) : null);
}

function render(d) {
	return page("TEPs and sessions", null,
		d.teps.length ? h("div", { class: "cards wide" }, d.teps.map((t) => card(t, d))) : h("p", { class: "empty" }, "There is no tunnel end point yet."),
		panel("Sessions", { note: d.sessions ? `${d.sessions.more ? "the first " : ""}${plural(d.sessions.items.length, "client")} connected` : null },
			d.sessions ? table("Sessions", [["Client"], ["Peer"], ["State"], ["Access"], ["Login", "nw"], ["Leases", "n"], ["Requests", "n"], ["In / out"], ["Since"], ["", "do"]], d.sessions.items.map((s) => [
				s.id, owner(s.owner), mono(s.peer), badge(s.state), `${s.access} ${s.transport}${s.tls ? ", TLS" : ""}`, s.mechanism ?? "–", count(s.leases), count(s.requests),
				`${bytes(s.octets_in)} / ${bytes(s.octets_out)}`, ago(s.since_at), button("Close", "leases:write", () => disconnect(s))]), "No client is connected. Leases live on without a connection.")
				: h("p", { class: "empty" }, "Sessions are shown to tokens with the scope leases:read.")));
}

export const teps = { title: "TEPs and sessions", scope: "teps:read", every: 5, load, render };
