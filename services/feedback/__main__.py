"""python -m services.feedback [api|consume|relay|timers|migrate|all]"""

from pathlib import Path

from services.feedback.app import create_app
from services.feedback.consumer import READS, make_handler
from services.feedback.settings import FeedbackSettings
from services.feedback.timers import make_spec
from shared.service import Service, main

SERVICE = Service(
    name="feedback",
    settings=FeedbackSettings,
    migrations=Path(__file__).with_name("migrations"),
    app=create_app,
    handle=make_handler,
    reads=READS,
    gather=0.4,
    timers=make_spec,
)

if __name__ == "__main__":
    main(SERVICE)
