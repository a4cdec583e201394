"""How long feedback may be given, and how long it is kept."""

from pydantic import Field

from longline.settings import SettingsModel

_HOURS_OF_A_YEAR = 8766
_DAYS_OF_TEN_YEARS = 3653


class FeedbackSettings(SettingsModel):
    """Feedback on runs that were made with `feedback_keys`."""

    link_hours: float = Field(
        3.0, gt=0, le=_HOURS_OF_A_YEAR, description="Hours after a run's end in which its links take feedback."
    )
    keep_days: float = Field(
        30.0, gt=0, le=_DAYS_OF_TEN_YEARS, description="Days after a run's end for which its feedback is kept."
    )
