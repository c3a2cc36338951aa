// SPDX-License-Identifier: BSD-2-Clause
// Questions before something is changed, and what became of it. The browser's own dialog keeps the focus inside, gives it
// back, and closes with Escape.
import { h } from "/assets/dom.js";

let serial = 0;

// fields: [{name, label, type, value, options, required, hint, placeholder}]. submit(values) does it; what it throws is shown
// and the dialog stays. Resolves to what submit gave, or undefined if it was cancelled.
export function ask({ title, text, fields = [], verb, danger = false, submit }) {
	return new Promise((resolve) => {
		const id = `dialog-${++serial}`;
		let result;
		const fault = h("p", { class: "fault", role: "alert", hidden: true });
		const go = h("button", { type: "submit", class: danger ? "danger" : "primary" }, verb);
		const cancel = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
		const inputs = fields.map((f) => [f, control(f, `${id}-${f.name}`)]);
		const form = h("form", {
			novalidate: true,
			onsubmit: async (e) => {
				e.preventDefault();
				const missing = inputs.find(([f, c]) => f.required && !c.value.trim());
				if (missing) {
					fault.hidden = false;
					fault.textContent = `${missing[0].label} is needed.`;
					missing[1].focus();
					return;
				}
				go.disabled = true;
				try {
					result = (await submit(values(inputs))) ?? null;
					dialog.close();
				} catch (x) {
					fault.hidden = false;
					fault.textContent = [x.message, ...(x.errors ?? []).map((y) => `${y.pointer}: ${y.detail}`)].join("\n");
					go.disabled = false;
				}
			},
		},
		h("h2", { id }, title),
		(Array.isArray(text) ? text : [text]).filter(Boolean).map((t) => h("p", {}, t)),
		inputs.map(([f, c]) => labelled(f, c, `${id}-${f.name}`)), fault,
		h("div", { class: "buttons" }, cancel, go));
		const dialog = h("dialog", { "aria-labelledby": id, onclose: () => (dialog.remove(), resolve(result)) }, form);
		document.getElementById("dialogs").append(dialog);
		dialog.showModal();
		(inputs[0]?.[1] ?? cancel).focus();
	});
}

function control(f, id) {
	if (f.options)
		return h("select", { id, name: f.name }, f.options.map(([value, label]) =>
			h("option", { value, selected: value === f.value }, label)));
	return h("input", {
		id, name: f.name, type: f.type ?? "text", value: f.value ?? "", placeholder: f.placeholder, min: f.min,
		checked: f.type === "checkbox" && f.value, autocomplete: f.type === "password" ? "new-password" : "off",
		spellcheck: "false", "aria-describedby": f.hint ? `${id}-hint` : null,
	});
}

function labelled(f, c, id) {
	return h("div", { class: f.type === "checkbox" ? "field check" : "field" },
		h("label", { for: id }, f.label), c, f.hint ? h("small", { id: `${id}-hint` }, f.hint) : null);
}

function values(inputs) {
	return Object.fromEntries(inputs.map(([f, c]) => [f.name, f.type === "checkbox" ? c.checked : c.value.trim()]));
}

// Something to be seen once: a new token.
export function show({ title, text, secret }) {
	const id = `dialog-${++serial}`;
	const copied = h("span", { role: "status" });
	const dialog = h("dialog", { "aria-labelledby": id, onclose: () => dialog.remove() },
		h("h2", { id }, title), h("p", {}, text),
		h("pre", { class: "secret", tabindex: "0" }, secret),
		h("div", { class: "buttons" }, copied,
			h("button", {
				type: "button", onclick: async () => {
					try {
						await navigator.clipboard.writeText(secret);
						copied.textContent = "Copied";
					} catch {
						copied.textContent = "Select it and copy it by hand";
					}
				},
			}, "Copy"),
			h("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Done")));
	document.getElementById("dialogs").append(dialog);
	dialog.showModal();
}

export function toast(text, bad = false) {
	const t = h("div", { class: bad ? "toast bad" : "toast" }, text);
	const all = document.getElementById("toasts");
	all.append(t);
	while (all.children.length > 3)
		all.firstChild.remove();
	setTimeout(() => t.remove(), bad ? 9000 : 5000);
}
