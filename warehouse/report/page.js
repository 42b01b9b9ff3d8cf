// Draw the figures, and sort a table by the column whose head is clicked.
for (const [id, spec] of Object.entries(figures)) {
  vegaEmbed("#" + id, spec, { actions: { export: true, source: false, compiled: false, editor: false },
    renderer: "svg" }).catch((error) => { document.getElementById(id).textContent = String(error) });
}

function key(row, place) {
  const text = row.cells[place].textContent;
  return row.cells[place].className === "number" ? (text === "" ? NaN : Number(text)) : text;
}

function sort(head) {
  const table = head.closest("table"), place = head.cellIndex, body = table.tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].map((row) => [key(row, place), row]);
  rows.sort(([a], [b]) => {
    if (typeof a === "string") return (down ? -1 : 1) * a.localeCompare(b);
    // What has no number comes last in both directions.
    if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
    return (down ? -1 : 1) * (a - b);
  });
  body.append(...rows.map(([, row]) => row));
}

for (const head of document.querySelectorAll(".sortable th")) {
  head.addEventListener("click", () => sort(head));
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(head) }
  });
}
