// SPDX-License-Identifier: BSD-2-Clause
// Elements without markup: whatever the API says becomes a text node, never HTML. Views build a new tree each time; patch()
// carries the difference into the page, so that focus, scrolling and what is being typed survive a refresh.
const SVG = "http://www.w3.org/2000/svg";

function dispatch(e) {
	const fn = e.currentTarget.cwOn?.[e.type];
	if (fn)
		fn(e);
}

function attribute(el, name, value) {
	if (value === null || value === undefined || value === false)
		return;
	if (name.startsWith("on")) {
		el.cwOn ??= {};
		el.cwOn[name.slice(2)] = value;
		el.addEventListener(name.slice(2), dispatch);
	} else if (name === "style") {
		throw new Error("styles belong in style.css");
	} else {
		el.setAttribute(name, value === true ? "" : String(value));
	}
}

function append(el, child) {
	if (child === null || child === undefined || child === false)
		return;
	if (Array.isArray(child))
		child.forEach((c) => append(el, c));
	else
		el.append(child instanceof Node ? child : document.createTextNode(String(child)));
}

function build(el, props, children) {
	for (const [name, value] of Object.entries(props ?? {}))
		attribute(el, name, value);
	append(el, children);
	return el;
}

export function h(tag, props, ...children) {
	return build(document.createElement(tag), props, children);
}

export function s(tag, props, ...children) {
	return build(document.createElementNS(SVG, tag), props, children);
}

const key = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

function patchAttributes(old, now) {
	for (const { name } of [...old.attributes])
		if (!now.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) {
			old.removeAttribute(name);
			if (name === "value")
				old.value = "";
		}
	for (const { name, value } of now.attributes)
		if (old.getAttribute(name) !== value) {
			old.setAttribute(name, value);
			// What is typed stays until the view says something else than before.
			if (name === "value")
				old.value = value;
			if (name === "selected")
				old.selected = true;
		}
	for (const type of Object.keys(now.cwOn ?? {}))
		if (!old.cwOn?.[type])
			old.addEventListener(type, dispatch);
	old.cwOn = now.cwOn;
}

function patchNode(old, now) {
	if (old.nodeType !== 1) {
		if (old.data !== now.data)
			old.data = now.data;
		return;
	}
	patchAttributes(old, now);
	patch(old, [...now.childNodes]);
}

// Makes the children of parent like these nodes.
export function patch(parent, nodes) {
	let at = parent.firstChild;
	for (const now of nodes) {
		let match = at;
		if (key(now) !== null)
			while (match && !alike(match, now))
				match = match.nextSibling;
		if (match && alike(match, now)) {
			if (match !== at)
				parent.insertBefore(match, at);
			else
				at = at.nextSibling;
			patchNode(match, now);
		} else {
			parent.insertBefore(now, at);
		}
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
}
