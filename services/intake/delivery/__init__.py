"""The door through which messages to customers leave.

loop.py      claims what is due, has it carried and writes down what became of it
figures.py   what operators see of it, and what is forgotten after a time
"""

from services.intake.delivery.figures import tidy, watch
from services.intake.delivery.loop import deliver, deliver_due

__all__ = ["deliver", "deliver_due", "tidy", "watch"]
