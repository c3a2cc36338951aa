// SPDX-License-Identifier: BSD-2-Clause
// The frame around every screen: where one can go, who one is, whether the broker answers.
import { h } from "/assets/dom.js";
import { span } from "/assets/format.js";
import { badge, href, locked, page } from "/assets/parts.js";
import { can, set } from "/assets/state.js";

const PLACES = [
	["overview", "Overview", "pools:read"], ["find", "Find", "leases:read"], ["pools", "Pools", "pools:read"],
	["leases", "Leases", "leases:read"], ["teps", "TEPs and sessions", "teps:read"], ["events", "Events", "leases:read"],
	["audit", "Audit", "audit:read"], ["jobs", "Jobs", "pools:read"], ["users", "Users", "users:read"],
	["tokens", "Tokens", "admin:read"],
];

const brand = () => h("span", { class: "brand" }, h("img", { src: "/assets/icon.svg", alt: "", width: 24, height: 24 }), "Causeway");

function banner(state) {
	if (state.connection.ok)
		return null;
	const left = Math.max(0, Math.ceil((state.connection.retryAt - Date.now()) / 1000));
	return h("div", { class: "banner", role: "alert", "data-key": "banner" },
		h("strong", {}, "The broker does not answer. "),
		h("span", { "aria-hidden": "true" }, state.loading || left === 0 ? "Trying now…" : `Trying again in ${left} s. `),
		state.loadedAt ? h("span", {}, `What you see is ${span((Date.now() - state.loadedAt) / 1000)} old. Tunnels go on without it.`) : null);
}

function nav(state) {
	const here = state.route.name.replace("/", "");
	return h("nav", { "aria-label": "Screens", id: "nav", class: state.menu ? "open" : null },
		h("ul", {}, PLACES.map(([name, title, scope]) => h("li", {}, h("a", {
			href: href(name), "aria-current": name === here ? "page" : null, class: can(scope) ? null : "dim",
			title: can(scope) ? null : `Needs the scope ${scope}`,
		}, title)))));
}

function may(session) {
	const writes = session.scopes.filter((s) => s === "admin" || s === "operator" || s.endsWith(":write"));
	if (!writes.length)
		return ["read-only", "info", "None of the scopes of your token lets it change anything."];
	if (can("admin:write"))
		return ["admin", "good", "You may change everything."];
	return ["operator", "good", `You may change: ${writes.map((s) => s.replace(":write", "")).join(", ")}`];
}

function who(state, doors) {
	const [word, tone, title] = may(state.session);
	return h("div", { class: "who" },
		h("span", { class: "mono actor", title: "Who you are to the broker" }, state.session.actor),
		h("span", { title }, badge(word, tone)),
		state.session.via === "cookie" ? h("button", { type: "button", onclick: doors.logout }, "Log out") : null);
}

function body(state, doors) {
	const view = doors.views[state.route.name];
	const e = state.error;
	if (e && (e.code === "insufficient-scope" || e.status === 403))
		return page(view.title, null, locked(e.scope ?? view.scope));
	if (e?.status === 404)
		return page("Not found", null, h("p", { class: "empty" }, `${state.route.id ?? "This"}: there is no such thing, or no longer.`));
	const fault = e ? h("div", { class: "problem bad", role: "alert", "data-key": "fault" }, h("strong", {}, e.title ?? "Something went wrong"), " ", e.message) : null;
	if (state.data === null)
		return page(view.title, null, fault, e ? null : h("p", { class: "empty loading" }, state.connection.ok ? "Loading…" : "Waiting for the broker…"));
	return [fault, ...view.render(state.data, state)];
}

function loginForm(state, doors) {
	const submit = (e) => {
		e.preventDefault();
		const input = e.currentTarget.elements.namedItem("token");
		const token = input.value.trim();
		input.value = "";
		if (token)
			doors.login(token);
	};
	return h("main", { class: "login", id: "main" }, banner(state), h("form", { class: "panel", onsubmit: submit },
		brand(), h("h1", { tabindex: "-1", id: "title" }, "Log in"),
		h("p", {}, "Paste a token of this broker. It becomes a cookie of this browser for 12 hours, or until the broker starts again, and is kept nowhere else."),
		h("label", { for: "token" }, "Token"),
		h("input", {
			id: "token", name: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false", autofocus: true,
			placeholder: "cw_…", "aria-describedby": state.loginError ? "login-fault" : null,
		}),
		state.loginError ? h("p", { class: "fault", role: "alert", id: "login-fault" }, state.loginError) : null,
		h("button", { type: "submit", class: "primary" }, "Log in"),
		h("p", { class: "dim" }, "The first token comes from the broker's host: ", h("code", {}, "causewayctl token create --scope admin"))));
}

export function drawShell(state, doors) {
	if (state.boot === "login")
		return [loginForm(state, doors)];
	if (state.boot === "starting")
		return [h("main", { class: "login", id: "main" }, banner(state), h("p", { class: "boot" }, brand()))];
	return [
		h("header", { class: "top", "data-key": "top" },
			h("a", { href: href("overview"), class: "home" }, brand()),
			h("button", {
				type: "button", class: "menu", "aria-expanded": String(state.menu), "aria-controls": "nav",
				onclick: () => set({ menu: !state.menu }),
			}, "Menu"),
			nav(state), who(state, doors),
			h("p", { class: "version" }, state.version ? `causewayd ${state.version.version}` : "")),
		h("main", { id: "main", class: state.connection.ok ? null : "stale", "data-key": "main" }, banner(state), body(state, doors)),
	];
}
