"use strict";
(() => {
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const stored = {
    get() { try { return localStorage.getItem("theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("theme", value); } catch { /* not allowed here */ } },
  };

  // Light and dark.
  const theme = find("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const current = () => root.dataset.theme || (dark.matches ? "dark" : "light");
  const named = () => { theme.textContent = current() === "dark" ? "Light" : "Dark"; };
  if (["light", "dark"].includes(stored.get())) root.dataset.theme = stored.get();
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = current() === "dark" ? "light" : "dark";
    stored.set(root.dataset.theme);
    named();
  });
  dark.addEventListener("change", named);
  named();

  // The table: sorting, a filter, a copy.
  const table = find("rows");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const first = [...body.rows];
  const text = (row, column) => row.cells[column].textContent.trim();
  const number = (words) => Number.parseFloat(words.replace("\u2212", "-").replace(/^\[/, ""));

  const compare = (column, down) => (one, two) => {
    const [a, b] = [text(one, column), text(two, column)];
    if ((a === "-") !== (b === "-")) return a === "-" ? 1 : -1;
    const both = heads[column].classList.contains("n") ? number(a) - number(b) : NaN;
    const found = Number.isNaN(both) ? a.localeCompare(b, "en", { numeric: true }) : both;
    return down ? -found : found;
  };
  const sort = (column) => {
    const before = heads[column].getAttribute("aria-sort");
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (before === "descending") { body.append(...first); return; }
    const down = before === "ascending";
    heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...[...first].sort(compare(column, down)));
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.title = "Sort: ascending, descending, as it was";
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(column));
  });

  const filter = find("filter");
  const count = find("count");
  const shown = () => [...body.rows].filter((row) => !row.hidden);
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    first.forEach((row) => {
      const content = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => content.includes(word));
    });
    count.textContent = `${shown().length} of ${first.length} rows`;
  });

  const constant = [...document.querySelectorAll("#constant dt")];
  const note = (cell) => {
    const link = cell.querySelector("a");
    return (link ? document.querySelector(link.getAttribute("href")) : cell).textContent.trim();
  };
  const quoted = (words) => (/[",\n\r]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words);
  const csv = () => {
    const names = [...heads, ...constant].map((cell) => cell.textContent.trim());
    const rest = constant.map((name) => name.nextElementSibling.textContent.trim());
    const lines = shown().map((row) => [...[...row.cells].map(note), ...rest]);
    return [names, ...lines].map((line) => line.map(quoted).join(",")).join("\n") + "\n";
  };
  const copied = (content) => {
    const area = document.createElement("textarea");
    area.value = content;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copy = find("copy");
  copy.addEventListener("click", async () => {
    const content = csv();
    let done = true;
    try { await navigator.clipboard.writeText(content); } catch { done = copied(content); }
    const rows = shown().length;
    count.textContent = done ? `${rows} rows copied` : "The browser did not allow the copy.";
  });
  document.querySelector(".tools").hidden = false;

  // Paper has no buttons: everything is open on it.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));
})();
