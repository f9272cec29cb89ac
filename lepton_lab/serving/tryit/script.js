"use strict";
// Text of labels, columns and errors comes from elsewhere: it is only ever written as textContent.
(() => {
  const SHOWN_CLASSES = 8;
  const SMALL_PIXELS = 96;
  const KEY_PLACE = "lepton-lab-key:" + location.pathname, LANGUAGE_PLACE = "lepton-lab-language";
  const WORDS = LEPTON_WORDS, LANGUAGES = Object.keys(WORDS);
  const at = (id) => document.getElementById(id);
  const state = { lang: readersLanguage(), key: sessionStorage.getItem(KEY_PLACE) || "", info: null, file: null, code: "curl", answer: null, halt: null };
  const say = (name, values = {}) => WORDS[state.lang][name].replace(/\{(\w+)\}/g, (_, part) => values[part]);
  const tag = () => (state.lang === "zh" ? "zh-CN" : "en");
  const number = (value, options) => new Intl.NumberFormat(tag(), options).format(value);
  const fixed = (value, places) => number(value, { minimumFractionDigits: places, maximumFractionDigits: places });
  const percent = (share) => number(share, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const rounded = (value, count, signed = false) => number(Number(value), { maximumSignificantDigits: count, signDisplay: signed ? "exceptZero" : "auto" });
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const show = (id, visible) => { at(id).hidden = !visible; };

  // The one that was chosen on this page before, else the first that the browser asks for (its Accept-Language) and we have.
  function readersLanguage() {
    let kept = null;
    try { kept = localStorage.getItem(LANGUAGE_PLACE); } catch { /* no storage: nothing was kept */ }
    const asked = [kept, ...(navigator.languages || [navigator.language])].map((name) => (name || "").slice(0, 2).toLowerCase());
    return asked.find((name) => LANGUAGES.includes(name)) || "en";
  }

  function choose(lang) {
    state.lang = lang;
    try { localStorage.setItem(LANGUAGE_PLACE, lang); } catch { /* it is chosen for this visit alone */ }
    translate();
  }

  const otherLanguage = () => LANGUAGES.find((name) => name !== state.lang);

  class Refusal extends Error {
    constructor(status, message) { super(message); this.status = status; }
  }

  async function ask(path, options = {}) {
    let response;
    try {
      response = await fetch(path, { cache: "no-store", credentials: "same-origin", ...options, headers: { ...options.headers, "X-API-Key": state.key, "Accept-Language": state.lang } });
    } catch { throw new Refusal(0, say("noAnswer")); }
    if (response.ok) return response;
    const content = await response.json().catch(() => ({}));
    const own = { 401: say("refused"), 503: say("busy"), 502: say("noAnswer"), 504: say("noAnswer") }[response.status];
    throw new Refusal(response.status, own || content.error || String(response.status));
  }

  function setState(name) {
    const chip = at("state");
    chip.className = name === "ready" ? "chip ok" : name === "away" ? "chip bad" : "chip";
    chip.textContent = name ? say(name) : "";
    chip.dataset.name = name;
  }

  function translate() {
    document.documentElement.lang = tag();
    if (!state.info) document.title = say("title");
    for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
    for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = say(node.dataset.placeholder);
    at("language").textContent = WORDS[otherLanguage()].itself;
    at("language").lang = otherLanguage();
    setState(at("state").dataset.name || "");
    if (state.info) { drawFacts(); drawSnippet(); }
    if (state.answer) drawAnswer();
  }

  // The figure that the task is judged by: a share, or an error in the target's units.
  const SHARES = ["test_accuracy", "test_f1", "test_hit_rate", "test_map50"], ERRORS = ["test_mae", "test_rmse", "test_mse", "test_perplexity"];

  function drawFacts() {
    const info = state.info, measured = { test_accuracy: info.metrics.accuracy, ...info.metrics };
    const facts = [["version", number(info.version)], ["model", info.model], ["data", info.dataset], ["classes", info.classes.length && number(info.classes.length)], ["run", info.run_id]];
    const judged = [...SHARES, ...ERRORS].find((name) => typeof measured[name] === "number");
    if (judged) facts.unshift([judged, SHARES.includes(judged) ? fixed(measured[judged], 4) : rounded(measured[judged], 4)]);
    at("facts").replaceChildren(...facts.filter(([, value]) => value).map(([name, value], index) => {
      const group = make("div", index === 0 ? "lead" : "");
      group.append(make("dt", "", say(name)), make("dd", "", value));
      return group;
    }));
  }

  function drawFields() {
    at("fields").replaceChildren(...state.info.columns.map((column) => {
      const label = make("label", "", column), choices = state.info.choices[column], input = make(choices ? "select" : "input");
      input.dataset.column = column;
      if (choices) input.append(...["", ...choices].map((value) => make("option", "", value)));
      else input.autocomplete = "off";
      label.append(input);
      return label;
    }));
  }

  function fields() { return [...at("fields").querySelectorAll("[data-column]")]; }

  function fill(row) {
    for (const input of fields()) {
      const value = row[input.dataset.column];
      input.value = value === null || value === undefined ? "" : String(value);
    }
  }

  function drawAnswer() {
    const { prediction, milliseconds, version } = state.answer;
    show("empty", false); show("problem", false); show("answer", true);
    at("label").textContent = labelOf(prediction);
    at("confidence").textContent = typeof prediction.confidence === "number" ? percent(prediction.confidence) : "";
    at("said").replaceChildren(...said(prediction).map((line) => make("li", "", line)));
    drawBoxes(prediction.boxes || []);
    drawForecast(prediction.forecast);
    at("bars").replaceChildren(...Object.entries(prediction.scores || {}).sort((a, b) => b[1] - a[1]).slice(0, SHOWN_CLASSES).map(([name, share]) => {
      const item = make("li"), track = make("span", "track"), bar = make("span", "fill");
      bar.style.width = share * 100 + "%";
      track.append(bar);
      const label = make("span", "class", name);
      label.title = name;
      item.append(label, track, make("span", "share", percent(share)));
      return item;
    }));
    drawWhy(prediction.explanation);
    at("meta").textContent = say("meta", { ms: fixed(milliseconds, 1), version: number(version) });
  }

  const EXPLAINED = ["classification", "multilabel", "regression", "rating"];

  function drawWhy(explanation) {
    show("why", Boolean(explanation));
    show("explain", EXPLAINED.includes(state.info.task) && !explanation);
    if (!explanation) return;
    at("why-help").textContent = say("whyHelp", { of: explanation.of });
    const parts = explanation.parts || [], grid = explanation.grid;
    at("why-parts").replaceChildren(...parts.slice(0, SHOWN_CLASSES).map(({ part, change }) => make("li", "", `${part}: ${rounded(change, 3, true)}`)));
    show("why-grid", Boolean(grid));
    if (!grid) return;
    const place = at("why-grid"), most = Math.max(1e-9, ...grid.flat().map(Math.abs));
    place.style.gridTemplateColumns = `repeat(${grid[0].length}, 1fr)`;
    place.style.backgroundImage = at("preview").src ? `url("${at("preview").src}")` : "none";
    place.setAttribute("aria-label", say("why"));
    place.replaceChildren(...grid.flat().map((change) => {
      const cell = make("i", change < 0 ? "against" : "");
      cell.style.opacity = String(0.75 * Math.abs(change) / most);
      return cell;
    }));
  }

  // What the endpoint says in short; where that is a sentence of ours, in the reader's language.
  function labelOf({ label, boxes, forecast, labels }) {
    if (forecast) return say("ahead", { count: number(forecast.length) });
    return boxes?.length === 0 ? say("noBox") : labels?.length === 0 ? say("noLabel") : label;
  }

  function said({ boxes = [] }) {
    return boxes.map((box) => `${box.label} ${percent(box.confidence)}`);
  }

  // What was found, on the picture that was asked about.
  function drawBoxes(boxes) {
    at("marks").replaceChildren(...boxes.map((box) => {
      const mark = make("i"), name = make("span", "", box.label);
      mark.style.left = box.left * 100 + "%";
      mark.style.top = box.top * 100 + "%";
      mark.style.width = (box.right - box.left) * 100 + "%";
      mark.style.height = (box.bottom - box.top) * 100 + "%";
      mark.append(name);
      return mark;
    }));
    at("marks").setAttribute("aria-label", say("boxesOf"));
  }

  const SVG = "http:" + "//www.w3.org/2000/svg", PLOT = { width: 440, height: 150, left: 52, bottom: 22, top: 8 };
  function shape(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // The steps ahead as lines, one a series, and as a table of numbers.
  function drawForecast(forecast) {
    show("ahead", Boolean(forecast));
    if (!forecast) return;
    const steps = forecast.map((step) => [step].flat()), values = steps.flat(), last = steps.length;
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (index) => PLOT.left + ((PLOT.width - PLOT.left - 8) * index) / Math.max(1, last - 1);
    const y = (value) => PLOT.top + (PLOT.height - PLOT.bottom - PLOT.top) * (1 - (value - low) / span);
    const lines = [low, (low + high) / 2, high].flatMap((value) => [
      shape("line", { x1: PLOT.left, x2: PLOT.width - 8, y1: y(value), y2: y(value) }),
      shape("text", { x: PLOT.left - 8, y: y(value) + 4, "text-anchor": "end" }, rounded(value, 4)),
    ]);
    const ends = [1, last].map((step) => shape("text", { x: x(step - 1), y: PLOT.height - 4, "text-anchor": step === 1 ? "start" : "end" }, "+" + number(step)));
    const series = steps[0].map((_, which) => shape("polyline", { points: steps.map((step, index) => `${x(index).toFixed(1)},${y(step[which]).toFixed(1)}`).join(" ") }));
    const plot = shape("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", "aria-label": say("ahead", { count: number(last) }) });
    plot.append(...lines, ...ends, ...series);
    at("plot").replaceChildren(plot);
    at("steps").replaceChildren(...steps.map((step, index) => make("li", "", `+${number(index + 1)}: ${step.map((value) => rounded(value, 6)).join(", ")}`)));
  }

  function fail(message) {
    show("empty", false); show("answer", false); show("problem", true);
    at("problem").textContent = message;
  }

  function body() {
    if (state.info.modality === "image") {
      if (!state.file) throw new Refusal(0, say("noPicture"));
      return { body: state.file, headers: { "Content-Type": state.file.type || "application/octet-stream" } };
    }
    if (state.info.modality === "audio") {
      if (!state.file) throw new Refusal(0, say("noSound"));
      return { body: state.file, headers: { "Content-Type": "audio/wav" } };
    }
    if (state.info.modality === "text") {
      if (!at("words").value.trim()) throw new Refusal(0, say("noWords"));
      return { body: at("words").value, headers: { "Content-Type": "text/plain" } };
    }
    const json = (instances) => ({ body: JSON.stringify({ instances }), headers: { "Content-Type": "application/json" } });
    if (state.info.columns.length) return json([Object.fromEntries(fields().map((input) => [input.dataset.column, input.value.trim() === "" ? null : input.value.trim()]))]);
    try { return json([JSON.parse(at("values").value)]); } catch { throw new Refusal(0, say("noNumbers")); }
  }

  async function predict(explains = false) {
    at("go").disabled = true;
    setState("working");
    try {
      const content = await (await ask(`predict?top=${SHOWN_CLASSES}${explains ? "&explain=true" : ""}`, { method: "POST", ...body() })).json();
      state.answer = { ...content, prediction: content.predictions[0] };
      drawAnswer();
      setState("ready");
      if (content.version !== state.info.version) await load();
    } catch (error) {
      state.answer = null;
      fail(error.message);
      setState(error.status === 0 && error.message === say("noAnswer") ? "away" : "ready");
      if (error.status === 401) closeDoor(error.message);
    }
    at("go").disabled = false;
  }

  function take(file) {
    if (!file) return;
    state.file = file;
    const image = at("preview");
    if (image.src) URL.revokeObjectURL(image.src);
    image.onload = () => image.classList.toggle("small", Math.max(image.naturalWidth, image.naturalHeight) <= SMALL_PIXELS);
    image.src = URL.createObjectURL(file);
    image.alt = file.name || "";
    image.hidden = false;
    drawBoxes([]);
    predict();
  }

  async function takeSound(file) {
    if (!file) return;
    try { state.file = await LeptonSound.fromFile(file); } catch { fail(say("badSound")); return; }
    const player = at("listen");
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(state.file);
    player.hidden = false;
    predict();
  }

  async function recordOrHalt() {
    const button = at("record"), halt = state.halt;
    state.halt = null;
    try {
      if (halt) await takeSound(await halt());
      else state.halt = await LeptonSound.record();
    } catch { fail(say("noMicrophone")); }
    button.setAttribute("aria-pressed", String(Boolean(state.halt)));
    button.dataset.text = state.halt ? "halt" : "record";
    button.textContent = say(button.dataset.text);
  }

  const taker = () => ({ image: take, audio: takeSound })[state.info?.modality];

  function readPasted() {
    const text = at("paste").value.trim();
    if (!text) return;
    try {
      const row = JSON.parse(text);
      if (row && typeof row === "object" && !Array.isArray(row)) { fill(row); return; }
    } catch { /* not JSON, so CSV */ }
    const lines = text.split(/\r?\n/), splitter = lines[0].includes("\t") ? /\t/ : /,(?=(?:[^"]*"[^"]*")*[^"]*$)/;
    const cells = (line) => line.split(splitter).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1").replace(/""/g, '"'));
    const columns = state.info.columns, first = cells(lines[0]);
    const named = lines.length > 1 && columns.every((column) => first.includes(column));
    const names = named ? first : columns, row = named ? cells(lines[1]) : first;
    if (row.length !== names.length) { fail(say("cells", { given: number(row.length), expected: number(names.length) })); return; }
    fill(Object.fromEntries(names.map((name, index) => [name, row[index]])));
  }

  async function useExample() {
    const example = state.info.example;
    if (!example.picture && !example.sound) { fill(example.row); predict(); return; }
    try {
      if (example.sound) { takeSound(new File([await (await ask("example")).blob()], "example.wav", { type: "audio/wav" })); return; }
      const picture = await (await ask("example")).blob();
      take(new File([picture], "example.png", { type: "image/png" }));
    } catch (error) { fail(error.message); }
  }

  function snippets() {
    const url = new URL("predict", document.baseURI).href, base = url.slice(0, -"/predict".length);
    const row = state.info.example.row || Object.fromEntries(state.info.columns.map((column) => [column, 0]));
    const json = JSON.stringify({ instances: [row] }), quoted = json.replace(/'/g, "'\\''");
    const picture = state.info.modality === "image", sound = state.info.modality === "audio", text = state.info.modality === "text", python = json.slice(14, -2).replace(/\bnull\b/g, "None").replace(/\btrue\b/g, "True").replace(/\bfalse\b/g, "False");
    const table = state.info.columns.length > 0;
    const nested = "[[[0.1, 0.2], [0.3, 0.4]]]", sentence = "a sentence";
    const type = picture ? "image/png" : sound ? "audio/wav" : text ? "text/plain" : "application/json";
    const file = picture ? "picture.png" : "sound.wav", isFile = picture || sound;
    const data = isFile ? `-H 'Content-Type: ${type}' --data-binary @${file}` : text ? `-H 'Content-Type: ${type}' -d '${sentence}'` : table ? `--json '${quoted}'` : `--json '{"instances": ${nested}}'`;
    const argument = isFile ? `"${file}"` : text ? `["${sentence}"]` : table ? python : nested;
    const content = isFile ? "file" : text ? `"${sentence}"` : table ? `JSON.stringify(${json})` : `JSON.stringify({ instances: ${nested} })`;
    return {
      curl: `curl -H "X-API-Key: $LEPTON_KEY" ${data} \\\n  ${url}`,
      python: `import os\nfrom lepton_lab.serving.client import Client\n\nclient = Client("${base}", os.environ["LEPTON_KEY"])\nprint(client.predict(${argument}))`,
      javascript: `const response = await fetch("${url}", {\n  method: "POST",\n  headers: { "X-API-Key": key, "Content-Type": "${type}" },\n  body: ${content},\n});\nconst { predictions } = await response.json();`,
    };
  }

  function drawSnippet() {
    at("snippet").textContent = snippets()[state.code];
    for (const tab of at("tabs").children) tab.setAttribute("aria-pressed", String(tab.dataset.code === state.code));
  }

  function closeDoor(message) {
    state.key = ""; state.info = null; state.answer = null;
    sessionStorage.removeItem(KEY_PLACE);
    setState("");
    show("desk", false); show("forget", false); show("door", true);
    at("name").textContent = "lepton_lab"; document.title = say("title");
    at("door-problem").textContent = message || "";
    show("door-problem", Boolean(message));
    at("key").value = "";
    at("key").focus();
  }

  async function load() {
    const info = await (await ask("info")).json(), fresh = !state.info;
    state.info = info;
    sessionStorage.setItem(KEY_PLACE, state.key);
    document.title = info.name + " · lepton_lab";
    at("name").textContent = info.name;
    setState("ready");
    drawFacts(); drawSnippet();
    if (!fresh) return;
    drawFields();
    const picture = info.modality === "image", table = info.columns.length > 0;
    const sound = info.modality === "audio", text = info.modality === "text";
    show("picture", picture); show("row", table); show("sound", sound); show("sentence", text);
    show("numbers", !picture && !table && !sound && !text); show("record", LeptonSound.canRecord());
    show("example", info.example.picture || info.example.sound || Boolean(info.example.row && table));
    at("stage").classList.toggle("whole", info.task === "detection");
    show("door", false); show("desk", true); show("forget", true); show("answer", false); show("problem", false); show("empty", true);
    if (info.example.row) fill(info.example.row);
  }

  async function enter() {
    try { await load(); } catch (error) { closeDoor(error.message); }
  }

  at("key-form").addEventListener("submit", (event) => { event.preventDefault(); state.key = at("key").value.trim(); enter(); });
  at("forget").addEventListener("click", () => closeDoor(""));
  at("language").addEventListener("click", () => { choose(otherLanguage()); });
  at("theme").addEventListener("click", () => {
    const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  at("go").addEventListener("click", () => predict());
  at("explain").addEventListener("click", () => predict(true));
  at("example").addEventListener("click", useExample);
  at("row").addEventListener("submit", (event) => { event.preventDefault(); predict(); });
  at("row").addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.tagName === "INPUT") { event.preventDefault(); predict(); } });
  at("paste").addEventListener("input", readPasted);
  at("drop").addEventListener("click", () => at("file").click());
  at("file").addEventListener("change", () => take(at("file").files[0]));
  for (const name of ["dragenter", "dragover"]) addEventListener(name, (event) => { event.preventDefault(); for (const id of ["drop", "drop-sound"]) at(id).classList.add("over"); });
  for (const name of ["dragleave", "drop"]) addEventListener(name, (event) => { event.preventDefault(); for (const id of ["drop", "drop-sound"]) at(id).classList.remove("over"); });
  addEventListener("drop", (event) => taker()?.(event.dataTransfer.files[0]));
  addEventListener("paste", (event) => { if (event.clipboardData.files.length) taker()?.(event.clipboardData.files[0]); });
  at("drop-sound").addEventListener("click", () => at("sound-file").click());
  at("sound-file").addEventListener("change", () => takeSound(at("sound-file").files[0]));
  at("record").addEventListener("click", recordOrHalt);
  at("words").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); predict(); } });
  at("tabs").addEventListener("click", (event) => { if (event.target.dataset.code) { state.code = event.target.dataset.code; drawSnippet(); } });
  at("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(at("snippet").textContent);
    at("copy").textContent = say("copied");
    setTimeout(() => { at("copy").textContent = say("copy"); }, 1500);
  });

  translate();
  if (state.key) enter(); else closeDoor("");
})();
