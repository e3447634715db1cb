// The browser's half of gmps_lite/drive.py: it keeps the clock, turns mouse,
// touch and arrow keys into actions, and draws what the kernel answers.
const ORANGE = "#d55e00", GREEN = "#009e73", BLUE = "#0072b2";
const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0],
              ArrowUp: [0, 1], ArrowDown: [0, -1]};

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) node.setAttribute(k, v);
  node.append(...children);
  return node;
}

function render({model, el}) {
  const s = model.get("setup");
  const [w, h] = [s.high[0] - s.low[0], s.high[1] - s.low[1]];
  const scale = 420 / Math.max(w, h), ratio = window.devicePixelRatio || 1;
  const canvas = make("canvas", {
    tabindex: 0, role: "application", width: w * scale * ratio,
    height: h * scale * ratio, style: `width:${w * scale}px;max-width:100%;` +
      "border:1px solid #888;background:#fff;touch-action:none;" +
      "cursor:crosshair",
    "aria-label": "Top view. Drag, or use the arrow keys, to steer."});
  const say = make("div", {role: "status", "aria-live": "polite",
                           style: "min-height:1.4em"});
  const button = (text, run) => {
    const b = make("button", {type: "button", style: "margin:2px 4px 2px 0"},
                   text);
    b.addEventListener("click", run);
    return b;
  };
  const task = make("select", {"aria-label": "task"});
  s.goals.forEach((_, i) => task.append(
    make("option", {value: i}, `goal ${i + 1}`)));
  const speed = make("select", {"aria-label": "speed"});
  for (const [x, name] of [[1, "real time"], [0.5, "half speed"],
                           [0.25, "quarter speed"], [2, "double speed"]])
    speed.append(make("option", {value: x}, name));
  const list = make("ol", {start: 1, style: "padding-left:1.6em"});
  el.append(make("div", {style: "font:14px/1.4 sans-serif;color:inherit"},
    make("div", {}, button("record", () => begin()), task, " ", speed),
    canvas, say, list));

  const pen = canvas.getContext("2d");
  const px = (x, y) => [(x - s.low[0]) * scale * ratio,
                        (s.high[1] - y) * scale * ratio];
  let obs = s.first, trail = [], running = false, target = null;
  let total = 0, timer = null, hurry = null, asked = 0, count = 0;
  const sent = new Map();  // when each unanswered message left, by its id
  const held = new Set();
  canvas.drawn = [];  // [ms from asking, ms when] of each, to be measured

  function disc(x, y, radius, color, square) {
    const [a, b] = px(x, y), r = radius * scale * ratio;
    pen.fillStyle = color;
    pen.beginPath();
    if (square) pen.rect(a - r, b - r, 2 * r, 2 * r);
    else pen.arc(a, b, r, 0, 7);
    pen.fill();
  }

  function draw() {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const goal = s.goals[task.value];
    disc(goal[0], goal[1], s.tolerance, "#009e7333");
    disc(goal[0], goal[1], Math.max(0.008, s.tolerance / 8), GREEN);
    pen.strokeStyle = "#999";
    pen.lineWidth = ratio;
    pen.beginPath();
    trail.forEach((o, i) => {
      const p = px(o[s.track], o[s.track + 1]);
      i ? pen.lineTo(...p) : pen.moveTo(...p);
    });
    pen.stroke();
    Object.entries(s.bodies).forEach(([name, [at, size]], i) =>
      disc(obs[at], obs[at + 1], size, i ? ORANGE : BLUE, i > 0));
  }

  function action() {
    if (held.size) {
      const a = [0, 0];
      for (const k of held) a.forEach((_, i) => a[i] += KEYS[k][i]);
      return a;
    }
    if (!target) return [0, 0];
    const at = Object.values(s.bodies)[0][0];
    return [0, 1].map(i => Math.max(-1, Math.min(1,
      (target[i] - obs[at + i]) / (2 * s.reach))));
  }

  function ask(message) {
    sent.set(++count, performance.now());
    model.send({...message, id: count});
    // Jupyter's server holds an answer back until the browser has confirmed
    // the frame before it, which a browser with nothing to say does 40 ms
    // late (Nagle's algorithm meets delayed acknowledgments). So keep saying
    // something until the answer is here, or the kernel is busy elsewhere.
    let patience = 12;
    clearInterval(hurry);
    hurry = setInterval(() => {
      model.send({kind: "hurry"});
      if (!--patience) clearInterval(hurry);
    }, 8);
  }

  function tick() {  // one control step; two may be on their way
    if (sent.size > 1) return;
    ask({kind: "step", act: action()});
    if (++asked === s.horizon) clearInterval(timer);
  }

  function begin() {
    stop();
    trail = [];
    canvas.drawn = [];
    [total, asked] = [0, 0];
    sent.clear();
    canvas.focus();
    say.textContent = "Steer: drag, touch, or the arrow keys.";
    ask({kind: "reset", task: Number(task.value)});
  }

  function stop() {
    running = false;
    clearInterval(timer);
  }

  function replay(path) {
    stop();
    trail = [];
    let t = 0;
    timer = setInterval(() => {
      if (t === path.length) return stop();
      obs = path[t++];
      trail.push(obs);
      draw();
    }, 1000 * s.dt / speed.value);
  }

  model.on("msg:custom", m => {
    const since = sent.get(m.id);
    sent.delete(m.id);
    if (!sent.size) clearInterval(hurry);
    if (m.problem) {
      stop();
      say.textContent = m.problem;
    } else if (m.kind === "reset") {
      obs = m.obs;
      trail = [obs];
      draw();
      running = true;
      timer = setInterval(tick, 1000 * s.dt / speed.value);
    } else if (m.kind === "step") {
      obs = m.obs;
      trail.push(obs);
      total += m.rew;
      draw();
      requestAnimationFrame(now => canvas.drawn.push([now - since, now]));
      say.textContent = `step ${m.t} of ${s.horizon}, ` +
        `${m.error.toFixed(3)} ${s.unit} from the goal, ` +
        `reward so far ${total.toFixed(1)}`;
      if (m.done) {
        stop();
        say.textContent += m.success ? ". Reached and saved." : ". Saved.";
      }
    } else if (m.kind === "replay") {
      replay(m.path);
    }
  });

  const place = e => {
    const box = canvas.getBoundingClientRect();
    target = [s.low[0] + (e.clientX - box.left) / box.width * w,
              s.high[1] - (e.clientY - box.top) / box.height * h];
  };
  canvas.addEventListener("pointerdown", e => {
    canvas.setPointerCapture(e.pointerId);
    place(e);
  });
  canvas.addEventListener("pointermove", e => { if (running) place(e); });
  canvas.addEventListener("keydown", e => {
    if (!(e.key in KEYS)) return;
    e.preventDefault();
    e.stopPropagation();
    target = null;
    held.add(e.key);
  });
  canvas.addEventListener("keyup", e => held.delete(e.key));
  canvas.addEventListener("blur", () => held.clear());
  task.addEventListener("change", () => {
    stop();
    [obs, trail] = [s.first, []];
    draw();
  });

  function fill() {
    list.replaceChildren(...model.get("episodes").map((e, i) =>
      make("li", {}, `${e.error.toFixed(3)} ${s.unit} off, return ` +
        `${e.ret.toFixed(1)}${e.success ? ", reached " : " "}`,
        button("replay", () => ask({kind: "replay", episode: i})),
        button("delete", () => ask({kind: "delete", episode: i})))));
  }
  model.on("change:episodes", fill);
  fill();
  draw();
  return stop;
}

export default {render};
