"""A derivation in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation


def described(derivation: "Derivation") -> str:
    """What printing a derivation shows."""
    axes = ", ".join(f"{n}[axis {a}]" for n, a in derivation.components.axes.items())
    families = "; ".join(", ".join(f) for f in derivation.components.families)
    blocks = " ".join("{" + ", ".join(map(str, b)) + "}" for b in derivation.components.symmetry)
    exchangeable = blocks if derivation.components.symmetric else "none: labels have meaning"
    observed = ", ".join(derivation.opened.assignment_terms)
    return (
        f"mixture of {derivation.n_components} components over {derivation.n_obs} observations\n"
        f"  latent       {derivation.latent.name}\n"
        f"  likelihood   {observed}\n"
        f"  components   {axes or 'no parameter has a component axis'}"
        f"{'; ' + families if families else ''}\n"
        f"  exchangeable {exchangeable}\n"
        f"  road         {derivation.road}\n"
        f"  verified     {derivation.verification}"
    )
