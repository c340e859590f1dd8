// MIDI out, where the browser has it: what plays is sent to a port in place of the sounds of the page.

import { choice, el, say } from "./dom.js";

export function midiPorts() {
  if (!navigator.requestMIDIAccess) return { node: null, send: () => false };
  let port = null;
  let access = null;
  const list = choice("Sound", [["", "this page"], ["?", "a MIDI port …"]], "", async (value) => {
    if (value === "") {
      port = null;
      return;
    }
    if (!access) {
      try {
        access = await navigator.requestMIDIAccess();
      } catch {
        say("The browser does not give access to MIDI ports.", true);
        list.select.value = "";
        return;
      }
      const ports = [...access.outputs.values()];
      list.select.replaceChildren(el("option", { value: "" }, "this page"), ...ports.map((one) => el("option", { value: one.id }, one.name)));
      if (!ports.length) say("There is no MIDI port.");
      list.select.value = ports[0]?.id ?? "";
      port = ports[0] ?? null;
      return;
    }
    port = access.outputs.get(value) ?? null;
  });
  return {
    node: el("div", { class: "row" }, list.node),
    // Whether it was sent to a port: at a time of the audio clock, as the port counts it.
    send(pitch, velocity, at, context, channel = 9, seconds = 0.1) {
      if (!port) return false;
      const when = performance.now() + (at - context.currentTime) * 1000;
      port.send([0x90 + channel, pitch, velocity], when);
      port.send([0x80 + channel, pitch, 0], when + seconds * 1000);
      return true;
    },
  };
}
