// What the pages do with scripts: local times, copying, theme, the state of the connection, taps.
// Everything that others wrote gets onto the page as text (textContent), never as HTML.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => from.querySelectorAll(selector);

  // Times: the server writes UTC; the viewer sees the zone of this machine, and UTC on hover.
  const moments = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const localise = (from) => {
    for (const time of all("time[datetime]", from)) {
      const at = new Date(time.dateTime);
      if (time.dataset.local === time.dateTime || Number.isNaN(at.getTime())) continue;
      time.dataset.local = time.dateTime;
      time.textContent = moments.format(at);
    }
  };

  // Theme: that of the system, dark or light, remembered in this browser.
  const themes = ["system", "light", "dark"];
  const nameTheme = () => {
    for (const name of all("[data-theme-name]")) name.textContent = root.dataset.theme ?? "system";
  };
  const nextTheme = () => {
    const next = themes[(themes.indexOf(root.dataset.theme ?? "system") + 1) % themes.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("nss-theme", next);
    } catch { /* storage is off: until the next page */ }
    nameTheme();
    root.dispatchEvent(new Event("nss:theme", { bubbles: true }));
  };

  // The state of the connection.
  let leaving = false;
  let over = false;
  const connection = (state) => {
    if (leaving) return;
    over ||= state === "over";
    for (const line of all("[data-connection]")) {
      line.hidden = line.dataset.connection !== (over ? "over" : state);
    }
  };
  const isStream = (element) => element instanceof Element && element.hasAttribute("hx-sse:connect");
  const failed = (status) => connection(status === 401 ? "over" : "lost");

  // htmx tries a stream again that was lost, but not one that never came.
  const again = (stream) => {
    if (over || leaving) return;
    setTimeout(() => {
      if (stream.isConnected && !stream._htmx?.sse) {
        htmx.ajax("GET", stream.getAttribute("hx-sse:connect"), { source: stream, swap: "none" });
      }
    }, 2000);
  };

  document.addEventListener("htmx:sse:after:connection", () => connection("there"));
  document.addEventListener("htmx:sse:error", (event) => {
    const { connection: stream, status } = event.detail;
    if (status === 401 && stream) stream.config.reconnect = false;
    failed(status);
  });
  document.addEventListener("htmx:response:error", (event) => {
    const { ctx } = event.detail;
    if (isStream(ctx.sourceElement)) {
      failed(ctx.response.status);
      again(ctx.sourceElement);
    } else if (ctx.response.status === 401) {
      failed(401);
    }
  });
  document.addEventListener("htmx:error", (event) => {
    const element = event.detail.ctx?.sourceElement;
    if (!isStream(element)) return;
    failed(0);
    again(element);
  });
  document.addEventListener("nss:over", () => connection("over"));
  addEventListener("beforeunload", () => { leaving = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Taps: the last lines are kept; while paused new ones wait.
  const waiting = new WeakMap();
  const trim = (parent, cap) => { while (parent.childElementCount > cap) parent.firstElementChild.remove(); };
  const capOf = (tap) => Number(tap.dataset.cap) || 200;
  const isPaused = (tap) => tap.querySelector("[data-pause]")?.ariaPressed === "true";
  const sayWaiting = (tap) => {
    const count = waiting.get(tap)?.childElementCount ?? 0;
    const text = count >= capOf(tap) ? `the last ${count} lines wait` : `${count} lines wait`;
    tap.querySelector("[data-tap-state]").textContent = isPaused(tap) ? `Paused: ${text}` : "";
  };
  const hold = (tap, fragment) => {
    if (!waiting.has(tap)) waiting.set(tap, document.createDocumentFragment());
    const held = waiting.get(tap);
    held.append(fragment);
    trim(held, capOf(tap));
    sayWaiting(tap);
  };
  const pause = (button) => {
    const tap = button.closest("[data-tap]");
    const lines = tap.querySelector(".lines");
    button.ariaPressed = String(!isPaused(tap));
    if (!isPaused(tap) && waiting.has(tap)) {
      lines.append(waiting.get(tap));
      waiting.delete(tap);
      trim(lines, capOf(tap));
      lines.scrollTop = lines.scrollHeight;
    }
    sayWaiting(tap);
  };
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (ctx.response?.status === 401) event.preventDefault();
    for (const task of [...tasks]) {
      const tap = task.target instanceof Element && task.target.closest("[data-tap]");
      if (!tap || task.swapSpec.style !== "beforeend") continue;
      const lines = task.target;
      lines._atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 8;
      if (!isPaused(tap)) continue;
      hold(tap, task.fragment);
      tasks.splice(tasks.indexOf(task), 1);
    }
  });
  const appended = (lines) => {
    const tap = lines.closest?.("[data-tap]");
    if (!tap || !lines.matches(".lines")) return;
    trim(lines, capOf(tap));
    if (lines._atEnd) lines.scrollTop = lines.scrollHeight;
  };

  // What a swap must leave as the viewer has it: an opened <details>, a time in the viewer's zone.
  htmx.registerExtension("nss", {
    htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.tagName === "DETAILS"),
    htmx_before_morph_node: (_, { oldNode, newNode }) =>
      !(oldNode.tagName === "TIME" && oldNode.dateTime && oldNode.dateTime === newNode.dateTime),
  });
  const swapped = (target) => {
    localise(target.parentNode ?? document);
    for (const error of all("[data-error-of]")) {
      const field = document.getElementById(error.dataset.errorOf);
      if (error.textContent.trim()) field?.setAttribute("aria-invalid", "true");
      else field?.removeAttribute("aria-invalid");
    }
  };
  document.addEventListener("htmx:after:settle", (event) => {
    appended(event.target);
    swapped(event.target);
  });

  // Copying: the clipboard is only there for loopback and TLS.
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = "value" in source ? source.value : source.textContent;
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      const box = document.createElement("textarea");
      box.value = text;
      document.body.append(box);
      box.select();
      done = document.execCommand("copy");
      box.remove();
      button.focus();
    }
    const before = button.dataset.label ??= button.textContent;
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = before; }, 2000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    else if ("themeButton" in button.dataset) nextTheme();
    else if ("pause" in button.dataset) pause(button);
    else if ("close" in button.dataset) close(button.closest("details"));
  });
  const close = (details) => {
    details.open = false;
    details.querySelector("summary").focus();
  };
  document.addEventListener("keydown", (event) => {
    const details = event.key === "Escape" && event.target.closest?.("details.confirm[open]");
    if (details) close(details);
  });
  // A form is sent once; what takes a while shows that it is at work.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.ariaBusy === "true") event.preventDefault();
    form.ariaBusy = "true";
    event.submitter?.setAttribute("data-sent", "");
  });

  nameTheme();
  localise(document);
  document.querySelector(".rooms [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
