"""Plausible wrong answers to the exercises of chapter 4."""

import torch


def kl(swap=False, half=True, total=True, scale="new", log=True):
    def f(m0, log_s0, m1, log_s1):
        if swap:
            m0, log_s0, m1, log_s1 = m1, log_s1, m0, log_s0
        ratio = torch.exp(2 * (log_s0 - log_s1))
        by = log_s1 if scale == "new" else log_s0
        shift = (m0 - m1) ** 2 * torch.exp(-2 * by)
        out = (0.5 if half else 1.0) * (ratio + shift - 1)
        out = out + (log_s1 - log_s0 if log else 0)
        return out.sum(-1) if total else out
    return f


def shift_by_deviation(m0, log_s0, m1, log_s1):
    ratio = torch.exp(2 * (log_s0 - log_s1))
    shift = (m0 - m1) ** 2 * torch.exp(-log_s1)
    return (log_s1 - log_s0 + 0.5 * (ratio + shift - 1)).sum(-1)


def cg(beta=True, relative=True, fresh=False, sign=-1, guard=True,
       check=True):
    def f(product, b, tol=1e-6):
        x, r, p = torch.zeros_like(b), b.clone(), b.clone()
        for _ in range(len(b)):
            bound = tol * b.norm() if relative else tol
            small = r.norm() <= bound if guard else r.norm() < bound
            if check and small:
                break
            Fp = product(p)
            along = (r @ r) / (p @ Fp)
            x = x + along * p
            rest = b - product(x) if fresh else r + sign * along * Fp
            p = rest + ((rest @ rest) / (r @ r) * p if beta else 0)
            r = rest
        return x
    return f


def descent(product, b, tol=1e-6):
    x = torch.zeros_like(b)
    for _ in range(10_000):
        r = b - product(x)
        if r.norm() <= tol * b.norm():
            break
        x = x + 0.2 * r
    return x


def clipped(pick=torch.minimum, sign=-1.0, exp=True, both=True):
    def f(logp, old_logp, adv, eps=0.2):
        w = torch.exp(logp - old_logp) if exp else logp - old_logp
        kept = w.clamp(1 - eps, 1 + eps)
        out = pick(w * adv, kept * adv) if both else kept * adv
        return sign * out.mean()
    return f


def clip_advantage(logp, old_logp, adv, eps=0.2):
    w = torch.exp(logp - old_logp)
    return -torch.minimum(w * adv, w * adv.clamp(1 - eps, 1 + eps)).mean()


WRONG = {
    "E4.1": [
        lambda n, e, t, k=1: n * e * t,
        lambda n, e, t, k=1: 2 * n * e * t,
        lambda n, e, t, k=1: k * n * e * t,
        lambda n, e, t, k=1: 2 * k * n * e * t,
        lambda n, e, t, k=1: (k + 1) * e * t,
        lambda n, e, t, k=1: n * e * (t + k * t + k),
    ],
    "E4.2": [
        kl(swap=True), kl(half=False), kl(total=False), kl(scale="old"),
        kl(log=False), shift_by_deviation,
        lambda *x: kl()(*x).mean(),
    ],
    "E4.3": [
        cg(beta=False), cg(relative=False), cg(fresh=True), cg(sign=1),
        cg(guard=False), cg(check=False), descent,
        lambda product, b, tol=1e-6: b,
    ],
    "E4.4": [
        clipped(both=False), clipped(pick=torch.maximum), clipped(sign=1.0),
        clipped(exp=False), clip_advantage,
        lambda logp, old, adv, eps=0.2: -((logp - old).exp() * adv).mean(),
        lambda *x, **k: clipped()(*x, **k).detach(),
    ],
}
