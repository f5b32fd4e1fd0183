// The table of cases: sorted and filtered as data, laid out as far as it is scrolled.
(() => {
  const data = JSON.parse(document.querySelector("script.results").textContent);
  const CHUNK = 200;
  const scroller = document.querySelector(".scroll.cases");
  const table = document.querySelector("table.cases");
  const body = table.tBodies[0];
  const find = document.querySelector(".find");
  const byState = document.querySelector(".by-state");
  const bySplit = document.querySelector(".by-split");
  const severity = { failed: 0, fail: 1, warn: 2, pass: 3 };
  const order = { test: 0, unseen: 1, val: 2, train: 3 };
  const names = new Intl.Collator(undefined, { numeric: true });
  const why = {
    label: "Why", kind: "text", className: "why", value: (row) => row.message || row.code,
  };
  const columns = [
    { label: "Case", kind: "text", className: "name", value: (row) => row.case },
    { label: "Verdict", kind: "number", value: (row) => severity[row.state] },
    { label: "Split", kind: "number", value: (row) => order[row.split] },
    ...(data.rows.some((row) => row.code || row.message) ? [why] : []),
    ...data.columns.map((column, place) => ({
      ...column, kind: "number", className: "n", value: (row) => row.values[place],
    })),
  ];

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const written = (value, decimals) =>
    value === null ? "–" : value.toFixed(decimals).replace("-", "−");
  const beyond = (value, limit, higher) =>
    limit !== undefined && value !== null && (higher ? value < limit : value > limit);
  const level = (value, { limits, higher }) =>
    beyond(value, limits.fail, higher) ? "fail" : beyond(value, limits.warn, higher) ? "warn" : "";

  const nameCell = (row, index) => {
    const cell = element("th", "name");
    cell.scope = "row";
    cell.title = row.case;
    const name = element(row.panel || row.link ? "a" : "bdi", "", row.case);
    if (row.panel) {
      name.href = "#cases";
      name.dataset.row = index;
      cell.append(element("span", "has-panel", "● "));
    } else if (row.link) {
      name.href = row.link;
    }
    cell.append(name);
    return cell;
  };
  const whyCell = (row) => {
    const cell = element("td", "why");
    const text = element("div");
    if (row.code) text.append(element("b", "", row.code), " ");
    text.append(row.message || "");
    cell.title = row.message || "";
    cell.append(text);
    return cell;
  };
  const build = (row, index) => {
    const made = element("tr", row.panel || row.link ? "opens" : "");
    const verdict = element("td");
    verdict.append(element("span", `badge ${row.state}`, row.words));
    made.append(nameCell(row, index), verdict, element("td", "", row.split));
    if (columns.includes(why)) made.append(whyCell(row));
    data.columns.forEach((column, place) => {
      const value = row.values[place];
      const found = row.unjudged.includes(place) ? "" : level(value, column);
      made.append(element("td", `n ${found}`, written(value, column.decimals)));
    });
    made.dataset.row = index;
    return made;
  };

  const lines = [];
  const line = (index) => (lines[index] ??= build(data.rows[index], index));
  const sorted = data.rows.map((_, index) => index);
  let matching = [];
  const grow = (count) => {
    const from = body.rows.length;
    body.append(...matching.slice(from, from + count).map(line));
  };
  const refresh = () => {
    const text = find.value.trim().toLowerCase();
    matching = sorted.filter((index) => {
      const row = data.rows[index];
      const words = `${row.case} ${row.code || ""} ${row.message || ""}`.toLowerCase();
      const kinds = ["", `state:${row.state}`, `words:${row.words}`];
      return words.includes(text) && kinds.includes(byState.value)
        && (!bySplit.value || row.split === bySplit.value);
    });
    body.replaceChildren();
    scroller.scrollTop = 0;
    grow(CHUNK);
    fit();
    const [shown, total] = [matching.length, data.rows.length].map((n) => n.toLocaleString("en"));
    document.querySelector(".showing").value =
      matching.length === data.rows.length ? `${total} cases` : `${shown} of ${total}`;
  };
  // Where the table is wider than its place, the lesser columns give way, but for the one that it is
  // sorted by; a button shows them all.
  const more = document.querySelector(".more");
  const hiding = document.head.appendChild(element("style"));
  const lesser = columns.map((_, place) => place).filter((place) => columns[place].rank > 0)
    .sort((a, b) => columns[b].rank - columns[a].rank);
  let all = false;
  const fit = () => {
    hiding.textContent = "";
    const widths = [...table.tHead.rows[0].cells].map((cell) => cell.getBoundingClientRect().width);
    let width = widths.reduce((sum, one) => sum + one, 0);
    const spare = lesser.filter((place) => {
      if (place === by.column || width <= scroller.clientWidth + 1) return false;
      width -= widths[place];
      return true;
    });
    const cells = spare.map((place) => `table.cases tr > :nth-child(${place + 1})`);
    if (!all && spare.length) {
      hiding.textContent = `@media screen { ${cells.join(", ")} { display: none; } }`;
    }
    const columnsMore = spare.length === 1 ? "1 more column" : `${spare.length} more columns`;
    more.hidden = !spare.length;
    more.setAttribute("aria-expanded", all);
    more.textContent = all ? "Fewer columns" : columnsMore;
    more.title = spare.map((place) => columns[place].label).reverse().join(", ");
  };
  more.addEventListener("click", () => {
    all = !all;
    fit();
  });
  window.addEventListener("resize", fit);
  let by = { column: -1, down: false };

  const compare = (column, down) => (a, b) => {
    const [x, y] = [column.value(data.rows[a]), column.value(data.rows[b])];
    const [lacksX, lacksY] = [x === null || x === undefined, y === null || y === undefined];
    if (lacksX || lacksY) return lacksX - lacksY || a - b;
    const difference = column.kind === "text" ? names.compare(x, y) : x - y;
    return (down ? -difference : difference) || a - b;
  };
  const sort = (place) => {
    by = { column: place, down: by.column === place && !by.down };
    sorted.sort(compare(columns[place], by.down));
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (index === place) head.setAttribute("aria-sort", by.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    refresh();
  };
  const open = (index) => {
    body.querySelector(".chosen")?.classList.remove("chosen");
    line(index).classList.add("chosen");
    const row = data.rows[index];
    if (row.panel) {
      const panel = document.querySelector(`details.case[data-row="${index}"]`);
      panel.open = true;
      panel.scrollIntoView({ block: "start" });
      panel.querySelector("summary").focus({ preventScroll: true });
    } else if (row.link) {
      location.href = row.link;
    }
  };

  const head = table.tHead.insertRow();
  columns.forEach((column, place) => {
    const cell = element("th", column.className);
    const button = element("button");
    cell.scope = "col";
    button.type = "button";
    button.dataset.says = column.says || data.terms[column.label];
    button.append(element("span", "", column.label), element("small", "", column.unit || ""));
    button.addEventListener("click", () => sort(place));
    cell.append(button);
    head.append(cell);
  });
  body.addEventListener("click", (event) => {
    const clicked = event.target.closest("tr");
    const link = event.target.closest("a");
    if (!clicked || (link && link.dataset.row === undefined)) return;
    event.preventDefault();
    open(Number(clicked.dataset.row));
  });
  scroller.addEventListener("scroll", () => {
    const isNear = scroller.scrollHeight - scroller.scrollTop < scroller.clientHeight + 500;
    if (!isNear || body.rows.length === matching.length) return;
    grow(CHUNK);
    fit();
  });
  window.addEventListener("beforeprint", () => grow(matching.length));
  find.addEventListener("input", refresh);
  byState.addEventListener("change", refresh);
  bySplit.addEventListener("change", refresh);
  for (const button of document.querySelectorAll(".only")) {
    button.addEventListener("click", () => {
      byState.value = button.dataset.shown;
      refresh();
      document.querySelector("#cases").scrollIntoView();
    });
  }
  sort(1);
})();
