"""Every operation that is compared, by name."""

from layers import ACTIVATIONS, MOVES, POSITIONS
from norms import NORMS
from training import BACKWARD, LOSSES, OPTIMIZERS, SUMS

_ALL = (*NORMS, *ACTIVATIONS, *LOSSES, *POSITIONS, *BACKWARD, *SUMS, *OPTIMIZERS, *MOVES)
OPERATIONS = {operation.name: operation for operation in _ALL}
