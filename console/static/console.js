/* What is nicer with a script.  Nothing here is needed: every page and every
 * form works without it. */
"use strict";

(() => {
	/* -- Ask before it is done ------------------------------------------ */
	const dialog = document.getElementById("confirm");
	let asked = null; /* the form, and the button that sent it */

	document.addEventListener("submit", (event) => {
		const form = event.target;
		if (form.method === "dialog")
			return;
		if (form.dataset.confirm && form !== asked && dialog.showModal) {
			event.preventDefault();
			if (form.id === "bulk" && !document.querySelector("[form=bulk]:checked")) {
				ask(form, event.submitter, "Nothing is selected.", false);
				return;
			}
			ask(form, event.submitter, form.dataset.confirm, true);
			return;
		}
		asked = null;
		/* Once is enough; the server would do it once all the same. */
		if (event.submitter)
			event.submitter.setAttribute("aria-busy", "true");
		if (form.dataset.sent) {
			event.preventDefault();
			return;
		}
		form.dataset.sent = "1";
	});

	function ask(form, button, text, possible) {
		document.getElementById("confirm-text").textContent = text;
		const [yes, no] = dialog.querySelectorAll("button");
		yes.hidden = !possible;
		no.textContent = possible ? "No, go back" : "OK";
		dialog.onclose = () => {
			if (possible && dialog.returnValue === "yes") {
				asked = form;
				form.requestSubmit(button || undefined);
			} else if (button) {
				button.focus();
			}
		};
		dialog.returnValue = "";
		dialog.showModal();
	}

	/* Back from the browser's own cache: forms can be sent again. */
	window.addEventListener("pageshow", () => {
		for (const form of document.querySelectorAll("[data-sent]"))
			delete form.dataset.sent;
		for (const button of document.querySelectorAll("[aria-busy]"))
			button.removeAttribute("aria-busy");
	});

	/* -- Select what is affordable -------------------------------------------- */
	function tickers() {
		const bulk = document.querySelector("[data-bulk]");
		if (!bulk || bulk.querySelector(".quiet") || !document.querySelector("[data-affordable]"))
			return;
		const button = document.createElement("button");
		button.type = "button";
		button.className = "quiet";
		button.textContent = "Select what is affordable now";
		button.onclick = () => {
			for (const box of document.querySelectorAll("[form=bulk]"))
				box.checked = "affordable" in box.dataset;
			counted();
		};
		bulk.append(button);
	}
	tickers();

	/* How many the button is about. */
	function counted() {
		const button = document.querySelector("[data-count]");
		if (!button)
			return;
		const n = document.querySelectorAll("[form=bulk]:checked").length;
		button.textContent = button.dataset.count.replace("{} ", n === 0 ? "" : `${n} `);
	}
	document.addEventListener("change", (event) => {
		if (event.target.matches("[form=bulk]"))
			counted();
	});
	window.addEventListener("pageshow", counted);

	/* Only one sheet of other decisions is open at a time; Escape closes it. */
	document.addEventListener("toggle", (event) => {
		if (event.target.matches && event.target.matches("details.other") && event.target.open)
			for (const other of document.querySelectorAll("details.other[open]"))
				if (other !== event.target)
					other.open = false;
	}, true);
	document.addEventListener("keydown", (event) => {
		const open = event.key === "Escape" && document.querySelector("details.other[open]");
		if (open) {
			open.open = false;
			open.querySelector("summary").focus();
		}
	});

	/* -- Keep what is on the screen fresh --------------------------------- */
	const EVERY_MS = 10000;
	let timer = 0;

	/* Whether somebody is in the middle of something here. */
	function busy(section) {
		const active = document.activeElement;
		return dialog.open || section.querySelector("details[open], :checked, [data-sent], .results") ||
			(section.contains(active) && active.matches("input, textarea, select, button")) ||
			!document.getSelection().isCollapsed;
	}

	async function refresh() {
		const section = document.querySelector("[data-live]");
		if (!section || document.hidden || busy(section))
			return;
		let answer;
		try {
			answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "error" });
		} catch {
			return; /* next time */
		}
		if (answer.status === 401) {
			clearInterval(timer);
			tell("You were signed out. ", "Sign in again", location.href);
			return;
		}
		if (!answer.ok)
			return;
		const page = new DOMParser().parseFromString(await answer.text(), "text/html");
		const fresh = page.querySelector("[data-live]");
		if (!fresh || busy(section) || plain(fresh) === plain(section))
			return;
		const focused = section.contains(document.activeElement) && document.activeElement.getAttribute("href");
		section.replaceWith(fresh);
		if (focused)
			fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
		tickers();
	}

	/* Each form has a number of its own: that is no news. */
	function plain(section) {
		const copy = section.cloneNode(true);
		for (const field of copy.querySelectorAll("[name=form], [data-bulk]"))
			field.remove();
		return copy.innerHTML.replace(/\s+/g, " ");
	}

	function tell(text, link, href) {
		const p = document.createElement("p");
		const a = document.createElement("a");
		p.className = "notice bad";
		p.setAttribute("role", "alert");
		a.href = href;
		a.textContent = link;
		p.append(text, a);
		document.getElementById("main").prepend(p);
	}

	if (document.querySelector("[data-live]")) {
		timer = setInterval(refresh, EVERY_MS);
		document.addEventListener("visibilitychange", refresh);
	}
})();
