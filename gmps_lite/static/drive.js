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
  speed.value = "0.5";
  const list = make("ol", {start: 1, style: "padding-left:1.6em"});
  el.append(make("div", {style: "font:14px/1.4 sans-serif;color:inherit"},
    make("div", {}, button("record", () => begin()), task, " ", speed),
    canvas, say, list));

  const pen = canvas.getContext("2d");
  const px = (x, y) => [(x - s.low[0]) * scale * ratio,
                        (s.high[1] - y) * scale * ratio];
  let obs = s.first, trail = [], running = false, target = null;
  let total = 0, timer = null, hurry = null, asked = 0, count = 0;
  let goal = s.goals[0];
  // By its id, each message that waits for its answer, and when it left. An
  // answer that is not waited for any more is too late to count.
  const sent = new Map();
  const held = new Set();
  canvas.drawn = [];  // [ms from asking, ms when] of each, to be measured

  function disc(x, y, radius, color) {
    pen.fillStyle = color;
    pen.beginPath();
    pen.arc(...px(x, y), radius * scale * ratio, 0, 7);
    pen.fill();
  }

  function draw() {
    pen.clearRect(0, 0, canvas.width, canvas.height);
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
    Object.values(s.bodies).forEach(([at, size], i) => {
      const [x, y] = [obs[at], obs[at + 1]], color = i ? ORANGE : BLUE;
      if (typeof size === "number") return disc(x, y, size, color);
      for (const [dx, dy, across, up] of size) {
        const p = px(x + dx - across, y + dy + up);
        pen.fillStyle = color;
        pen.fillRect(...p, 2 * across * scale * ratio, 2 * up * scale * ratio);
      }
    });
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
    const id = ++count;
    sent.set(id, {message, at: performance.now()});
    model.send({...message, id});
    setTimeout(() => {
      if (sent.has(id)) say.textContent = "The kernel is busy, or gone: let " +
        "other cells finish, or run this one again.";
    }, 1500);
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

  function rest() {  // nothing moves, and no answer is waited for
    stop();
    sent.clear();
    trail = [];
  }

  function every(run) {
    clearInterval(timer);
    timer = setInterval(run, 1000 * s.dt / speed.value);
  }

  function begin() {
    rest();
    canvas.drawn = [];
    [total, asked, target] = [0, 0, null];
    goal = s.goals[task.value];
    canvas.focus();
    say.textContent = "Steer: drag, touch, or the arrow keys.";
    ask({kind: "reset", task: Number(task.value)});
  }

  function stop() {
    running = false;
    clearInterval(timer);
  }

  function replay(path, episode) {
    rest();
    goal = model.get("episodes")[episode].goal;
    let t = 0;
    every(() => {
      if (t === path.length) return stop();
      obs = path[t++];
      trail.push(obs);
      draw();
    });
  }

  model.on("msg:custom", m => {
    const waiting = sent.get(m.id);
    if (!waiting) return;
    sent.delete(m.id);
    if (!sent.size) clearInterval(hurry);
    if (m.problem) {
      stop();
      fill();
      say.textContent = m.problem;
    } else if (m.kind === "reset") {
      obs = m.obs;
      trail = [obs];
      draw();
      running = true;
      every(tick);
    } else if (m.kind === "step") {
      obs = m.obs;
      trail.push(obs);
      total += m.rew;
      draw();
      requestAnimationFrame(now => canvas.drawn.push([now - waiting.at, now]));
      say.textContent = `step ${m.t} of ${s.horizon}, ` +
        (s.height === null ? "" :
          `${(100 * obs[s.height]).toFixed(0)} cm high, `) +
        `${m.error.toFixed(3)} ${s.unit} from the goal, ` +
        `reward so far ${total.toFixed(1)}`;
      if (m.done) {
        stop();
        say.textContent += m.success ? ". Reached and saved." : ". Saved.";
      }
    } else if (m.kind === "replay") {
      replay(m.path, waiting.message.episode);
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
    rest();
    [obs, goal] = [s.first, s.goals[task.value]];
    say.textContent = "";
    draw();
  });

  function fill() {
    list.replaceChildren(...model.get("episodes").map((e, i) =>
      make("li", {}, `goal ${e.goal.map(x => x.toFixed(2)).join(", ")}: ` +
        `${e.error.toFixed(3)} ${s.unit} off, return ` +
        `${e.ret.toFixed(1)}${e.success ? ", reached " : " "}`,
        button("replay", () => {
          rest();
          ask({kind: "replay", episode: i});
        }),
        button("delete", () => {
          // The others are about to move up: a second click would hit one.
          list.querySelectorAll("button").forEach(b => b.disabled = true);
          rest();
          ask({kind: "delete", episode: i});
        }))));
  }
  model.on("change:episodes", fill);
  fill();
  draw();
  return stop;
}

export default {render};
