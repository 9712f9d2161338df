// The same ticker three times: asked for every second, by long-polling, and pushed; with what each costs.
//
// GET /ticker answers {"number", "price", "at", "now"}: the latest news, when it was made and the server's clock, in
// milliseconds. The namespace /ticker of Socket.IO sends `tick` with {"number", "price", "at"} at each news.

import "/socket.io/socket.io.js"; // the official bundle; it makes `io`

const POLL_EVERY = 1000; // milliseconds
const DELAYS_KEPT = 101; // for the median: an odd number

/** How far the server's clock is ahead of ours, in milliseconds, from the quickest answer so far. */
const clock = { offset: 0, roundTrip: Infinity };

/** One of the three: what it has heard, and what that has cost. */
class Way {
  requests = 0;
  bytes = 0;
  #heard = 0;
  #first = null;
  #number = 0;
  #delays = [];
  #fields = {};

  constructor(id) {
    const section = document.getElementById(id);
    section.append(document.getElementById("figures").content.cloneNode(true));
    for (const field of section.querySelectorAll("[data-value]")) this.#fields[field.dataset.value] = field;
    this.state = section.querySelector(".state");
  }

  showState(state, text) {
    this.state.dataset.state = state;
    this.#fields.state.textContent = text;
  }

  /** News, perhaps the same again. */
  hear({ number, price, at }) {
    if (number <= this.#number) return;
    this.#first ??= number;
    this.#number = number;
    this.#heard += 1;
    this.#delays.push(Math.max(0, Date.now() + clock.offset - at));
    if (this.#delays.length > DELAYS_KEPT) this.#delays.shift();
    this.#fields.price.textContent = price.toFixed(2);
    this.#fields.number.textContent = number;
    this.show();
  }

  show() {
    const fields = this.#fields;
    fields.requests.textContent = this.requests;
    fields.bytes.textContent = this.bytes.toLocaleString("en");
    if (this.#heard === 0) return;
    fields.each.textContent = Math.round(this.bytes / this.#heard).toLocaleString("en");
    fields.delay.textContent = `${Math.round(median(this.#delays))} ms`;
    fields.missed.textContent = this.#number - this.#first + 1 - this.#heard;
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

// Polling

const polling = new Way("polling");

async function poll() {
  const asked = Date.now();
  try {
    const response = await fetch("/ticker", { cache: "no-store" });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const news = await response.json();
    setClock(asked, Date.now(), news.now);
    polling.showState("open", "Asking every second");
    polling.hear(news);
  } catch {
    polling.showState("waiting", "Offline, asking again…");
  }
}

/** The server read its clock halfway between asking and hearing, as well as we can know: best where that was quick. */
function setClock(asked, heard, serverNow) {
  if (heard - asked > clock.roundTrip) return;
  clock.roundTrip = heard - asked;
  clock.offset = serverNow - (asked + heard) / 2;
}

// Long-polling and push: the same events by different transports

function listen(way, transport, label) {
  const socket = io("/ticker", { transports: [transport], forceNew: true });
  socket.on("connect", () => way.showState("open", label));
  socket.on("disconnect", () => way.showState("waiting", "Offline, retrying…"));
  socket.on("connect_error", () => way.showState("waiting", "Offline, retrying…"));
  socket.on("tick", (news) => way.hear(news));
  return socket;
}

const longPolling = new Way("long-polling");
listen(longPolling, "polling", "Waiting for an answer");

const push = new Way("push");
const pushed = listen(push, "websocket", "Connected");
pushed.io.on("open", () => {
  push.requests += 1;
  pushed.io.engine.on("packet", ({ data }) => {
    push.bytes += frameSize(1 + (data?.length ?? 0));
    push.show();
  });
});

/** A packet's text in a WebSocket frame of the server's (RFC 6455 §5.2). */
function frameSize(length) {
  return length + (length < 126 ? 2 : 4);
}

// What the browser counts of requests

new PerformanceObserver((list) => {
  for (const { name, transferSize } of list.getEntries()) {
    const url = new URL(name);
    const way = wayOf(url);
    if (!way) continue;
    way.requests += 1;
    way.bytes += transferSize;
    way.show();
  }
  performance.clearResourceTimings();
}).observe({ type: "resource", buffered: true });

function wayOf(url) {
  if (url.pathname === "/ticker") return polling;
  if (url.searchParams.get("transport") === "polling") return longPolling;
  return null;
}

setInterval(poll, POLL_EVERY);
poll();
