// The chat page: the official Socket.IO client, and what is needed to see and write messages.
//
// `chat message` carries a text and its author's name. The server sends each one to everybody; its sender's own copy ends
// in " (from server)", so a message of one's own appears here when it comes back.

import "/socket.io/socket.io.js"; // the official bundle; it makes `io`

const ECHO_MARK = " (from server)";

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
let unread = 0; // messages that came while nobody looked
let following = true; // whether the newest message is to stay in view
const unconfirmed = []; // texts sent that have not come back yet, oldest first

// The connection. The client comes back by itself; ?transport=polling in the page's address keeps it from WebSocket.

const transport = new URLSearchParams(location.search).get("transport");
const socket = io({ autoConnect: false, ...(transport && { transports: [transport] }) });

socket.on("connect", () => {
  showState("open", "Connected");
  if (page.hint.textContent === NOT_CONNECTED) say("");
});
socket.on("chat message", receive);
socket.on("disconnect", (reason) => {
  takeBackUnconfirmed();
  showState("waiting", "Offline, retrying…");
  if (!socket.active) socket.connect(); // the server sent us away, "io server disconnect": the client leaves that to us
  else console.info(`disconnected: ${reason}`);
});
socket.on("connect_error", () => showState("waiting", "Offline, retrying…"));
socket.io.on("reconnect_attempt", () => showState("connecting", "Connecting…"));

/** Skips the wait: the network is back, or somebody looks at the page again. */
function connectNow() {
  if (socket.connected || socket.io.engine?.readyState === "opening") return;
  socket.disconnect().connect();
}

function showState(state, text) {
  page.state.dataset.state = state;
  page.stateText.textContent = text;
  showWhetherSendable();
}

// Receiving

function receive(text, author) {
  if (typeof text !== "string") return addNote("A message in another format was left out.");
  const named = typeof author === "string" ? author.trim().slice(0, LONGEST_NAME) : "";
  const own = confirm(text);
  addMessage({ name: named || "Anonymous", text }, own);
  if (!own) countUnread();
}

/** Whether the message is one of ours that came back: then it is no longer waited for. */
function confirm(text) {
  const index = unconfirmed.findIndex((sent) => text === sent + ECHO_MARK);
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
  if (!socket.connected) return say(NOT_CONNECTED);
  if (text.length > LONGEST_TEXT) return say(`This is too long: ${text.length} of at most ${LONGEST_TEXT} characters.`);
  socket.emit("chat message", text, name);
  unconfirmed.push(text);
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
  return [...unconfirmed, page.text.value].filter(Boolean).join("\n");
}

function keepDraft() {
  store(sessionStorage, "draft", draftText());
}

function showWhetherSendable() {
  // Not the disabled attribute: the button would lose the focus with it.
  page.send.setAttribute("aria-disabled", String(!socket.connected || !page.text.value.trim()));
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
showState("connecting", "Connecting…");
socket.connect();
if (name) page.text.focus();
else askForName();
