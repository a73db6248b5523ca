(function () {
  "use strict";

  // Sorting: a head becomes a button; unknown values stay last whichever way it sorts.
  function sortable(table) {
    var heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
    Array.prototype.forEach.call(heads, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var descending = head.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(heads, function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
        var rows = Array.prototype.slice.call(table.tBodies[0].rows);
        rows.sort(function (a, b) { return compare(a.cells[column], b.cells[column], descending ? -1 : 1); });
        rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
      });
    });
  }

  function compare(a, b, way) {
    if (a.hasAttribute("data-v")) {
      var x = a.getAttribute("data-v"), y = b.getAttribute("data-v");
      if (x === "" || y === "") return (x === "") - (y === "");
      return way * (Number(x) - Number(y));
    }
    return way * a.textContent.trim().localeCompare(b.textContent.trim());
  }

  // Filters: one form per list; a field that is empty lets everything through.
  function filterable(form) {
    var holder = document.getElementById(form.getAttribute("data-for"));
    var items = Array.prototype.slice.call(holder.tBodies ? holder.tBodies[0].rows : holder.querySelectorAll("details.flip"));
    var more = holder.querySelector("details.more");
    var output = form.querySelector("output");
    function wanted(name) { return form.elements[name] ? form.elements[name].value : ""; }
    function admits(item, name, value) {
      if (value === "") return true;
      if (name === "text") return item.cells[0].textContent.toLowerCase().indexOf(value.toLowerCase()) >= 0;
      if (name === "slice") return (" " + item.getAttribute("data-slices") + " ").indexOf(" " + value + " ") >= 0;
      return item.getAttribute("data-" + name) === value;
    }
    function apply() {
      var shown = 0;
      items.forEach(function (item) {
        var show = ["text", "slice", "metric", "verdict", "direction"].every(function (name) {
          return admits(item, name, wanted(name));
        });
        item.hidden = !show;
        shown += show ? 1 : 0;
      });
      if (more) {
        if (shown < items.length) more.open = true;
        more.hidden = !more.querySelector("details.flip:not([hidden])");
      }
      output.textContent = shown + " of " + items.length + " shown";
    }
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("change", apply);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    apply();
  }

  Array.prototype.forEach.call(document.querySelectorAll("table.findings"), sortable);
  Array.prototype.forEach.call(document.querySelectorAll("form.filters"), filterable);

  // On paper the folded parts are unfolded; single flips stay as they are.
  window.addEventListener("beforeprint", function () {
    Array.prototype.forEach.call(document.querySelectorAll("details.fold"), function (one) { one.open = true; });
  });
})();
