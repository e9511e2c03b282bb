// The page is complete without this. With it, the part that changes is asked for again when an event was kept,
// and once a minute, so that "5 minutes ago" stays true.
"use strict";
(() => {
  const stream = document.body.dataset.live;
  const sign = document.getElementById("connection");
  if (!stream || !window.EventSource) return;

  let timer = 0;
  let last = 0;
  let busy = false;

  const refresh = async () => {
    timer = 0;
    // What a person is doing is not taken from under their hands.
    const active = document.activeElement;
    if (busy || document.hidden || (active && active.closest("form") && document.getElementById("live").contains(active))) {
      later(2000);
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
        const old = document.getElementById("live");
        if (fresh && old) {
          const open = [...old.querySelectorAll("details")].map((details) => details.open);
          const href = active && old.contains(active) ? active.getAttribute("href") : null;
          fresh.querySelectorAll("details").forEach((details, index) => (details.open = open[index] || false));
          old.replaceWith(fresh);
          if (href) [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === href)?.focus({ preventScroll: true });
        }
      }
    } catch {
      // The stream tells when the collector is there again.
    } finally {
      busy = false;
      last = Date.now();
    }
  };

  // At once after a quiet time, else at most every two seconds.
  const later = (least) => {
    if (!timer) timer = setTimeout(refresh, Math.max(least, last + 2000 - Date.now()));
  };

  const show = (state, text) => {
    sign.hidden = false;
    sign.className = "connection " + state;
    if (sign.textContent !== text) sign.textContent = text;
  };

  // After the page is loaded: a stream that never ends is no part of its loading.
  window.addEventListener("load", () => setTimeout(() => {
    const source = new EventSource(stream);
    let before = false;
    source.onopen = () => {
      show("on", "Live");
      if (before) later(0);
      before = true;
    };
    source.onmessage = () => later(150);
    source.onerror = () => show("off", "Reconnecting");
  }, 0));
  setInterval(() => later(0), 60000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(0); });
})();
