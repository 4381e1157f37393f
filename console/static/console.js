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
			ask(form, event.submitter);
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

	function ask(form, button) {
		const yes = dialog.querySelector("[value=yes]");
		document.getElementById("confirm-text").textContent = form.dataset.confirm;
		if (button)
			yes.textContent = button.textContent;
		dialog.onclose = () => {
			if (dialog.returnValue === "yes") {
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

	/* -- The waiting list: select, and say on the buttons what they take ---- */
	const boxes = () => [...document.querySelectorAll("#decide [type=checkbox]")];

	function counted() {
		const ticked = boxes().filter((box) => box.checked);
		const all = document.querySelector("[data-all]");
		if (all)
			all.textContent = ticked.length > 0 && ticked.length === boxes().length ? all.dataset.clear : all.dataset.all;
		const have = shares(ticked, true), price = shares(ticked, false);
		for (const button of document.querySelectorAll("[data-count]")) {
			button.dataset.none ??= button.textContent;
			const n = button.value === "have" ? have.length : button.value === "price" ? price.length : ticked.length;
			const points = have.reduce((sum, take) => sum + take, 0).toLocaleString(document.documentElement.lang);
			button.textContent = ticked.length === 0 ? button.dataset.none
				: button.dataset.count.replace("{}", n).replace("{points}", points);
			button.disabled = ticked.length > 0 && n === 0; /* none of them is possible */
		}
	}

	/* What each of these would pay, as Pending::shares has it; those that are not possible are left out. */
	function shares(ticked, forLess) {
		const spent = {}, used = {}, takes = [];
		for (const box of ticked) {
			const [, guest, room, price, balance, free] = box.value.split(":");
			const has = Math.max(0, Number(balance) - (spent[guest] ?? 0));
			if (balance === "" || (used[room] ?? 0) >= Number(free) || (has < Number(price) && !forLess))
				continue;
			const take = Math.min(Number(price), has);
			spent[guest] = (spent[guest] ?? 0) + take;
			used[room] = (used[room] ?? 0) + 1;
			takes.push(take);
		}
		return takes;
	}
	document.addEventListener("change", (event) => {
		if (event.target.matches("#decide [type=checkbox]"))
			counted();
	});
	document.addEventListener("click", (event) => {
		if (!event.target.matches("[data-all]"))
			return;
		event.preventDefault();
		const all = boxes(), on = !all.every((box) => box.checked);
		for (const box of all)
			box.checked = on;
		counted();
	});
	window.addEventListener("pageshow", counted);

	/* On a narrow screen the navigation is one row to be moved: to where one is.  Not by scrollIntoView, behind
	 * which some browsers (Chromium 150) go on with Tab, past the link to the content. */
	const row = document.querySelector(".top nav"), here = row?.querySelector("[aria-current]");
	if (here)
		row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;

	/* / goes to the search, wherever one is and nothing is being typed. */
	document.addEventListener("keydown", (event) => {
		const find = document.getElementById("find");
		if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !find || dialog.open ||
				event.target.matches("input:not([type=checkbox]), textarea, select"))
			return;
		event.preventDefault();
		find.focus();
		find.select();
	});

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
			answer = await fetch(location.href, { headers: { "X-Live": section.dataset.since || "1" }, redirect: "error" });
		} catch {
			return; /* next time */
		}
		if (answer.status === 401) {
			clearInterval(timer);
			tell(document.body.dataset.signedOut, document.body.dataset.signIn, location.href);
			return;
		}
		if (!answer.ok)
			return;
		const page = new DOMParser().parseFromString(await answer.text(), "text/html");
		const fresh = page.querySelector("[data-live]");
		const nav = document.querySelector(".top nav"), now = page.querySelector(".top nav");
		if (nav && now && !nav.contains(document.activeElement) && nav.innerHTML !== now.innerHTML)
			nav.replaceWith(now);
		if (!fresh || busy(section) || plain(fresh) === plain(section))
			return;
		const focused = section.contains(document.activeElement) && document.activeElement.getAttribute("href");
		section.replaceWith(fresh);
		if (focused)
			fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
		counted();
	}

	/* Each form has a number of its own: that is no news. */
	function plain(section) {
		const copy = section.cloneNode(true);
		for (const field of copy.querySelectorAll("[name=form], .bulk"))
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
		p.append(text, " ", a);
		document.getElementById("main").prepend(p);
	}

	if (document.querySelector("[data-live]")) {
		timer = setInterval(refresh, EVERY_MS);
		document.addEventListener("visibilitychange", refresh);
	}
})();
