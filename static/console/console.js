// What htmx leaves to a page: when to ask for itself again, and ticking all rows. Without it everything works, but by reloading.
(() => {
  "use strict";
  const POLL = 10000;
  let stream, poll, waits = false;

  const live = () => document.getElementById("vivant");
  // Nothing moves under a pointer or a cursor, nor takes back what was ticked or opened.
  const isHeld = () => live().querySelector(":focus-visible, input:focus, select:focus, button:focus, " +
    "tbody tr:hover, tbody input:checked, details[open]");

  function show() {
    waits = false;
    document.getElementById("attente").hidden = true;
    const places = [...live().querySelectorAll(".large")].map((table) => table.scrollLeft);
    htmx.ajax("GET", location.href, { target: "#vivant", select: "#vivant", swap: "outerHTML" }).then(() => {
      live().querySelectorAll(".large").forEach((table, n) => { table.scrollLeft = places[n] ?? 0; });
    });
  }

  // What is shown is said to be old as long as the server does not answer.
  const old = (is) => { document.getElementById("perime").hidden = !is; };
  document.addEventListener("htmx:sendError", () => old(true));
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (status === 403 || status === 404) location.reload();
    else old(true);
  });
  document.addEventListener("htmx:afterSwap", () => old(false));

  function changed() {
    if (isHeld()) {
      waits = true;
      document.getElementById("attente").hidden = false;
    } else {
      show();
    }
  }

  function open() {
    close();
    stream = new EventSource(live().dataset.flux);
    stream.addEventListener("maj", changed);
    stream.addEventListener("fin", () => location.reload());
    stream.addEventListener("open", () => { clearInterval(poll); poll = undefined; });
    stream.addEventListener("error", () => { poll ??= setInterval(changed, POLL); });
  }

  function close() {
    stream?.close();
    clearInterval(poll);
    stream = poll = undefined;
  }

  // A box that ticks all rows, where there are scripts to do it.
  document.querySelectorAll("[data-tout]").forEach((box) => { box.hidden = false; });
  document.addEventListener("htmx:afterSwap", () => {
    document.querySelectorAll("[data-tout]").forEach((box) => { box.hidden = false; });
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-tout]")) return;
    const rows = event.target.closest("table").querySelectorAll("tbody input[type=checkbox]");
    rows.forEach((row) => { row.checked = event.target.checked; });
  });

  if (!live()) return;
  document.getElementById("attente").querySelector("button").addEventListener("click", show);
  document.addEventListener("pointerout", () => setTimeout(() => { if (waits && !isHeld()) show(); }, 500));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      close();
    } else {
      open();
      changed();
    }
  });
  if (!document.hidden) open();
})();
