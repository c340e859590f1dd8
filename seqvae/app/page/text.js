// Sentences: two of them and what lies between, the code of one as bars, attributes, new ones.

import { newest, post } from "./api.js";
import { codeChart } from "./codes.js";
import { button, choice, el, fresh, say, slider, tried } from "./dom.js";

const STARTS = ["a small bird with a long tail", "the act of moving away"];

export function textTab(panel, model, state, remember) {
  const { name } = model;
  const how = { temperature: 0, beam: 1, seed: 0 };
  let codes = { a: null, b: null };
  let walk = { codes: [], items: [] };
  let code = null; // of what is edited below

  const boxes = ["a", "b"].map((side, place) => {
    const id = fresh("sentence");
    const area = el("textarea", { id, rows: 2, maxlength: 2000, spellcheck: "false" });
    area.value = state[side] ?? (place === 0 ? STARTS[0] : STARTS[1]);
    area.addEventListener("input", () => again());
    return { side, area, node: el("div", { class: "field" }, el("label", { for: id }, place === 0 ? "From" : "To"), area) };
  });
  const between = el("ol", { class: "sentences", "aria-label": "Sentences between" });
  const live = el("p", { class: "large", "aria-live": "polite" });
  const place = slider("Between", { min: 0, max: 100, step: 1, value: 50, shown: (x) => `${x} %` }, (x) => atPlace(x / 100));
  const steps = slider("Steps", { min: 3, max: 16, step: 1, value: Number(state.steps ?? 7) }, () => again());
  const heat = slider("Temperature", { min: 0, max: 1.5, step: 0.05, value: 0, shown: (x) => (x ? x.toFixed(2) : "greedy") }, (x) => {
    how.temperature = x;
    beam.select.disabled = x > 0;
    if (x > 0) how.beam = 1;
    else how.beam = Number(beam.select.value);
    again();
  });
  const beam = choice("Search", [["1", "greedy"], ["5", "beam of 5"]], "1", (value) => {
    how.beam = Number(value);
    again();
  });

  const encoded = async (text) => (text.trim() ? (await post(name, "encode", { item: { kind: "text", text } })).code : null);

  const again = newest(async () => {
    await tried(async () => {
      const [a, b] = boxes.map((box) => box.area.value);
      remember({ a, b, steps: steps.value });
      if (!a.trim() || !b.trim()) {
        between.replaceChildren(el("li", { class: "quiet" }, "Write a sentence on both sides."));
        return;
      }
      codes = { a: await encoded(a), b: await encoded(b) };
      walk = await post(name, "between", { a: codes.a, b: codes.b, steps: steps.value, ...how });
      const last = walk.items.length - 1;
      between.replaceChildren(...walk.items.map((item, at) => line(item.text, walk.codes[at], `${Math.round((100 * at) / last)} %`, at === 0 || at === last)));
      await atPlace(place.value / 100);
    });
  });

  function line(text, own, share, isEnd = false) {
    return el(
      "li", { class: isEnd ? "is-end" : "" },
      el("span", { class: "share" }, share),
      el("span", { class: "words" }, text || "(nothing)"),
      button("edit", () => edit(own, text), { "aria-label": `Edit the code of: ${text}` }),
      button("copy", () => copied(text), { "aria-label": `Copy: ${text}` }),
    );
  }

  async function copied(text) {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  }

  // What lies at a share of the way.
  const atPlace = newest(async (share) => {
    if (!codes.a || !codes.b) return;
    await tried(async () => {
      const made = await post(name, "at", { a: codes.a, b: codes.b, share, ...how }, "between");
      live.textContent = made.items[0].text || "(nothing)";
    });
  });

  // The code of one sentence -----------------------------------------------------------------------------------

  const edited = el("p", { class: "large", "aria-live": "polite" }, " ");
  const strengths = Object.fromEntries(model.attributes.map((one) => [one.name, 0]));
  const chart = codeChart(model.latent, (values) => {
    code = values;
    decoded();
  });
  const decoded = newest(async () => {
    await tried(async () => {
      let own = code;
      if (Object.values(strengths).some(Boolean)) own = (await post(name, "move", { code, strengths }, "move")).code;
      const made = await post(name, "decode", { codes: [own], ...how }, "edit");
      edited.textContent = made.items[0].text || "(nothing)";
    });
  });
  const sliders = model.attributes.map((one) =>
    slider(one.name, { min: -2 * one.strength, max: 2 * one.strength, step: one.strength / 8, value: 0, shown: (x) => x.toFixed(2) }, (x) => {
      strengths[one.name] = x;
      return decoded();
    }),
  );

  function edit(own, text) {
    code = [...own];
    for (const [at, one] of model.attributes.entries()) {
      strengths[one.name] = 0;
      sliders[at].set(0);
    }
    chart.set(code);
    edited.textContent = text;
    edited.scrollIntoView({ block: "nearest" });
  }

  // New ones -------------------------------------------------------------------------------------------------------

  const news = el("ol", { class: "sentences", "aria-label": "New sentences" });
  const newHeat = slider("Temperature", { min: 0, max: 1.5, step: 0.05, value: model.temperature, shown: (x) => x.toFixed(2) }, () => {});
  async function sample() {
    how.seed = Math.floor(Math.random() * 2 ** 31);
    const made = await post(name, "sample", { count: 8, temperature: newHeat.value, seed: how.seed });
    news.replaceChildren(...made.items.map((item, at) => line(item.text, made.codes[at], "")));
    return made;
  }

  panel.append(
    el("div", { class: "cards" },
      el("section", { class: "card", "aria-label": "Between two sentences" },
        el("h2", {}, "Between two sentences"),
        el("div", { class: "row" }, boxes.map((box) => box.node)),
        el("div", { class: "row" }, place.node, button("Swap", () => {
          const [a, b] = boxes;
          [a.area.value, b.area.value] = [b.area.value, a.area.value];
          return again();
        }), button("Copy the link", () => navigator.clipboard.writeText(location.href).then(() => say("Copied.")))),
        live,
        el("div", { class: "row" }, steps.node, heat.node, beam.node),
        between,
      ),
      el("section", { class: "card half", "aria-label": "The code of a sentence" },
        el("h2", {}, "The code of a sentence"),
        edited, chart.node,
        model.attributes.length ? el("div", { class: "row" }, sliders.map((one) => one.node)) : null,
        el("p", { class: "quiet" }, "“edit” beside a sentence brings its code here."),
      ),
      el("section", { class: "card half", "aria-label": "New sentences" },
        el("div", { class: "row spread" }, el("h2", {}, "New sentences"), button("Draw eight", sample, { class: "main" })),
        newHeat.node, news,
      ),
    ),
  );
  again();
  tried(async () => {
    const made = await sample();
    edit(made.codes[0], made.items[0].text);
    scrollTo(0, 0);
  });
  return {};
}
