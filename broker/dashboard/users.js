// SPDX-License-Identifier: BSD-2-Clause
// Who may have leases, and who may use this API.
import { call, change, get } from "/assets/api.js";
import { askAndAct } from "/assets/actions.js";
import { show } from "/assets/dialog.js";
import { h } from "/assets/dom.js";
import { ago, count, when } from "/assets/format.js";
import { badge, button, filters, findLink, link, mono, page, pager, panel, table } from "/assets/parts.js";

const PAGE = 100;

const loadUsers = ({ params }) => get("/v1/users", { ...params, limit: PAGE, count: params.cursor ? null : "exact" });

const addUser = () => askAndAct({
	title: "A new user", verb: "Make",
	fields: [{ name: "name", label: "Name", required: true }, { name: "password", label: "Password", type: "password", hint: "Only verifiers made from it are stored. Empty: no login yet." },
		{ name: "pool", label: "Pool", hint: "Empty: any" }, { name: "max", label: "Leases at most", type: "number", min: 0, value: "0", hint: "0: no limit of its own" }],
	submit: ({ name, password, pool, max }) => call("POST", "/v1/users", { body: { name, max_leases: Number(max), ...(password ? { password } : {}), ...(pool ? { pool } : {}) } }),
}, (u) => `The user ${u.name} is made.`);

const setPassword = (u) => askAndAct({
	title: `A new password for ${u.name}`, text: "It replaces all credentials; sessions that are open go on.", verb: "Set",
	fields: [{ name: "password", label: "Password", type: "password", required: true }],
	submit: async ({ password }) => call("PUT", `/v1/users/${u.id}/credentials`, { body: { password }, etag: `"${u.version}"` }),
}, "The password is set.");

const toggle = (u) => askAndAct({
	title: `${u.disabled ? "Enable" : "Disable"} ${u.name}?`, text: u.disabled ? "The user may log in again." : "The user cannot log in or renew; leases run out by themselves.",
	verb: u.disabled ? "Enable" : "Disable", danger: !u.disabled,
	submit: () => change("PATCH", `/v1/users/${u.id}`, { disabled: !u.disabled }),
}, (v) => `${u.name} is ${v.disabled ? "disabled" : "enabled"}.`);

const dropUser = (u) => askAndAct({
	title: `Delete ${u.name}?`, text: "Its leases run out by themselves; revoke them to take them.", verb: "Delete", danger: true,
	submit: () => change("DELETE", `/v1/users/${u.id}`),
}, `${u.name} is gone.`);

function renderUsers(d, { route }) {
	return page("Users", button("New user", "users:write", addUser, { primary: true }),
		filters("users", Object.fromEntries(Object.entries(route.params).filter(([k]) => k !== "cursor")), [{ name: "name", label: "Name" }, { name: "pool", label: "Pool" }, { name: "disabled", label: "Disabled", options: ["", "true", "false"] }]),
		h("div", { class: "panel" }, table("Users", [["Name"], ["State"], ["Pool"], ["Leases at most", "n"], ["Id"], ["", "do"]], d.items.map((u) => [u.id, findLink(u.name), badge(u.disabled ? "disabled" : "active"),
			u.pool ? link(`pools/${u.pool}`, u.pool) : "any", u.max_leases ? count(u.max_leases) : "no limit", mono(u.id),
			h("div", { class: "buttons" }, button("Password", "users:write", () => setPassword(u)), button(u.disabled ? "Enable" : "Disable", "users:write", () => toggle(u)), button("Delete", "users:write", () => dropUser(u), { danger: true }))]),
		"There is no user yet.")),
		pager("users", route.params, d.next, d.items.length, d.count));
}

const loadTokens = ({ params }) => get("/v1/tokens", { ...params, limit: PAGE });

const BUNDLES = [["viewer", "viewer: sees pools, leases, users, TEPs"], ["operator", "operator: changes them, sees history"], ["admin", "admin: everything"]];
const LIVES = [["2592000", "30 days"], ["7776000", "90 days"], ["31536000", "a year"], ["", "for ever"]];

async function addToken() {
	const made = await askAndAct({
		title: "A new token", verb: "Make",
		fields: [{ name: "name", label: "Name", required: true, placeholder: "monitoring" }, { name: "scope", label: "May", options: BUNDLES, value: "viewer" },
			{ name: "life", label: "Lives", options: LIVES, value: "7776000" }, { name: "prefixes", label: "Only from", placeholder: "192.0.2.0/24 2001:db8::/32", hint: "Prefixes, blank-separated; empty: from anywhere" }],
		submit: ({ name, scope, life, prefixes }) => call("POST", "/v1/tokens", { body: { name, scopes: [scope], prefixes: prefixes.split(/\s+/).filter(Boolean), ...(life ? { lifetime_s: Number(life) } : {}) } }),
	});
	if (made)
		show({ title: `Token ${made.info.name}`, text: "This is shown once: the broker keeps only a hash of it.", secret: made.token });
}

const dropToken = (t) => askAndAct({
	title: `Delete the token ${t.name}?`, text: "Whoever uses it is refused from now on.", verb: "Delete", danger: true,
	submit: () => call("DELETE", `/v1/tokens/${t.id}`),
}, `The token ${t.name} is gone.`);

const scopesOf = (t) => h("span", { class: "scopes" }, t.scopes.map((x) => h("span", { class: "badge off" }, x)));

function renderTokens(d, { route }) {
	return page("Tokens", button("New token", "admin:write", addToken, { primary: true }),
		panel("Tokens of this API", { note: "Only hashes are kept." }, table("Tokens", [["Name"], ["Begins with"], ["May"], ["From"], ["Made"], ["Ends"], ["Last used"], ["", "do"]], d.items.map((t) => [t.id, h("strong", {}, t.name), mono(`${t.hint}…`), scopesOf(t),
			t.prefixes.length ? mono(t.prefixes.join(" ")) : "anywhere", when(t.created_at), t.expires_at ? when(t.expires_at) : "never", t.last_used_at ? ago(t.last_used_at) : "never",
			button("Delete", "admin:write", () => dropToken(t), { danger: true })]), "There is no token yet.")),
		pager("tokens", route.params, d.next, d.items.length));
}

export const users = { title: "Users", scope: "users:read", every: 30, load: loadUsers, render: renderUsers };
export const tokens = { title: "Tokens", scope: "admin:read", every: 30, load: loadTokens, render: renderTokens };
