// SPDX-License-Identifier: BSD-2-Clause
// One pool: how full it was, where its addresses are, what may be changed.
import { get, now, pages, stamp } from "/assets/api.js";
import { addTo, part, removeFrom, reserve, setPoolState, unreserve } from "/assets/actions.js";
import { usageChart } from "/assets/chart.js";
import { h, s } from "/assets/dom.js";
import { count, ip4, ip4text, percentUsed, plural, relative, span } from "/assets/format.js";
import { badge, button, facts, href, link, mono, owner, page, panel, table, usageBar, usageParts } from "/assets/parts.js";
import { kindOf } from "/assets/pools.js";
import { can, setUi, stale, state } from "/assets/state.js";

const TIMES = { hour: 3600, day: 86400, week: 604800, month: 2592000 };
const CELLS = 1024;
const LEASES = 2000;
const LISTED = 1000;

async function load({ id }, { ui }) {
	const pool = await get(`/v1/pools/${part(id)}`);
	const base = `/v1/pools/${pool.id}`;
	const [usage, samples, ranges, exclusions, reservations] = await Promise.all([
		get(`${base}/usage`), get(`${base}/samples`, { from: stamp(now() - TIMES[ui.time ?? "day"] * 1000) }),
		pages(`${base}/ranges`, {}, LISTED), pages(`${base}/exclusions`, {}, LISTED), pages("/v1/reservations", { pool: pool.name }, LISTED),
	]);
	const leases = can("leases:read") && usage.active + usage.ending + usage.quarantined <= LEASES
		? (await pages("/v1/leases", { pool: pool.name, state: ["active", "ending", "quarantined"] }, LEASES)).items : null;
	return { pool, usage, samples, ranges: ranges.items, exclusions: exclusions.items, reservations: reservations.items, leases };
}

const between = (list, first, last) => list.some((r) => r.a <= first && last <= r.b);
const touches = (list, first, last) => list.some((r) => r.a <= last && first <= r.b);
const ends = (rows) => rows.map((r) => ({ a: ip4(r.first), b: ip4(r.last) }));

// Every cell is one address, or so many that the map has at most CELLS.
function cells(d) {
	const ranges = ends(d.ranges).sort((x, y) => x.a - y.a);
	const total = ranges.reduce((n, r) => n + r.b - r.a + 1, 0);
	const size = 2 ** Math.ceil(Math.log2(Math.max(1, total / CELLS)));
	const exclusions = ends(d.exclusions);
	const marks = (rows) => rows.map((r) => ({ a: ip4(r.address), b: ip4(r.address), state: r.state }));
	const reserved = marks(d.reservations);
	const held = marks(d.leases ?? []);
	const out = [];
	for (const r of ranges)
		for (let at = r.a; at <= r.b; at += size) {
			const last = Math.min(r.b, at + size - 1);
			const inside = held.filter((x) => x.a >= at && x.a <= last);
			const what = between(exclusions, at, last) ? "excluded"
				: inside.some((x) => x.state === "active") ? "active"
					: inside.length ? "quarantined"
						: touches(reserved, at, last) ? "reserved"
							: touches(exclusions, at, last) ? "partly" : "open";
			out.push({ at, last, what, first: at === r.a && at !== ranges[0].a, n: inside.length,
				reserved: touches(reserved, at, last) });
		}
	return { list: out, size };
}

const KEYS = [["open", "free"], ["active", "leased"], ["quarantined", "resting or ending"], ["reserved", "reserved"], ["excluded", "excluded"], ["partly", "partly excluded"]];

function map(d) {
	if (!d.ranges.length)
		return h("p", { class: "empty" }, "This pool has no addresses yet.");
	const { list, size } = cells(d);
	const columns = Math.min(64, Math.max(16, 2 ** Math.ceil(Math.log2(Math.sqrt(list.length * 3)))));
	const rows = Math.ceil(list.length / columns);
	const seen = new Set(list.map((c) => c.what));
	const words = Object.fromEntries(KEYS);
	const svg = s("svg", {
		viewBox: `0 0 ${columns * 10} ${rows * 10}`, class: "map", role: "img",
		"aria-label": `Addresses from ${d.ranges[0].first}: ${KEYS.map(([k, w]) => `${list.filter((c) => c.what === k).length} ${w}`).join(", ")}`,
	},
	list.map((c, i) => s("rect", {
		x: (i % columns) * 10 + 0.5, y: Math.floor(i / columns) * 10 + 0.5, width: 9, height: 9, rx: 1.5, class: `cell ${c.what}${c.reserved ? " kept" : ""}`,
	}, s("title", {}, `${ip4text(c.at)}${c.last > c.at ? `–${ip4text(c.last)}` : ""}: ${words[c.what]}${c.n > 1 ? `, ${c.n} leases` : ""}${c.reserved ? ", reserved" : ""}`))));
	return h("figure", { class: "addresses" }, svg,
		h("figcaption", { class: "legend" }, KEYS.filter(([k]) => seen.has(k)).map(([k, w]) => h("span", { class: `key ${k}` }, w)),
			h("span", { class: "note" }, size > 1 ? `one square is ${count(size)} addresses` : "one square is one address",
				d.leases ? "" : `; too many leases to draw, see `, d.leases ? null : link("leases", "the list", { pool: d.pool.name }))));
}

function actions(d) {
	const { pool } = d;
	const change = (to) => button({ active: "Activate", draining: "Drain", disabled: "Disable" }[to], "pools:write", () => setPoolState(pool, to), { danger: to === "disabled" });
	return ["active", "draining", "disabled"].filter((x) => x !== pool.state).map(change);
}

function rangeTable(d, kind) {
	return table(kind, [["First"], ["Last"], ["Addresses", "n"], ["", "do"]], d[kind].map((r) => [r.id, mono(r.first), mono(r.last), count(r.addresses),
		button("Remove", "pools:write", () => removeFrom(d.pool, kind, r))]), kind === "ranges" ? "None." : "Nothing is excluded.");
}

function legend(u) {
	return h("ul", { class: "legend counts" }, [["available", u.available, "available"], ...usageParts(u)].filter(([k, n]) => n || k === "available" || k === "active")
		.map(([k, n, word]) => h("li", { class: `key ${k}` }, `${count(n)} ${word}`)));
}

function render(d) {
	const { pool, usage: u, samples } = d;
	const time = state.ui.time ?? "day";
	return page(["Pool ", pool.name], actions(d),
		h("p", { class: "lead" }, badge(pool.state), u.level === "ok" ? null : badge(u.level), ` ${Math.floor(percentUsed(u))} % used, ${plural(u.available, "lease")} available. `,
			u.level === "full" ? "Full." : samples.full_at ? `Full ${relative(samples.full_at)} if it goes on like this.` : "Not growing.", " ", link("leases", "Its leases", { pool: pool.name })),
		panel("Use", {
			actions: h("div", { class: "choice", role: "group", "aria-label": "How far back" }, Object.keys(TIMES).map((t) =>
				h("button", { type: "button", "aria-pressed": String(t === time), onclick: () => (setUi({ time: t }), stale()) }, t))),
		}, usageChart(samples, u.total, { low: pool.low_percent, name: pool.name, big: true }), usageBar(u), legend(u)),
		panel("Addresses", {}, map(d)),
		h("div", { class: "columns" },
			panel("Ranges", { actions: button("Add", "pools:write", () => addTo(pool, "ranges")) }, rangeTable(d, "ranges")),
			panel("Exclusions", { actions: button("Exclude", "pools:write", () => addTo(pool, "exclusions")) }, rangeTable(d, "exclusions"))),
		panel("Reservations", { actions: button("Reserve", "pools:write", () => reserve(pool)) },
			table("Reservations", [["Address"], ["Port set", "n"], ["For"], ["", "do"]], d.reservations.map((r) => [r.id, h("a", { class: "mono", href: href("find", { q: r.address }) }, r.address),
				r.psid === null ? "–" : String(r.psid), owner(r.owner), button("Remove", "pools:write", () => unreserve(r))]), "Nothing is reserved.")),
		panel("Settings", {}, facts([["Kind", kindOf(pool)], ["TEP", link("teps", pool.tep)], ["Lifetime", `${span(pool.lifetime_s)} (${span(pool.lifetime_min_s)} to ${span(pool.lifetime_max_s)})`],
			["Rests between leases", span(pool.quarantine_s)], ["Leases per principal", pool.max_leases ? count(pool.max_leases) : "no limit"],
			["History is kept", pool.retention_s ? span(pool.retention_s) : "for ever"], ["Order", String(pool.order)], ["Low at", pool.low_percent ? `${pool.low_percent} %` : "never"],
			pool.port_set ? ["Ports 0 to 1023", pool.keep_system_ports ? "kept back" : "leased"] : null, ["Id", mono(pool.id)]])));
}

export const pool = { title: "Pool", scope: "pools:read", every: 15, load, render };
