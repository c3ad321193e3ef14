"""Every check of the gate at its edge: the last order that passes, and the first that is refused, with numbers.

One table for two tests: that the gate decides so, and that no check can be taken out without a row going wrong.
"""

from tests.core.gate_cases_exposure import EXPOSURE_CASES
from tests.core.gate_cases_flow import FLOW_CASES
from tests.core.gate_cases_order import ORDER_CASES
from tests.core.gate_cases_reference import REFERENCE_CASES

CASES = [*ORDER_CASES, *EXPOSURE_CASES, *REFERENCE_CASES, *FLOW_CASES]
