// The front page's experiment: a meta-trained policy adapts in the reader's
// browser. The first half is gmps_lite's inner loop once more, without a
// library; tests/test_adapt.py holds it against the package. The second half
// draws. A plain script, not a module: pages opened from disk load no modules.
"use strict";

// --- the policy, one episode after another; x is a row of numbers -----------

function layers(params) {
  return Object.keys(params).filter((k) => k.startsWith("W")).length;
}

// What every layer puts out for one observation [O]; the last is the mean.
function forward(model, params, obs) {
  const { mid, scale } = model.policy;
  let x = [...obs.map((o, i) => (o - mid[i]) / scale[i]), ...params.z];
  const seen = [x], last = layers(params) - 1;
  for (let l = 0; l <= last; l++) {
    const W = params["W" + l];
    const y = params["b" + l].slice();
    x.forEach((xi, i) => { if (xi) W[i].forEach((w, j) => { y[j] += xi * w; }); });
    x = l < last ? y.map((v) => Math.max(v, 0)) : y;
    seen.push(x);
  }
  return seen;
}

function logDensity(mean, logStd, act) {
  return act.reduce((sum, a, i) => {
    const u = (a - mean[i]) / Math.exp(logStd[i]);
    return sum - 0.5 * u * u - logStd[i] - 0.5 * Math.log(2 * Math.PI);
  }, 0);
}

// Episodes of T steps toward a goal; normal() draws noise, () => 0 has none.
function rollout(model, params, goal, count, normal) {
  const std = params.log_std.map(Math.exp), episodes = [];
  for (let e = 0; e < count; e++) {
    let at = [0, 0];
    const run = { obs: [], act: [], rew: [], logp: [], path: [at] };
    for (let t = 0; t < model.horizon; t++) {
      const mean = forward(model, params, at).at(-1);
      const act = mean.map((m, i) => m + std[i] * normal());
      // An action beyond -1 to 1 moves the point no farther than 1 does.
      const move = act.map((a) => model.step * Math.min(Math.max(a, -1), 1));
      run.obs.push(at);
      run.act.push(act);
      run.logp.push(logDensity(mean, params.log_std, act));
      at = [at[0] + move[0], at[1] + move[1]];
      run.rew.push(-Math.hypot(at[0] - goal[0], at[1] - goal[1]));
      run.path.push(at);
    }
    episodes.push(run);
  }
  return episodes;
}

// --- advantages: a linear baseline, GAE, normalized --------------------------

function discounted(x, factor) {
  let future = 0;
  return x.map((_, i) => (future = x[x.length - 1 - i] + factor * future))
    .reverse();
}

function features(obs, t) {
  const o = obs.map((v) => Math.min(Math.max(v, -10), 10)), s = t / 100;
  return [...o, ...o.map((v) => v * v), s, s * s, s * s * s, 1];
}

// Gaussian elimination: A is symmetric, positive and small.
function solve(A, b) {
  const M = A.map((row, i) => [...row, b[i]]), n = b.length;
  for (let k = 0; k < n; k++) {
    let p = k;
    for (let i = k; i < n; i++) {
      if (Math.abs(M[i][k]) > Math.abs(M[p][k])) p = i;
    }
    [M[k], M[p]] = [M[p], M[k]];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const f = M[i][k] / M[k][k];
      for (let j = k; j <= n; j++) M[i][j] -= f * M[k][j];
    }
  }
  return M.map((row, i) => row[n] / row[i]);
}

function advantages(model, episodes) {
  const { gamma, lam, ridge } = model;
  const x = [], y = [];
  for (const run of episodes) {
    discounted(run.rew, gamma).forEach((r, t) => {
      x.push(features(run.obs[t], t));
      y.push(r);
    });
  }
  const n = x[0].length, all = [...Array(n).keys()];
  const gram = all.map((i) => all.map((j) =>
    x.reduce((sum, row) => sum + row[i] * row[j], i === j ? ridge : 0)));
  const weight = solve(gram, all.map((i) =>
    x.reduce((sum, row, k) => sum + row[i] * y[k], 0)));
  const value = x.map((row) => row.reduce((s, v, i) => s + v * weight[i], 0));
  const T = model.horizon;
  const adv = episodes.flatMap((run, e) => discounted(run.rew.map((r, t) =>
    r + (t + 1 < T ? gamma * value[e * T + t + 1] : 0) - value[e * T + t]),
  gamma * lam));
  const mean = adv.reduce((s, a) => s + a, 0) / adv.length;
  const std = Math.sqrt(adv.reduce((s, a) => s + (a - mean) ** 2, 0)
    / (adv.length - 1));
  return adv.map((a) => (a - mean) / (std + 1e-8));
}

// --- the inner step: params - step * gradient of -mean(w logp adv) -----------

function adapt(model, params, episodes) {
  const zero = (v) => (Array.isArray(v) ? v.map(zero) : 0);
  const grad = Object.fromEntries(
    Object.entries(params).map(([k, v]) => [k, zero(v)]));
  const adv = advantages(model, episodes), last = layers(params) - 1;
  const dim = model.policy.mid.length;
  let k = 0;
  for (const run of episodes) {
    run.obs.forEach((obs, t) => {
      const seen = forward(model, params, obs), mean = seen.at(-1);
      const logp = logDensity(mean, params.log_std, run.act[t]);
      const w = Math.min(Math.exp(logp - run.logp[t]), model.max_ratio);
      const c = -w * adv[k++] / adv.length; // of d logp
      const inv = params.log_std.map((s) => Math.exp(-s));
      const u = run.act[t].map((a, i) => (a - mean[i]) * inv[i]);
      u.forEach((v, i) => { grad.log_std[i] += c * (v * v - 1); });
      let d = u.map((v, i) => c * v * inv[i]); // back through the layers
      for (let l = last; l >= 0; l--) {
        const x = seen[l], W = params["W" + l];
        d.forEach((v, j) => { grad["b" + l][j] += v; });
        x.forEach((xi, i) => d.forEach((v, j) => {
          grad["W" + l][i][j] += xi * v;
        }));
        d = W.map((row, i) => (l > 0 && x[i] <= 0 ? 0
          : row.reduce((s, wij, j) => s + wij * d[j], 0)));
      }
      d.slice(dim).forEach((v, i) => { grad.z[i] += v; });
    });
  }
  const move = (p, a, g) => (Array.isArray(p)
    ? p.map((_, i) => move(p[i], a[i], g[i])) : p - a * g);
  return Object.fromEntries(Object.keys(params).map((key) =>
    [key, move(params[key], model.steps[key], grad[key])]));
}

// Normal noise that a seed decides: mulberry32, then Box and Muller.
function normals(seed) {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform()))
    * Math.cos(2 * Math.PI * uniform());
}

window.gmps = { forward, rollout, advantages, adapt, normals };
