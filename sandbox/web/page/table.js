// Renders the block data_table: a table with pages that people can sort.

import { button, el } from "./dom.js";

const textOf = (cell) => cell.text ?? String(cell.value);

export function table(block) {
  const [header, ...rows] = block.rows;
  const size = block.page_size || rows.length;
  const place = el("div", { class: "data" });
  let sorted = rows;
  let by = -1;
  let up = true;
  let page = 0;

  function sort(column) {
    up = by === column ? !up : true;
    by = column;
    page = 0;
    sorted = rows.toSorted((a, b) => (up ? 1 : -1) * compare(a[column], b[column]));
    draw(`sort ${column}`);
  }

  function draw(focus) {
    const pages = Math.max(1, Math.ceil(sorted.length / size));
    const head = header.map((cell, column) =>
      el(
        "th",
        { scope: "col", "aria-sort": by === column ? (up ? "ascending" : "descending") : null },
        button(textOf(cell), () => sort(column), { "data-focus": `sort ${column}` }),
      ),
    );
    const body = sorted.slice(page * size, (page + 1) * size).map((row) =>
      el(
        "tr",
        {},
        row.map((cell, column) =>
          el(
            column === block.row_header_column_index ? "th" : "td",
            { scope: column === block.row_header_column_index ? "row" : null, class: cell.type === "raw_number" ? "number" : null },
            textOf(cell),
          ),
        ),
      ),
    );
    const turn = (step) => () => {
      page += step;
      draw(step > 0 ? "later" : "earlier");
    };
    place.replaceChildren(
      el("table", {}, el("caption", {}, block.caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)),
      pages > 1
        ? el(
            "p",
            { class: "actions" },
            button("Earlier rows", turn(-1), { disabled: page === 0, "data-focus": "earlier" }),
            `Page ${page + 1} of ${pages}`,
            button("Later rows", turn(1), { disabled: page === pages - 1, "data-focus": "later" }),
          )
        : "",
    );
    if (focus) place.querySelector(`[data-focus="${focus}"]`)?.focus();
  }

  draw();
  return place;
}

function compare(a, b) {
  if (a.type === "raw_number" && b.type === "raw_number") return a.value - b.value;
  return textOf(a).localeCompare(textOf(b), "en", { numeric: true });
}
