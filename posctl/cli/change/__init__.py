"""`posctl change`: the change of a settlement account, step by step.

``course`` goes through it; ``outlook`` tells before and after what there is to know;
``steering`` stops, ends or hands it over.
"""

from __future__ import annotations

from posctl.cli.change import course, outlook, steering
from posctl.cli.change.group import change

__all__ = ["change", "course", "outlook", "steering"]
