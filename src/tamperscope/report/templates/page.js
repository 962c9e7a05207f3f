"use strict";
// Mixing, keys, filter and review. The page is complete without this file; nothing here asks the
// network for anything, and reviews stay in the reader's browser until they are saved.
(() => {
  const BLINK_MS = 650; // slow enough to be no flicker: well under three changes a second
  const SVG = "http://www.w3.org/2000/svg";
  const STATES = { "": "", explained: "Looks explained", "follow-up": "Follow up" };
  const SIGNS = { "": "", explained: "✓", "follow-up": "!" };
  const storageName = "tamperscope-review/" + document.body.dataset.key;
  const findings = [...document.querySelectorAll("article.finding")];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  let current = null;
  let blinking = null;

  document.documentElement.classList.add("live");

  const memory = (() => { // private windows may refuse storage: then reviews last while the page is open
    let held = {};
    try { held = JSON.parse(localStorage.getItem(storageName)) || {}; } catch { held = {}; }
    return {
      of: (id) => held[id] || { mark: "", note: "" },
      set(id, review) {
        held[id] = review;
        try { localStorage.setItem(storageName, JSON.stringify(held)); } catch { /* kept in held */ }
      },
    };
  })();

  // --- mixing A and B ---
  function mix(finding, share) {
    const over = finding.querySelector(".over .layer:last-of-type");
    if (!over) return;
    over.setAttribute("opacity", String(share / 100));
    finding.querySelector(".mix input").value = share;
  }

  function stopBlinking() {
    if (!blinking) return;
    clearInterval(blinking.timer);
    blinking.button.setAttribute("aria-pressed", "false");
    mix(blinking.finding, 100);
    blinking = null;
  }

  function toggleBlink(finding) {
    const wasOn = blinking && blinking.finding === finding;
    stopBlinking();
    const button = finding.querySelector("button.blink:not([hidden])");
    if (wasOn || !button) return;
    button.setAttribute("aria-pressed", "true");
    let showB = false;
    mix(finding, 0);
    const timer = setInterval(() => { showB = !showB; mix(finding, showB ? 100 : 0); }, BLINK_MS);
    blinking = { finding, button, timer };
  }

  function toggleOutlines(finding) {
    const hidden = finding.classList.toggle("hide-outlines");
    const button = finding.querySelector("button.outline");
    if (button) button.setAttribute("aria-pressed", String(!hidden));
  }

  function toggleTones(finding) {
    const button = finding.querySelector("button.tones");
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    all("[data-tones]", finding).forEach((layer) => {
      if (on && document.getElementById(layer.dataset.tones)) layer.setAttribute("filter", `url(#${layer.dataset.tones})`);
      else layer.removeAttribute("filter");
    });
  }

  for (const finding of findings) {
    const base = finding.querySelector(".base .layer");
    const over = finding.querySelector(".over .layer");
    all("button.outline", finding).forEach((button) => {
      button.addEventListener("click", () => toggleOutlines(finding));
    });
    finding.querySelector("button.tones").addEventListener("click", () => toggleTones(finding));
    if (!base || !over) { // a place without partner, or pictures left out of the page
      all(".mix, button.blink", finding).forEach((part) => { part.hidden = true; });
      continue;
    }
    const under = document.createElementNS(SVG, "image"); // A beneath B, without a second copy in the file
    for (const name of ["href", "width", "height", "class", "data-tones"]) under.setAttribute(name, base.getAttribute(name));
    over.before(under);
    finding.querySelector(".mix input").addEventListener("input", (event) => {
      const share = Number(event.target.value);
      stopBlinking();
      mix(finding, share);
    });
    finding.querySelector("button.blink").addEventListener("click", () => toggleBlink(finding));
  }

  // --- moving between findings ---
  const shown = () => findings.filter((finding) => !finding.hidden);

  function select(finding, { move = true } = {}) {
    if (current === finding) return;
    if (current) current.classList.remove("current");
    stopBlinking();
    current = finding;
    all(".finding-links a").forEach((link) => {
      if (finding && link.hash === "#" + finding.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    if (!finding) return;
    finding.classList.add("current");
    if (!move) return;
    finding.focus({ preventScroll: true });
    finding.scrollIntoView({ block: "start" });
  }

  function step(by) {
    const list = shown();
    if (!list.length) return;
    const at = list.indexOf(current);
    const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1);
    select(list[next]);
  }

  findings.forEach((finding) => {
    finding.addEventListener("focusin", () => select(finding, { move: false }));
    finding.addEventListener("pointerdown", () => select(finding, { move: false }));
  });
  all(".finding-links a, .index tbody th a").forEach((link) => link.addEventListener("click", (event) => {
    const finding = document.getElementById(link.hash.slice(1));
    if (!finding) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    current = current === finding ? null : current;
    select(finding);
  }));

  // --- filter ---
  const filters = all("input.filter");
  filters.forEach((box) => box.addEventListener("change", () => {
    const kinds = new Set(filters.filter((one) => one.checked).map((one) => one.value));
    all("[data-kind]").forEach((part) => { part.hidden = !kinds.has(part.dataset.kind); });
    if (current && current.hidden) select(null);
  }));

  // --- review ---
  function show(id) {
    const { mark } = memory.of(id);
    all("[data-review-of]").filter((cell) => cell.dataset.reviewOf === id)
      .forEach((cell) => { cell.textContent = STATES[mark] || "–"; });
    all("[data-state-of]").filter((cell) => cell.dataset.stateOf === id)
      .forEach((cell) => {
        cell.textContent = SIGNS[mark];
        cell.setAttribute("aria-label", STATES[mark]);
      });
    const done = findings.filter((finding) => memory.of(finding.id).mark).length;
    all(".progress").forEach((line) => {
      line.textContent = findings.length ? `${done} of ${findings.length} reviewed` : "";
    });
  }

  function review(finding, change) {
    memory.set(finding.id, { ...memory.of(finding.id), ...change });
    const { mark } = memory.of(finding.id);
    all(".review input[type=radio]", finding).forEach((radio) => { radio.checked = radio.value === mark; });
    show(finding.id);
  }

  for (const finding of findings) {
    const saved = memory.of(finding.id);
    all(".review input[type=radio]", finding).forEach((radio) => {
      radio.checked = radio.value === saved.mark;
      radio.addEventListener("change", () => review(finding, { mark: radio.value }));
    });
    all(".review input[type=text]", finding).forEach((field) => {
      field.value = saved.note;
      field.addEventListener("input", () => review(finding, { note: field.value }));
    });
    show(finding.id);
  }

  all("button.export").forEach((button) => {
    button.hidden = !findings.length;
    button.addEventListener("click", () => {
      const reviews = findings.map((finding) => ({ finding: finding.id, ...memory.of(finding.id) }));
      const content = { format: "tamperscope-review/1", screening: document.body.dataset.key, reviews };
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
      link.download = "review.json";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  });

  // --- keys ---
  const keys = document.querySelector("dialog.keys");
  const shortcuts = keys.querySelector(".shortcuts");
  try { shortcuts.checked = localStorage.getItem("tamperscope-keys") !== "off"; } catch { /* stays on */ }
  shortcuts.addEventListener("change", () => {
    try { localStorage.setItem("tamperscope-keys", shortcuts.checked ? "on" : "off"); } catch { /* this page only */ }
  });
  all("button.help").forEach((button) => button.addEventListener("click", () => keys.showModal()));

  const onCurrent = (action) => () => { if (current) action(current); };
  const actions = {
    j: () => step(1), ArrowRight: () => step(1),
    k: () => step(-1), ArrowLeft: () => step(-1),
    b: onCurrent(toggleBlink),
    t: onCurrent(toggleTones),
    o: onCurrent(toggleOutlines),
    e: onCurrent((finding) => review(finding, { mark: "explained" })),
    f: onCurrent((finding) => review(finding, { mark: "follow-up" })),
    u: onCurrent((finding) => review(finding, { mark: "" })),
    "?": () => keys.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    const typing = event.target.closest("input, textarea, select");
    if (typing && (typing.type === "text" || event.key.startsWith("Arrow"))) return;
    if (event.target.closest(".scroller") && event.key.startsWith("Arrow")) return;
    if (!event.key.startsWith("Arrow") && !shortcuts.checked) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
})();
