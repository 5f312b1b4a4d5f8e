"""unmix for people at home in scikit-learn: `Mixture`, an estimator by its conventions."""

try:
    import sklearn as _installed  # noqa: F401  the sentence below is more use than Python's own
except ImportError as missing:
    raise ImportError(
        "unmix.sklearn needs scikit-learn: install it with pip install 'unmix[sklearn]'"
    ) from missing

from unmix.sklearn.mixture import Mixture

__all__ = ["Mixture"]
