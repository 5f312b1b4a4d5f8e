"""Small data sets on which mixtures are shown, each as a pandas frame.

They are shipped with the package as they stand in R; only columns are renamed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["galaxies", "iris", "old_faithful", "penguins"]


def old_faithful() -> pd.DataFrame:
    """Eruptions of the Old Faithful geyser, Yellowstone, in October 1980.

    Returns
    -------
    pandas.DataFrame
        272 rows. ``eruptions``: the eruption's duration, minutes; ``waiting``: the time to the next
        eruption, minutes.

    References
    ----------
    R, ``datasets::faithful``, after W. Härdle (1991), *Smoothing Techniques with Implementation in
    S*, Springer. Described in A. Azzalini and A. W. Bowman (1990), "A look at some data on the Old
    Faithful geyser", *Applied Statistics* 39, 357-365.
    """
    return _read("faithful.csv")


def galaxies() -> pd.DataFrame:
    """Velocities of 82 galaxies in the Corona Borealis region.

    Returns
    -------
    pandas.DataFrame
        82 rows, ascending. ``velocity``: the speed at which the galaxy moves away from ours,
        1000 km/s.

    Notes
    -----
    Observation 78 is 26.69, as in MASS; the original has 26.96, as do Richardson and Green (1997),
    so figures published for one version differ slightly from those of the other.

    References
    ----------
    R, ``MASS::galaxies``, there in km/s (W. N. Venables and B. D. Ripley, 2002, *Modern Applied
    Statistics with S*, 4th ed., Springer). Measured by M. Postman, J. P. Huchra and M. J. Geller
    (1986), "Probes of large-scale structure in the Corona Borealis region", *The Astronomical
    Journal* 92, 1238-1247; made a mixture example by K. Roeder (1990), *Journal of the American
    Statistical Association* 85, 617-624.
    """
    return _read("galaxies_MASS.csv").rename(columns={"y": "velocity"})


def iris() -> pd.DataFrame:
    """Flowers of three species of iris, fifty of each.

    Returns
    -------
    pandas.DataFrame
        150 rows. ``sepal_length``, ``sepal_width``, ``petal_length``, ``petal_width``, cm; and
        ``species``: setosa, versicolor or virginica.

    References
    ----------
    R, ``datasets::iris``. Measured by E. Anderson (1935), "The irises of the Gaspe Peninsula",
    *Bulletin of the American Iris Society* 59, 2-5; published by R. A. Fisher (1936), "The use of
    multiple measurements in taxonomic problems", *Annals of Eugenics* 7, 179-188.
    """
    return _read("iris.csv").rename(
        columns={
            "Sepal.Length": "sepal_length",
            "Sepal.Width": "sepal_width",
            "Petal.Length": "petal_length",
            "Petal.Width": "petal_width",
            "label": "species",
        }
    )


def penguins() -> pd.DataFrame:
    """Penguins of three species on three islands of the Palmer Archipelago, Antarctica.

    Returns
    -------
    pandas.DataFrame
        344 rows. ``species``: Adelie, Chinstrap or Gentoo; ``island``: Biscoe, Dream or Torgersen;
        ``bill_length``, ``bill_depth`` and ``flipper_length``, mm; ``body_mass``, g; ``sex``:
        female, male or missing; ``year``: 2007 to 2009. Two rows have no measurement.

    References
    ----------
    R, ``palmerpenguins::penguins`` (A. M. Horst, A. P. Hill and K. B. Gorman, 2020,
    doi:10.5281/zenodo.3960218), CC0. Measured by K. B. Gorman, T. D. Williams and W. R. Fraser
    (2014), "Ecological sexual dimorphism and environmental variability within a community of
    Antarctic penguins (genus *Pygoscelis*)", *PLoS ONE* 9(3), e90081, and the Palmer Station Long
    Term Ecological Research program.
    """
    return _read("penguins.csv").rename(
        columns={
            "bill_length_mm": "bill_length",
            "bill_depth_mm": "bill_depth",
            "flipper_length_mm": "flipper_length",
            "body_mass_g": "body_mass",
        }
    )


def _read(name: str) -> pd.DataFrame:
    from importlib.resources import files

    import pandas as pd

    with (files("unmix") / "data" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file)
