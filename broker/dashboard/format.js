// SPDX-License-Identifier: BSD-2-Clause
// Values as people read them.
import { now } from "/assets/api.js";
import { h } from "/assets/dom.js";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n) => whole.format(n);
export const compact = (n) => (n < 10000 ? whole.format(n) : short.format(n));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function span(s) {
	const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
	s = Math.max(0, Math.round(s));
	const i = units.findIndex(([n]) => s >= n);
	if (i < 0)
		return "0 s";
	const first = Math.floor(s / units[i][0]);
	const rest = i < 3 ? Math.floor((s % units[i][0]) / units[i + 1][0]) : 0;
	return `${first} ${units[i][1]}${rest && first < 10 ? ` ${rest} ${units[i + 1][1]}` : ""}`;
}

export const two = (n) => String(n).padStart(2, "0");

export function local(iso) {
	const d = new Date(iso);
	return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(iso)}`;
}

export function clock(iso) {
	const d = new Date(iso);
	return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

// As exact as somebody wants it who looks up: "in 4 h 59 min", but "7 min ago".
export function relative(iso) {
	const s = (Date.parse(iso) - now()) / 1000;
	const d = Math.abs(s);
	const rough = span(d >= 60 && d < 3600 ? d - (d % 60) : d);
	if (d < 1.5)
		return "now";
	return s > 0 ? `in ${rough}` : `${rough} ago`;
}

// A time, with the full one in UTC behind it.
export function when(iso, how = local) {
	return iso ? h("time", { datetime: iso, title: iso }, how(iso)) : "–";
}

// In a list of what happened: the time of the day, once it is no longer just now.
export function moment(iso) {
	const s = (now() - Date.parse(iso)) / 1000;
	return s < 60 ? relative(iso) : s < 43200 ? clock(iso) : local(iso).slice(5, 16);
}

export const ago = (iso) => when(iso, relative);

export function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;
	for (; n >= 1024 && i < units.length - 1; i++)
		n /= 1024;
	return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

export function percentUsed(u) {
	return u.total > 0 ? Math.min(100, Math.max(0, (100 * (u.total - u.available)) / u.total)) : 0;
}

export function ports(p) {
	if (!p)
		return "all ports";
	const some = p.ranges.slice(0, 2).map(([a, b]) => (a === b ? `${a}` : `${a}–${b}`)).join(", ");
	return p.ranges.length > 2 ? `${some}, …` : some;
}

export function ip4(text) {
	const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
	return parts && parts.every((n) => n < 256) ? parts.reduce((sum, n) => sum * 256 + n, 0) : null;
}

export const ip4text = (n) => [24, 16, 8, 0].map((b) => Math.floor(n / 2 ** b) % 256).join(".");

// OpenMetrics text as name -> [{labels, value}].
export function metrics(text) {
	const found = new Map();
	for (const line of text.split("\n")) {
		const m = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
		if (!m)
			continue;
		const labels = {};
		for (const [, name, value] of (m[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
			labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
		if (!found.has(m[1]))
			found.set(m[1], []);
		found.get(m[1]).push({ labels, value: Number(m[3]) });
	}
	return found;
}
