"""Which road a derived model's data are taken along: one compiled pass, one in parts, the table."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmix.onepass.onepass import OnePass
    from unmix.onepass.parts import Parts
    from unmix.onepass.terms import Recognised


class Roads:
    """The roads of a derivation, each looked for when it is first asked for.

    Numba and the families take a while to import, and not all need them.
    """

    @cached_property
    def recognised(self) -> "Recognised | str":
        """What the pass over the data needs to know of the model; or why it does not apply."""
        from unmix.onepass.recognise import NotRecognised, recognise

        try:
            return recognise(self)
        except NotRecognised as reason:
            return str(reason)

    @cached_property
    def onepass(self) -> "OnePass | None":
        """The compiled pass over the data; None where the model takes the general road.

        Held to the derived table, at two points, before it is handed out.
        """
        from unmix.onepass.onepass import OnePass
        from unmix.onepass.verify import require_table

        if isinstance(self.recognised, str):
            return None
        onepass = OnePass(self.recognised)
        require_table(self, onepass)
        return onepass

    @cached_property
    def parts(self) -> "Parts | None":
        """The pass in parts, where rows are of a few kinds and no one pass applies; or None."""
        return None if isinstance(self._in_parts, str) else self._in_parts

    @cached_property
    def _in_parts(self) -> "Parts | str":
        """The pass in parts; or why there is none."""
        from unmix.onepass.recognise import NotRecognised
        from unmix.onepass.recognise_parts import recognise_parts

        if self.onepass is not None:
            return "one pass is enough"
        try:
            return recognise_parts(self)
        except NotRecognised as reason:
            return str(reason)

    @property
    def road(self) -> str:
        """Which road the data are taken along, and why."""
        if self.parts is not None:
            return f"fast, a compiled pass over the data in parts: {self.parts}"
        if isinstance(self.recognised, str):
            why = dict.fromkeys((self.recognised, str(self._in_parts)))
            return f"general, NumPy over the derived table: {', and '.join(why)}"
        families = ", ".join(dict.fromkeys(t.family.name for t in self.recognised.terms))
        z = self.recognised.derivation.latent.name
        return (
            f"fast, one compiled pass over the data: {families} given {z}, with parameters that no "
            "row changes"
        )
