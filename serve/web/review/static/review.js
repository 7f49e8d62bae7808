// Keys for those who would rather not reach for the mouse. Without this file everything still works.
"use strict";

const rows = () => [...document.querySelectorAll("tr[data-run]")];
let chosen = -1;

function choose(step) {
  const all = rows();
  if (!all.length) return;
  all[chosen]?.classList.remove("chosen");
  chosen = Math.min(Math.max(chosen + step, 0), all.length - 1);
  const row = all[chosen];
  row.classList.add("chosen");
  row.querySelector("a").focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function go(name) {
  const link = document.querySelector(`[data-key="${name}"]`);
  if (!link) return false;
  link.click();
  return true;
}

const actions = {
  j: () => choose(1),
  k: () => choose(-1),
  f: () => document.querySelector("form.filter input, form.filter select")?.focus(),
  "?": () => document.querySelector("dialog#keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, select, textarea, dialog")) return;
  if (actions[event.key]) {
    actions[event.key]();
    event.preventDefault();
  } else if (/^[a-z[\]]$/.test(event.key) && go(event.key)) {
    event.preventDefault();
  }
});

document.querySelector("#show-keys")?.addEventListener("click", () => actions["?"]());
