// Shows a person's in-app feed. The token stands in the address's fragment: #token=…; with &open the list is open.
const ROOT = "/v1/feed";
const fragment = new URLSearchParams(location.hash.slice(1));
const token = fragment.get("token") ?? "";
const $ = (id) => document.getElementById(id);
const known = new Map(); // id -> item, of what is listed
let view = "active", next = null, source = null;

async function ask(path, method = "GET") {
  const answer = await fetch(ROOT + path, { method, headers: { authorization: `Bearer ${token}` } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.detail ?? `HTTP ${answer.status}`);
  return body;
}

function tell(error) {
  $("problem").textContent = error?.message ?? "";
  $("problem").hidden = !error;
  if (error) $("panel").hidden = false;
}

function count(unread) {
  if (unread === undefined || unread === null) return;
  $("count").textContent = unread > 99 ? "99+" : String(unread);
  $("count").hidden = unread === 0;
  $("bell").setAttribute("aria-label", unread ? `Notifications, ${unread} unread` : "Notifications");
  document.title = unread ? `(${unread}) In-app feed` : "In-app feed";
}

const belongs = (item) =>
  view === "archived" ? item.archived_at !== null : item.archived_at === null && (view === "active" || item.read_at === null);

function ago(text) {
  const seconds = (Date.parse(text) - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  return words.format(0, "minute");
}

function show(item, first = false) {
  const old = document.querySelector(`li[data-id="${CSS.escape(item.id)}"]`);
  if (!belongs(item)) {
    old?.remove();
    known.delete(item.id);
    return;
  }
  known.set(item.id, item);
  const row = $("item").content.firstElementChild.cloneNode(true);
  row.dataset.id = item.id;
  row.lang = item.language;
  row.classList.toggle("new", item.read_at === null);
  row.querySelector("h2").textContent = item.title; // plain text: never as markup
  row.querySelector("p").textContent = item.body;
  const time = row.querySelector("time");
  time.dateTime = item.created_at;
  time.textContent = ago(item.created_at);
  if (item.image_url) Object.assign(row.querySelector("img"), { src: item.image_url, hidden: false });
  const link = row.querySelector("a");
  if (item.action && /^https?:/.test(item.action.url)) {
    Object.assign(link, { href: item.action.url, textContent: item.action.label, hidden: false, target: "_blank" });
    link.addEventListener("click", () => item.read_at === null && act(item, "read"));
  }
  const read = row.querySelector(".read"), archive = row.querySelector(".archive");
  read.textContent = item.read_at === null ? "Mark read" : "Mark unread";
  read.hidden = item.archived_at !== null;
  read.addEventListener("click", () => act(item, item.read_at === null ? "read" : "unread"));
  archive.textContent = item.archived_at === null ? "Archive" : "Put back";
  archive.addEventListener("click", () => act(item, item.archived_at === null ? "archive" : "unarchive"));
  if (old) old.replaceWith(row);
  else if (first) $("items").prepend(row);
  else $("items").append(row);
}

const settle = () => {
  $("empty").hidden = $("items").children.length > 0;
  $("more").hidden = next === null;
};

async function act(item, what) {
  try {
    const { item: now, unread } = await ask(`/items/${item.id}/${what}`, "POST");
    if (now) show(now);
    count(unread);
    settle();
    tell(null);
  } catch (error) { tell(error); }
}

async function load(more = false) {
  try {
    const page = await ask(`?view=${view}&limit=20${more ? `&cursor=${next}` : ""}`);
    if (!more) {
      known.clear();
      $("items").replaceChildren();
    }
    for (const item of page.items) show(item);
    next = page.next;
    count(page.unread);
    settle();
    tell(null);
    return page.stream;
  } catch (error) {
    tell(error);
    throw error;
  }
}

function live(since) {
  source?.close();
  source = new EventSource(`${ROOT}/stream?since=${since}&token=${encodeURIComponent(token)}`);
  source.addEventListener("open", () => { $("live").textContent = "live"; });
  source.addEventListener("ready", (event) => count(JSON.parse(event.data).unread));
  source.addEventListener("item", (event) => {
    const { item, unread } = JSON.parse(event.data);
    count(unread);
    const isNew = !item.seen_at && !item.read_at && !item.archived_at;
    if (!known.has(item.id) && !isNew && belongs(item)) return load().catch(() => {}); // its place is in the list
    show(item, true);
    settle();
  });
  source.addEventListener("reset", () => load().catch(() => {}));
  source.addEventListener("error", () => {
    // A browser gives up where the answer was no stream, for example once the token has expired.
    const over = source.readyState === EventSource.CLOSED;
    $("live").textContent = over ? "not live: load the page again" : "connecting…";
    if (over) ask("/unread").catch(tell);
  });
}

$("bell").addEventListener("click", () => {
  const open = $("panel").hidden;
  $("panel").hidden = !open;
  $("hint").hidden = open;
  $("bell").setAttribute("aria-expanded", String(open));
  if (open) ask("/seen", "POST").catch(tell);
});
$("all").addEventListener("click", () => ask("/read-all", "POST").then(() => load()).catch(tell));
$("more").addEventListener("click", () => load(true).catch(() => {}));
for (const tab of document.querySelectorAll("[role=tab]"))
  tab.addEventListener("click", () => {
    for (const one of document.querySelectorAll("[role=tab]")) one.ariaSelected = String(one === tab);
    view = tab.dataset.view;
    load().catch(() => {});
  });
addEventListener("hashchange", () => location.reload());
if (fragment.has("open")) $("bell").click();
load().then(live).catch(() => { $("live").textContent = "not live"; });
