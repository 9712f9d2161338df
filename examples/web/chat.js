// The chat page: the browser's own WebSocket, and what is needed to see and write messages.
//
// On the wire a message is the JSON text {"name", "text"}. The server sends each one to everybody, its sender included,
// so a message appears here when it comes back.

const SOCKET_URL = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws`;

// Reconnecting: the wait grows from 1 s to 30 s, and half of it is random, so that the pages which a restarted server
// has lost do not all return at the same moment. Only a connection that held for 10 s makes the next wait short again.
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
const WAIT_GROWTH = 1.7;
const STABLE_AFTER = 10_000;

const LONGEST_TEXT = 16_000; // characters
const LONGEST_NAME = 40; // characters, as the form allows
const NOT_CONNECTED = "Not connected. Your text stays here until it can be sent.";
const MESSAGES_KEPT = 1000; // on the page; the oldest go first

const element = (id) => document.getElementById(id);
const page = {
  state: element("state"),
  stateText: element("state-text"),
  who: element("who"),
  scroller: element("scroller"),
  empty: element("empty"),
  messages: element("messages"),
  newer: element("newer"),
  composer: element("composer"),
  text: element("text"),
  send: element("send"),
  hint: element("hint"),
  nameDialog: element("name-dialog"),
  nameForm: element("name-form"),
  nameInput: element("name"),
  nameDone: element("name-done"),
};

const title = document.title;

let name = "";
let socket = null;
let attempts = 0; // since the last stable connection
let retryTimer = 0;
let unread = 0; // messages that came while nobody looked
let following = true; // whether the newest message is to stay in view
const unconfirmed = []; // messages sent that have not come back yet, oldest first

// The connection

function connect() {
  clearTimeout(retryTimer);
  showState("connecting", "Connecting…");
  socket = new WebSocket(SOCKET_URL);
  let openedAt = 0;
  socket.onopen = () => {
    openedAt = Date.now();
    showState("open", "Connected");
    if (page.hint.textContent === NOT_CONNECTED) say("");
  };
  socket.onmessage = (event) => receive(event.data);
  socket.onclose = () => {
    if (openedAt && Date.now() - openedAt >= STABLE_AFTER) attempts = 0;
    takeBackUnconfirmed();
    connectLater();
  };
}

function connectLater() {
  const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * WAIT_GROWTH ** attempts);
  const wait = longest * (0.5 + Math.random() / 2);
  attempts += 1;
  showState("waiting", `Offline, retrying in ${Math.ceil(wait / 1000)} s`);
  retryTimer = setTimeout(connect, wait);
}

/** Skips the wait: the network is back, or somebody looks at the page again. */
function connectNow() {
  if (socket.readyState === WebSocket.CLOSED) connect();
}

function isOpen() {
  return socket !== null && socket.readyState === WebSocket.OPEN;
}

function showState(state, text) {
  page.state.dataset.state = state;
  page.stateText.textContent = text;
  showWhetherSendable();
}

// Receiving

function receive(data) {
  const message = parseMessage(data);
  if (message) {
    const own = confirm(message);
    addMessage(message, own);
    if (!own) countUnread();
  } else {
    addNote("A message in another format was left out.");
  }
}

/** The message in what came from the network, or null if it is none. */
function parseMessage(data) {
  if (typeof data !== "string") return null;
  try {
    const { name, text } = JSON.parse(data);
    if (typeof name !== "string" || typeof text !== "string") return null;
    return { name: name.trim().slice(0, LONGEST_NAME) || "Anonymous", text };
  } catch {
    return null;
  }
}

/** Whether the message is one of ours that came back: then it is no longer waited for. */
function confirm(message) {
  const index = unconfirmed.findIndex((sent) => sent.name === message.name && sent.text === message.text);
  if (index < 0) return false;
  unconfirmed.splice(index, 1);
  keepDraft();
  return true;
}

function addMessage({ name, text }, own) {
  const previous = page.messages.lastElementChild;
  const now = new Date();
  const time = create("time", "time", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = now.toISOString();
  const author = create("p", "author", own ? "You" : name);
  const body = create("p", "bubble", text);
  author.dir = body.dir = time.dir = "auto";

  body.append(time); // in the last line of the text, where there is room
  const item = create("li", own ? "message own" : "message");
  item.dataset.author = own ? "own" : `other ${name}`;
  item.classList.toggle("follows", previous?.dataset.author === item.dataset.author);
  item.style.setProperty("--hue", hue(name));
  item.append(author, body);
  append(item, own);
}

function addNote(text) {
  // A peer that speaks something else would fill the page with the same note.
  if (page.messages.lastElementChild?.textContent !== text) append(create("li", "note", text), false);
}

function append(item, own) {
  const follow = following || own;
  page.empty.hidden = true;
  page.messages.append(item);
  while (page.messages.childElementCount > MESSAGES_KEPT) page.messages.firstElementChild.remove();
  if (follow) scrollToNewest();
  else page.newer.hidden = false;
}

/** What others wrote is only ever set as textContent, so it cannot become markup. */
function create(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

/** The same name has the same colour on every page. */
function hue(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return hash % 360;
}

function scrollToNewest() {
  page.scroller.scrollTop = page.scroller.scrollHeight;
  following = true;
  page.newer.hidden = true;
}

function noticeScrolling() {
  const { scrollHeight, scrollTop, clientHeight } = page.scroller;
  following = scrollHeight - scrollTop - clientHeight < 40;
  if (following) page.newer.hidden = true;
}

function countUnread() {
  if (document.hidden) unread += 1;
  document.title = unread ? `(${unread}) ${title}` : title;
}

// Sending

function submit() {
  const text = page.text.value.trim();
  if (!text) return;
  if (!isOpen()) return say(NOT_CONNECTED);
  if (text.length > LONGEST_TEXT) return say(`This is too long: ${text.length} of at most ${LONGEST_TEXT} characters.`);
  const message = { name, text };
  socket.send(JSON.stringify(message));
  unconfirmed.push(message);
  setText("");
  say("");
}

/** After a lost connection nobody knows whether these arrived: they go back to where they were typed. */
function takeBackUnconfirmed() {
  if (unconfirmed.length === 0) return;
  const draft = draftText();
  unconfirmed.length = 0;
  setText(draft);
  say("The connection was lost before your message came back. Send it again?");
}

function setText(text) {
  page.text.value = text;
  typed();
}

function typed() {
  page.text.style.height = "auto";
  page.text.style.height = `${page.text.scrollHeight + page.text.offsetHeight - page.text.clientHeight}px`;
  keepDraft();
  showWhetherSendable();
}

/** What would be lost if the page were closed now: what is not confirmed, and what is being typed. */
function draftText() {
  return [...unconfirmed.map((message) => message.text), page.text.value].filter(Boolean).join("\n");
}

function keepDraft() {
  store(sessionStorage, "draft", draftText());
}

function showWhetherSendable() {
  // Not the disabled attribute: the button would lose the focus with it.
  page.send.setAttribute("aria-disabled", String(!isOpen() || !page.text.value.trim()));
}

function say(text) {
  page.hint.textContent = text;
}

// The name

function askForName() {
  page.nameInput.value = name;
  page.nameDone.textContent = name ? "Save" : "Join the chat";
  page.nameDialog.showModal();
  page.nameInput.select();
}

function setName(newName) {
  name = newName.trim().slice(0, LONGEST_NAME).trim();
  page.who.textContent = name;
  page.who.setAttribute("aria-label", `You are ${name}. Change your name`);
  page.who.hidden = !name;
}

function saveName(event) {
  event.preventDefault();
  if (!page.nameInput.value.trim()) {
    page.nameInput.value = "";
    page.nameInput.reportValidity();
    return;
  }
  setName(page.nameInput.value);
  store(localStorage, "name", name);
  page.nameDialog.close();
}

function leaveNameDialog() {
  // Escape keeps the old name, but there has to be one.
  if (name) page.text.focus();
  else askForName();
}

// Storage may be forbidden (private windows, blocked cookies): then nothing is remembered, and the chat still works.

function store(storage, key, value) {
  try {
    storage.setItem(`sockline.chat.${key}`, value);
  } catch {
    // Nothing to do, see above.
  }
}

function stored(storage, key) {
  try {
    return storage.getItem(`sockline.chat.${key}`) ?? "";
  } catch {
    return "";
  }
}

// The beginning

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
page.text.addEventListener("input", typed);
page.text.addEventListener("keydown", (event) => {
  // Enter also ends the composition of a character in an input method: that is not "send".
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
page.scroller.addEventListener("scroll", noticeScrolling);
page.newer.addEventListener("click", scrollToNewest);
page.who.addEventListener("click", askForName);
page.nameForm.addEventListener("submit", saveName);
page.nameDialog.addEventListener("close", leaveNameDialog);
new ResizeObserver(() => following && scrollToNewest()).observe(page.scroller);
window.addEventListener("online", connectNow);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  countUnread();
  connectNow();
});

setName(new URLSearchParams(location.search).get("name") ?? "");
if (!name) setName(stored(localStorage, "name"));
setText(stored(sessionStorage, "draft"));
connect();
if (name) page.text.focus();
else askForName();
