"""What is wrong with a gradient: explanations, ranked by how much of the residue they explain."""

from tinygrad_relu.gradcheck.diagnosis.case import Case, Draw, Explanation
from tinygrad_relu.gradcheck.diagnosis.diagnose import diagnose
from tinygrad_relu.gradcheck.diagnosis.labels import Label

__all__ = ["Case", "Draw", "Explanation", "Label", "diagnose"]
