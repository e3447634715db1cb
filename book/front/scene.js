// Draws the front page's experiment (adapt.js computes it) and listens to the
// reader: drag the goal or move it with the arrow keys, press Adapt.
"use strict";

(() => {
  const box = document.getElementById("adapt");
  const model = JSON.parse(document.getElementById("adapt-model").textContent);
  const EPISODES = 20; // of one step
  const find = (name) => box.querySelector(`[data-part="${name}"]`);
  const [svg, goal, tries, paths, dot, go, again, list, end, say] = [
    "scene", "goal", "tries", "paths", "dot", "go", "again", "list", "end",
    "say"].map(find);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const normal = gmps.normals(Date.now() & 0xffff);
  let at, params, step, motion = 0;

  const line = (path) => "M" + path.map(([x, y]) =>
    `${x.toFixed(3)} ${(-y).toFixed(3)}`).join("L");

  function draw(parent, path, kind) {
    const node = document.createElementNS(svg.namespaceURI, "path");
    node.setAttribute("d", line(path));
    node.setAttribute("class", kind);
    parent.append(node);
  }

  // The point runs along the path, twice as fast as it acts.
  function run(path) {
    cancelAnimationFrame(motion);
    const begin = performance.now();
    const frame = (now) => {
      // A frame's time can lie before the call that asked for it.
      const t = still.matches ? path.length - 1
        : Math.min(Math.max((now - begin) / 50, 0), path.length - 1);
      const i = Math.floor(t), j = Math.min(i + 1, path.length - 1);
      const [x, y] = [0, 1].map((k) =>
        path[i][k] + (t - i) * (path[j][k] - path[i][k]));
      dot.setAttribute("transform", `translate(${x} ${-y})`);
      if (t < path.length - 1) motion = requestAnimationFrame(frame);
    };
    motion = requestAnimationFrame(frame);
  }

  // What the policy does now, without noise: a path, and a line of the list.
  function show() {
    const [{ path, rew }] = gmps.rollout(model, params, at, 1, () => 0);
    draw(paths, path, `path step-${step}`);
    const item = document.createElement("li");
    const name = step ? `After ${step} step${step > 1 ? "s" : ""}` : "Before";
    item.className = `step-${step}`;
    item.textContent = `${name}: ends ${(-rew.at(-1)).toFixed(2)} m off`;
    list.append(item);
    const done = step === model.most;
    go.setAttribute("aria-disabled", done); // and keeps the focus
    go.textContent = step ? "Adapt again" : "Adapt";
    end.hidden = !done;
    run(path);
    return item.textContent + (done ? `. ${end.textContent}` : "");
  }

  // The goal stays on the circle: its training had goals nowhere else.
  function begin(x, y) {
    const far = Math.hypot(x, y);
    at = far ? [x / far, y / far] : at;
    const turn = Math.round(Math.atan2(at[1], at[0]) * 180 / Math.PI);
    goal.setAttribute("transform", `translate(${at[0]} ${-at[1]})`);
    goal.setAttribute("aria-valuenow", turn);
    goal.setAttribute("aria-valuetext", `${turn} degrees`);
    [tries, paths, list].forEach((node) => node.replaceChildren());
    params = model.params;
    step = 0;
    show();
  }

  go.addEventListener("click", () => {
    if (step === model.most) return;
    const episodes = gmps.rollout(model, params, at, EPISODES, normal);
    params = gmps.adapt(model, params, episodes);
    step += 1;
    tries.replaceChildren();
    episodes.forEach((run) => draw(tries, run.path, "try"));
    say.textContent = show();
  });
  again.addEventListener("click", () => {
    begin(...at);
    say.textContent = list.textContent;
  });

  let held = false;
  const drag = (event) => {
    const p = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    begin(p.x, -p.y);
  };
  svg.addEventListener("click", drag);
  svg.addEventListener("pointerdown", (event) => {
    // A thumb beside the goal may be about to scroll: wait for its tap.
    if (event.pointerType === "touch" && !goal.contains(event.target)) return;
    held = true;
    svg.setPointerCapture(event.pointerId);
    goal.focus();
    drag(event);
  });
  svg.addEventListener("pointermove", (event) => { if (held) drag(event); });
  ["pointerup", "pointercancel"].forEach((name) =>
    svg.addEventListener(name, () => { held = false; }));
  goal.addEventListener("keydown", (event) => {
    const turn = { ArrowLeft: 5, ArrowUp: 5, ArrowRight: -5, ArrowDown: -5 };
    const by = (turn[event.key] || 0) * Math.PI / 180;
    if (!by) return;
    event.preventDefault();
    const [c, s] = [Math.cos(by), Math.sin(by)];
    begin(c * at[0] - s * at[1], s * at[0] + c * at[1]);
  });

  box.hidden = false;
  begin(0.5, 0.85);
})();
