// Tabs of models, and the state in the address, so that a link brings it back.

import { models } from "./api.js";
import { drumsTab } from "./drums.js";
import { el, say } from "./dom.js";
import { imagesTab } from "./images.js";
import { melodyTab } from "./melody.js";
import { textTab } from "./text.js";

const TABS = { text: textTab, drums: drumsTab, melody: melodyTab, trio: melodyTab, image: imagesTab };

const panel = document.getElementById("panel");
const list = document.getElementById("tabs");
let known = [];
let open = null; // the tab that is shown: { close(), state() }

const address = () => new URLSearchParams(location.hash.slice(1));

// Keeps what is chosen in the address, beside the token where there is one.
function remember(name, state) {
  const kept = new URLSearchParams();
  const token = address().get("token");
  if (token) kept.set("token", token);
  kept.set("model", name);
  for (const [key, value] of Object.entries(state)) if (value !== "" && value != null) kept.set(key, value);
  history.replaceState(null, "", `#${kept}`);
}

function show(name, focus = false) {
  const model = known.find((one) => one.name === name) ?? known[0];
  open?.close?.();
  for (const tab of list.children) {
    const chosen = tab.dataset.name === model.name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) {
      panel.setAttribute("aria-labelledby", tab.id);
      if (focus) tab.focus();
    }
  }
  const state = address().get("model") === model.name ? Object.fromEntries(address()) : {};
  panel.replaceChildren();
  open = TABS[model.kind](panel, model, state, (values) => remember(model.name, values));
  document.title = `${model.name} – seqvae`;
}

list.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = known.findIndex((one) => one.name === document.activeElement.dataset.name);
  const last = known.length - 1;
  const next = Number.isFinite(step) ? (at + step + known.length) % known.length : step > 0 ? last : 0;
  remember(known[next].name, {});
  show(known[next].name, true);
});

async function begin() {
  try {
    known = await models();
  } catch (error) {
    panel.replaceChildren(el("p", { class: "problem waiting" }, error.message));
    panel.setAttribute("aria-busy", "false");
    return;
  }
  known.forEach((model, place) => {
    const tab = el("button", { role: "tab", type: "button", id: `tab-${place}`, "aria-controls": "panel", data: { name: model.name } }, model.name);
    tab.addEventListener("click", () => {
      remember(model.name, {});
      show(model.name);
    });
    list.append(tab);
  });
  panel.setAttribute("aria-busy", "false");
  if (known.length) show(address().get("model") ?? known[0].name);
  else panel.replaceChildren(el("p", { class: "empty" }, "No model is open; start seqvae app with one."));
}

addEventListener("hashchange", () => known.length && show(address().get("model") ?? known[0].name));
addEventListener("unhandledrejection", (event) => say(event.reason?.message ?? "Something went wrong.", true));
begin();
