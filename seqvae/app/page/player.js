// Steps on the audio clock: a timer looks ahead and hands every step to the sound with its exact time.

import { audio } from "./kit.js";

const AHEAD = 0.12; // seconds that are handed out before they sound
const EVERY = 25; // milliseconds between two looks

export class Player {
  // `step(index, at, seconds)` sounds a step at a time of the audio clock; `shown(index)` marks what is heard, -1 none.
  constructor(step, shown) {
    this.step = step;
    this.shown = shown;
    this.steps = 16;
    this.bpm = 120;
    this.perQuarter = 4;
    this.swing = 0; // of pairs of steps, as a share of a step that the second is late
    this.times = []; // of the steps handed out, for the playhead and for who measures the clock
    this.timer = 0;
  }

  get isPlaying() {
    return this.timer !== 0;
  }

  get stepSeconds() {
    return 60 / this.bpm / this.perQuarter;
  }

  start() {
    if (this.isPlaying) return;
    this.context = audio();
    this.index = 0;
    this.next = this.context.currentTime + 0.06;
    this.times = [];
    this.timer = setInterval(() => this.look(), EVERY);
    this.look();
    requestAnimationFrame(() => this.mark());
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.shown(-1);
  }

  look() {
    const { currentTime } = this.context;
    if (this.next < currentTime - 0.5) this.next = currentTime + 0.02; // the page slept: go on from now
    while (this.next < currentTime + AHEAD) {
      const late = this.index % 2 ? this.swing * this.stepSeconds : 0;
      this.step(this.index, this.next + late, this.stepSeconds);
      this.times.push([this.index, this.next]);
      if (this.times.length > 4096) this.times.splice(0, 2048);
      this.next += this.stepSeconds;
      this.index = (this.index + 1) % this.steps;
    }
  }

  mark() {
    if (!this.isPlaying) return;
    const now = this.context.currentTime - (this.context.outputLatency || 0);
    let heard = -1;
    for (let at = this.times.length - 1; at >= 0; at -= 1) {
      if (this.times[at][1] <= now) {
        [heard] = this.times[at];
        break;
      }
    }
    this.shown(heard);
    requestAnimationFrame(() => this.mark());
  }
}
