// What happens in the browser alone: the grid's rows, its filters, the keyboard, the address.
// Names of runs and params are only ever set as text.
window.sweephouse = (() => {
  const here = new URLSearchParams(location.search);
  const state = { api: null, columns: [], generation: 0, statuses: new Set(), brushed: null, ready: false };
  const STATUSES = ["running", "finished", "stopped", "failed", "lost"];

  function address(changes) {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value === "" || value === null || value === undefined) query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString();
    history.replaceState(history.state, "", location.pathname + (text ? "?" + text : ""));
  }

  const asRow = (values) => Object.fromEntries(values.map((value, place) => ["c" + place, value]));
  const parsed = (text, otherwise) => {
    try { return JSON.parse(text) ?? otherwise; } catch { return otherwise; }
  };

  // The first rows are asked for while the page itself is still being loaded.
  let first = null;
  function prefetch(columns) {
    state.columns = columns;
    first = fetched(0);
    first.catch(() => {});
  }
  async function fetched(since) {
    const query = new URLSearchParams(state.columns.map((column) => ["column", column]));
    query.set("since", since);
    const response = await fetch("/data/runs?" + query);
    if (!response.ok) throw new Error("the rows cannot be fetched: " + response.status);
    return response.json();
  }

  async function ready(api) {
    state.api = api;
    state.columns = api.getGridOption("context").columns;
    state.ready = false;
    const asked = first ?? fetched(0);
    first = null;
    const data = await asked;
    if (api.isDestroyed()) return;
    state.generation = data.generation;
    api.setGridOption("rowData", data.rows.map(asRow));
    const query = new URLSearchParams(location.search);
    state.statuses = new Set((query.get("status") || "").split(",").filter(Boolean));
    const search = document.querySelector(".sh-search");
    if (search) {
      search.value = query.get("q") || "";
      api.setGridOption("quickFilterText", search.value);
    }
    const filter = parsed(query.get("f"), {});
    if (Object.keys(filter).length) api.setFilterModel(filter);
    const sort = parsed(query.get("sort"), []);
    if (Array.isArray(sort) && sort.length) api.applyColumnState({ state: sort, defaultState: { sort: null } });
    api.onFilterChanged();
    const chosen = (query.get("runs") || "").split(",").filter(Boolean);
    const nodes = chosen.map((id) => api.getRowNode(id)).filter(Boolean);
    if (nodes.length) api.setNodesSelected({ nodes, newValue: true, source: "api" });
    state.ready = true;
    tellChosen();
    count();
    document.body.dataset.ready = "grid";
    refresh();  // what came while the rows were on their way
  }

  let fetching = false, again = false;
  async function refresh() {
    if (!state.api || state.api.isDestroyed() || !state.ready) return;
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const data = await fetched(state.generation);
      const add = [], update = [];
      for (const row of data.rows) (state.api.getRowNode(row[0]) ? update : add).push(asRow(row));
      const remove = data.removed.filter((id) => state.api.getRowNode(id)).map((id) => ({ c0: id }));
      state.api.applyTransaction({ add, update, remove, addIndex: 0 });
      state.generation = data.generation;
      count();
    } finally {
      fetching = false;
      if (again) { again = false; refresh(); }
    }
  }

  const statusField = () => "c" + (state.columns.indexOf("status") + 1);
  const isFiltered = () => state.statuses.size > 0 || state.brushed !== null;
  function passes(node) {
    if (state.brushed !== null && !state.brushed.has(node.data.c0)) return false;
    return !state.statuses.size || state.statuses.has(node.data[statusField()]);
  }

  function count() {
    if (!state.api) return;
    const counts = Object.fromEntries(STATUSES.map((status) => [status, 0]));
    const field = statusField();
    let all = 0;
    state.api.forEachNode((node) => { all += 1; counts[node.data[field]] += 1; });
    for (const chip of document.querySelectorAll(".sh-chip")) {
      const status = chip.dataset.status;
      chip.textContent = `${status} ${counts[status] || 0}`;
      chip.setAttribute("aria-pressed", state.statuses.has(status));
      chip.classList.toggle("sh-off", !counts[status] && !state.statuses.has(status));
    }
    const shown = state.api.getDisplayedRowCount(), chosen = state.api.getSelectedNodes().length;
    const words = (shown === all ? `${all} runs` : `${shown} of ${all} runs`) + (chosen ? `, ${chosen} chosen` : "");
    for (const label of document.querySelectorAll(".sh-count")) label.textContent = words;
  }

  let telling = null;
  function tellChosen() {
    clearTimeout(telling);
    telling = setTimeout(() => {
      const ids = state.api.getSelectedNodes().map((node) => node.data.c0);
      address({ runs: ids.slice(0, 200).join(",") });
      emitEvent("sh-chosen", ids);
    }, 30);
  }
  function selectionChanged() {
    count();
    if (state.ready) tellChosen();
  }

  let filtering = null;
  function filterChanged() {
    count();
    if (!state.ready) return;
    const model = state.api.getFilterModel();
    address({ f: Object.keys(model).length ? JSON.stringify(model) : "", status: [...state.statuses].join(",") });
    clearTimeout(filtering);
    if (new URLSearchParams(location.search).get("tab") === "params")
      filtering = setTimeout(() => emitEvent("sh-filtered", shownIds()), 250);
  }
  function shownIds() {
    if (!state.api || state.api.getDisplayedRowCount() > 5000) return null;
    const ids = [];
    let all = 0;
    state.api.forEachNode(() => { all += 1; });
    state.api.forEachNodeAfterFilter((node) => ids.push(node.data.c0));
    return ids.length === all ? null : ids;
  }
  function sortChanged() {
    if (!state.ready) return;
    const sort = state.api.getColumnState().filter((column) => column.sort)
      .map(({ colId, sort, sortIndex }) => ({ colId, sort, sortIndex }));
    address({ sort: sort.length ? JSON.stringify(sort) : "" });
  }

  let searching = null;
  function search(text) {
    clearTimeout(searching);
    searching = setTimeout(() => {
      state.api?.setGridOption("quickFilterText", text);
      address({ q: text });
    }, 60);
  }
  function toggleStatus(status) {
    if (!state.statuses.delete(status)) state.statuses.add(status);
    state.api?.onFilterChanged();
  }
  function clear() {
    const box = document.querySelector(".sh-search");
    if (box && box.value) {
      box.value = "";
      search("");
    } else if (state.brushed !== null || state.statuses.size) {
      state.brushed = null;
      state.statuses.clear();
      state.api?.onFilterChanged();
    } else {
      state.api?.deselectAll();
    }
  }

  const tail = (id) => String(id).slice(-8);
  function anchor(href, text) {
    const link = document.createElement("a");
    link.href = href;
    link.textContent = text;
    return link;
  }
  const link = (params) => anchor("/run/" + encodeURIComponent(params.value), tail(params.value));
  const sweepLink = (params) => params.value
    ? anchor("/sweep/" + encodeURIComponent(params.value), tail(params.value)) : "";
  const statusClass = (params) => STATUSES.includes(params.value) ? "sh-" + params.value : "";
  // For tooltips: of numbers alone, since what a formatter returns is taken as HTML.
  const digits = (value) => typeof value === "number" ? number({ value }) : "";
  function number(params) {
    const value = params.value;
    if (typeof value !== "number") return value ?? "";
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-4 || size >= 1e7) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
  }

  // --- Brushing: intervals of the axes, tested on every row, not only on those that are drawn ---
  const parallel = { rows: [], intervals: new Map() };
  function brushing(elementId, rows) {
    Object.assign(parallel, { rows, intervals: new Map() });
    const attach = () => {
      const chart = getElement(elementId)?.chart;
      if (!chart) return setTimeout(attach, 50);
      chart.off("axisareaselected");
      chart.on("axisareaselected", (event) => {
        // The axis is named by its component's id, the intervals are in its own units.
        const models = chart.getModel().queryComponents({ mainType: "parallelAxis" });
        const place = models.findIndex((model) => model.id === event.parallelAxisId);
        brush(place, event.intervals || []);
      });
    };
    attach();
  }
  function brush(place, intervals) {
    if (intervals.length) parallel.intervals.set(place, intervals);
    else parallel.intervals.delete(place);
    const within = (row) => [...parallel.intervals].every(([axis, list]) =>
      row[axis + 1] !== null && list.some(([low, high]) => row[axis + 1] >= low && row[axis + 1] <= high));
    state.brushed = parallel.intervals.size
      ? new Set(parallel.rows.filter(within).map((row) => row[0])) : null;
    state.api?.onFilterChanged();
  }

  // --- SQL: completion of tables and columns, their comments beside ---
  async function complete(elementId, words) {
    const CM = await import("nicegui-codemirror");
    const attach = () => {
      const editor = getElement(elementId)?.editor;
      if (!editor) return setTimeout(attach, 50);
      const source = (context) => {
        const word = context.matchBefore(/[\w.]+/);
        if (!word && !context.explicit) return null;
        const before = word ? word.text : "";
        const dot = before.lastIndexOf(".");
        const from = word ? word.from + dot + 1 : context.pos;
        return { from, options: words, validFor: /^\w*$/ };
      };
      editor.dispatch({ effects: CM.StateEffect.appendConfig.of([
        CM.EditorState.languageData.of(() => [{ autocomplete: source }]),
      ]) });
      const theme = () => getElement(elementId)?.setTheme(
        document.body.classList.contains("body--dark") ? "vscodeDark" : "vscodeLight");
      new MutationObserver(theme).observe(document.body, { attributes: true, attributeFilter: ["class"] });
      theme();
      document.body.dataset.ready = "sql";
    };
    attach();
  }

  // --- Keyboard ---
  function move(step) {
    const api = state.api;
    if (!api) return;
    const focused = api.getFocusedCell();
    const next = Math.max(0, Math.min(api.getDisplayedRowCount() - 1, focused ? focused.rowIndex + step : 0));
    api.ensureIndexVisible(next);
    api.setFocusedCell(next, "run_id");
  }
  function current() {
    const focused = state.api?.getFocusedCell();
    return focused ? state.api.getDisplayedRowAtIndex(focused.rowIndex) : null;
  }
  function compare() {
    const ids = state.api?.getSelectedNodes().map((node) => node.data.c0) || [];
    if (ids.length > 1) location.href = "/compare?runs=" + encodeURIComponent(ids.slice(0, 50).join(","));
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, [contenteditable=true], .cm-editor");
    if (event.key === "Escape" && (!typing || typing.classList.contains("sh-search"))) return clear();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = document.querySelector(".sh-search");
    if (event.key === "/" && box) { event.preventDefault(); box.focus(); }
    if (!state.api || state.api.isDestroyed()) return;
    if (event.key === "j") move(1);
    if (event.key === "k") move(-1);
    if (event.key === "c") compare();
    const node = current();
    if (node && event.key === "x") node.setSelected(!node.isSelected());
    if (node && event.key === "Enter") location.href = "/run/" + encodeURIComponent(node.data.c0);
  });

  // --- Dark and light: as the system has it, until somebody chooses ---
  const chosenTheme = () => here.get("theme") || localStorage.getItem("sweephouse-theme");
  function toggleDark() {
    const dark = !document.body.classList.contains("body--dark");
    localStorage.setItem("sweephouse-theme", dark ? "dark" : "light");
    emitEvent("sh-dark", dark);
  }
  function startTheme() {
    const theme = chosenTheme();
    if (theme) emitEvent("sh-dark", theme === "dark");
  }

  function csv() { state.api?.exportDataAsCsv({ fileName: "runs.csv" }); }

  return { address, prefetch, ready, refresh, isFiltered, passes, selectionChanged, filterChanged, sortChanged, search,
    toggleStatus, clear, link, sweepLink, statusClass, number, digits, brushing, brush, complete, compare, toggleDark,
    startTheme, csv, shownIds, state };
})();
