// SPDX-License-Identifier: BSD-2-Clause
// What screens are made of.
import { can, state } from "/assets/state.js";
import { h } from "/assets/dom.js";
import { query } from "/assets/api.js";
import { stack } from "/assets/chart.js";
import { count, moment, percentUsed, ports, when } from "/assets/format.js";

export const href = (path, params) => `#/${path.split("/").map(encodeURIComponent).join("/")}${query(params)}`;
export const link = (path, text, params) => h("a", { href: href(path, params) }, text);

export function page(title, actions, ...content) {
	return [h("div", { class: "head" }, h("h1", { tabindex: "-1", id: "title" }, title), h("div", { class: "actions" }, actions)), ...content];
}

export function panel(title, { note, actions, key } = {}, ...content) {
	return h("section", { class: "panel", "data-key": key },
		h("header", {}, h("h2", {}, title), note ? h("span", { class: "note" }, note) : null, actions ?? null), ...content);
}

// A button that changes something. Without the scope it is there, off, and says why.
export function button(label, scope, onclick, { danger = false, off = null, primary = false } = {}) {
	const why = can(scope) ? off : `Needs the scope ${scope}; you have read access.`;
	return h("button", {
		type: "button", class: danger ? "danger" : primary ? "primary" : null, disabled: Boolean(why), title: why, onclick,
	}, label);
}

const TONES = {
	active: "good", ok: "good", up: "good", ready: "good", healthy: "good", live: "good",
	ending: "warn", quarantined: "warn", low: "warn", draining: "warn", syncing: "warn", starting: "warn", busy: "warn",
	running: "info", login: "info", full: "bad", down: "bad", failed: "bad", lost: "bad", disabled: "off", free: "off", closing: "off",
};
export const badge = (text, tone) => h("span", { class: `badge ${tone ?? TONES[text] ?? "off"}` }, text);

// columns: [[title, class]]; rows: [[key, cell, ...]]. On a narrow screen each row is a card with the titles beside the cells.
export function table(label, columns, rows, empty) {
	if (!rows.length)
		return h("p", { class: "empty" }, empty ?? "Nothing here.");
	return h("div", { class: "scroll" }, h("table", { "aria-label": label },
		h("thead", {}, h("tr", {}, columns.map(([title, cls]) => h("th", { scope: "col", class: cls },
			title || h("span", { class: "visually-hidden" }, "Actions"))))),
		h("tbody", {}, rows.map(([key, ...cells]) => h("tr", { "data-key": key },
			cells.map((cell, i) => h("td", { class: columns[i][1], "data-title": columns[i][0] || null }, Array.isArray(cell) ? h("div", {}, cell) : cell)))))));
}

// The page after this one; back is the browser's.
export function pager(route, params, next, shown, total) {
	if (!shown && !params.cursor)
		return null;
	return h("nav", { class: "pager", "aria-label": "Pages" },
		h("span", {}, total === undefined || total === null ? `${count(shown)} shown` : `${count(shown)} of ${count(total)} shown`),
		params.cursor ? h("a", { class: "button", href: href(route, { ...params, cursor: null }) }, "First page") : null,
		next ? h("a", { class: "button", href: href(route, { ...params, cursor: next }) }, "Next page") : null);
}

export const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) =>
	h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "–"))));

export function usageParts(u) {
	return [["active", u.active, "active"], ["ending", u.ending, "ending"], ["quarantined", u.quarantined, "quarantined"],
		["reserved", u.reserved, "reserved"], ["excluded", u.excluded, "excluded"]];
}

export function usageBar(u) {
	return stack([["active", u.active], ["ending", u.ending], ["quarantined", u.quarantined],
		["excluded", u.excluded],
		// Reservations may be held or not: what is counted nowhere else and is not available.
		["reserved", Math.max(0, u.total - u.available - u.active - u.ending - u.quarantined - u.excluded)]], u.total,
	`${Math.floor(percentUsed(u))} percent used, ${count(u.available)} available`);
}

export const address = (l) => both(mono(l.address), l.ports ? `ports ${ports(l.ports)}` : null);

// A cell of two lines.
export const both = (first, second) => h("div", {}, h("div", {}, first), second ? h("small", { class: "block" }, second) : null);

export const mono = (text) => h("span", { class: "mono" }, text);

export const findLink = (q) => h("a", { class: "mono", href: href("find", { q }) }, q);

// owner is KIND:NAME; its leases are one click away.
export const owner = (text) => (text ? h("a", { class: "mono", href: href("find", { q: text }) }, text) : "–");

export function filters(route, params, fields) {
	return h("form", {
		class: "filters", role: "search", onsubmit: (e) => {
			e.preventDefault();
			const values = {};
			for (const [name, value] of new FormData(e.currentTarget))
				if (value.trim())
					values[name] = value.trim();
			location.hash = href(route, values);
		},
	},
	fields.map((f) => h("div", { class: f.wide ? "field wide" : "field" },
		h("label", { for: `f-${f.name}` }, f.label),
		f.options
			? h("select", { id: `f-${f.name}`, name: f.name },
				f.options.map((o) => h("option", { value: o, selected: (params[f.name] ?? "") === o }, o || "any")))
			: h("input", {
				id: `f-${f.name}`, name: f.name, type: f.type ?? "text", value: params[f.name] ?? "", placeholder: f.placeholder,
				autocomplete: "off", spellcheck: "false", step: f.type === "datetime-local" ? "1" : null,
			}))),
	h("div", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Show"),
		Object.values(params).some(Boolean) ? h("a", { class: "button", href: href(route) }, "Clear") : null));
}

const SEVERE = { "pool.full": "bad", "pool.low": "warn", "tep.down": "bad", "tep.drift": "warn", "auth.fail": "warn", "job.fail": "bad",
	"job.late": "warn", "config.error": "bad", "clock.jump": "warn", "store.damaged": "bad", "store.rebuilt": "warn", "lease.refuse": "warn", "lease.reject": "warn",
	"pool.ok": "good", "tep.up": "good", "tep.synced": "good", "store.ok": "good" };
const eventTone = (type) => SEVERE[type] ?? "off";

function objectLink(e) {
	const id = e.object ?? "";
	if (id.startsWith("ls_"))
		return link(`leases/${id}`, e.name ?? id);
	if (id.startsWith("pl_") && !e.type.endsWith(".delete"))
		return link(`pools/${id}`, e.name ?? id);
	if (id.startsWith("tp_"))
		return link("teps", e.name ?? id);
	return e.name ?? e.object ?? "";
}

export function summary(detail) {
	if (detail.address)
		return `${detail.address}${detail.owner ? ` for ${detail.owner}` : ""}${detail.pool ? ` in ${detail.pool}` : ""}`;
	return Object.entries(detail).filter(([, v]) => v !== null && v !== "")
		.map(([k, v]) => `${k} ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
}

export function eventRow(e) {
	return h("li", { "data-key": `e${e.id}`, class: "event" }, h("span", { class: "at" }, when(e.at, moment)),
		badge(e.type, eventTone(e.type)),
		h("span", { class: "what" }, objectLink(e), " ", h("span", { class: "dim" }, summary(e.detail))));
}

// The scope is missing: says so instead of an empty screen.
export const locked = (scope) => h("p", { class: "empty" }, `To see this your token needs the scope ${scope}.`);

export const liveBadge = () => {
	const words = { live: ["live", "good"], connecting: ["connecting", "info"], lost: ["interrupted", "bad"], off: ["off", "off"] };
	return badge(...words[state.live.status]);
};
