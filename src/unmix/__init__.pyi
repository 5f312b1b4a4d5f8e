# The public names, by hand: read by type checkers, and by lazy_loader in __init__.py.
from . import datasets as datasets
from . import io as io

# In a source checkout it is the folder models/, which mypy cannot see as part of unmix; in an
# installed unmix it can.
from . import models as models  # type: ignore[attr-defined, unused-ignore]
from . import show as show
from .assign import Partition as Partition
from .assign import Relabelling as Relabelling
from .assign import Summary as Summary
from .assign import agreement as agreement
from .assign import align as align
from .assign import assignments as assignments
from .assign import co_assignment as co_assignment
from .assign import compare_relabellings as compare_relabellings
from .assign import draw_assignments as draw_assignments
from .assign import occupied as occupied
from .assign import partition as partition
from .assign import relabel as relabel
from .assign import responsibilities as responsibilities
from .assign import summary as summary
from .check import compare as compare
from .check import crosscheck as crosscheck
from .derive import Derivation as Derivation
from .derive import bayes_rule as bayes_rule
from .derive import derive as derive
from .derive.row_weights import weigh as weigh
from .errors import UnmixError as UnmixError
from .errors import UnmixWarning as UnmixWarning
from .infer import EMResult as EMResult
from .infer import em as em
from .infer import prior_predictive as prior_predictive
from .infer import sample as sample
from .io import load as load
from .io import save as save
from .show import explain as explain

__version__: str
