"""NumPyro's NUTS on the marginal model; `method` is ``diag`` or ``dense``, for its metric."""

import sampling_task

try:
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import NUTS, init_to_value
except ImportError as error:
    sampling_task.skip(f"{error.name} is not installed")

import numpy as np

numpyro.enable_x64()
task, given = sampling_task.read()
x = jnp.asarray(given.x[:, 0] if task.d == 1 else given.x)


def model() -> None:
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(task.k)))
    choice = dist.Categorical(probs=w)
    shape = [task.k] if task.d == 1 else [task.k, task.d]
    # The priors of one feature broadcast over components, those of several stand in a row.
    centre, spread, scale = (
        jnp.broadcast_to(jnp.asarray(v if task.d > 1 else v[0]), shape)
        for v in (given.centre, given.spread, given.scale)
    )
    mu = numpyro.sample("mu", dist.Normal(centre, spread).to_event(len(shape)))
    sigma = numpyro.sample("sigma", dist.Gamma(2, 2 / scale).to_event(len(shape)))
    if task.d == 1:
        part = dist.Normal(mu, sigma)
    else:
        prior = dist.LKJCholesky(task.d, 2.0).expand([task.k]).to_event(1)
        corr = numpyro.sample("corr", prior)
        part = dist.MultivariateNormal(mu, scale_tril=sigma[..., None] * corr)
    numpyro.sample("x", dist.MixtureSameFamily(choice, part), obs=x)


begin = given.begin(0, task.seed)
if task.d == 1:
    del begin["corr"]
values = {k: jnp.asarray(v[:, 0] if task.d == 1 and v.ndim > 1 else v) for k, v in begin.items()}
kernel = NUTS(model, dense_mass=task.method == "dense", init_strategy=init_to_value(values=values))


def step(state, _):
    state = kernel.sample(state, (), {})
    return state, state.z


# NumPyro's own `MCMC` compiles again each time it goes from tuning to drawing, which cannot be told
# apart from sampling; so its kernel's steps are put into a loop here, and compiled beforehand.
begun = sampling_task.now()
states = [
    kernel.init(jax.random.key(task.seed + chain), task.tune, None, (), {})
    for chain in range(task.chains)
]
loops = {"tuning": task.tune, "drawing": task.draws}
compiled = {
    name: jax.jit(lambda state, many=many: jax.lax.scan(step, state, length=many))
    .lower(states[0])
    .compile()
    for name, many in loops.items()
}
figures = sampling_task.between("compiling", begun, sampling_task.now())
for name in loops:
    before = sampling_task.now()
    found = [jax.block_until_ready(compiled[name](state)) for state in states]
    figures |= sampling_task.between(name, before, sampling_task.now())
    states = [state for state, _ in found]
unconstrained = [z for _, z in found]
before = sampling_task.now()
constrain = jax.jit(jax.vmap(kernel.postprocess_fn((), {})))
samples = [constrain(z) for z in unconstrained]
figures |= sampling_task.between("constraining", before, sampling_task.now())
draws = {name: np.stack([chain[name] for chain in samples]) for name in ("w", "mu", "sigma")}
version = f"{numpyro.__version__}, jax {jax.__version__}"
sampling_task.finish(task, draws, {**figures, "version": version})
