"""Wrong moves of all of θ at once: (model, what is spoilt in the sweep's module)."""


def without_the_proposals_density(sweep, monkeypatch):
    monkeypatch.setattr(sweep, "log_proposal", lambda *a: 0.0)


def without_the_marginal_likelihood(sweep, monkeypatch):
    right = sweep.pass_rows
    monkeypatch.setattr(sweep, "pass_rows", lambda *a: 0.0 * right(*a))


def without_the_jacobian(sweep, monkeypatch):
    right = sweep.unfold

    def unfold(families, terms, blocks, hyper, y, *rest):
        return (
            right(families, terms, blocks, hyper, y, *rest) - y[-2:].sum()
        )  # log σ of both components

    monkeypatch.setattr(sweep, "unfold", unfold)


def without_the_prior(sweep, monkeypatch):
    right = sweep.unfold
    monkeypatch.setattr(sweep, "unfold", lambda *a: 0.0 * right(*a))


def with_every_proposal_taken(sweep, monkeypatch):
    right = sweep.pass_rows
    monkeypatch.setattr(sweep, "pass_rows", lambda *a: right(*a) + 1e6)


MUTANTS = {
    "without the proposal's density": ("gamma", without_the_proposals_density),
    "without the marginal likelihood": ("gamma", without_the_marginal_likelihood),
    "without the Jacobian": ("gamma", without_the_jacobian),
    "without the prior": ("poisson", without_the_prior),
    "with every proposal taken": ("gamma", with_every_proposal_taken),
}
