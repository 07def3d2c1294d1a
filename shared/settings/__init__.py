"""Settings: one frozen object per service, read once from the environment.

    settings = load(AssessmentSettings)        # in a __main__: prints every problem at once and exits with 2
    settings = read(AssessmentSettings, {...}) # in tests: raises BadSettings, which lists every problem
    settings.database("assessment"), settings.topic(events.PROFILES_TOPIC), settings.group("recommender")

`described()` lists each setting with its sentence and default; a test compares them with `deploy/env.example`. A secret
NAME may be read from a file: NAME_FILE holds its path. An unknown variable that resembles a setting is a problem too:
one with a prefix of this project (KAFKA_, MONGODB_, API_KEY_, HTTP_, OPENID_), or nearly the name of a setting.

parsers    parsers of setting values
declared   the settings of each service
reading    reads them from the environment
"""

from shared.settings.declared import (
    BY_SERVICE,
    AssessmentSettings,
    CatalogSettings,
    KafkaSettings,
    NamedSettings,
    PortalSettings,
    RecommenderSettings,
    Settings,
    StoreSettings,
    TopicsSettings,
)
from shared.settings.reading import BadSettings, SettingDescription, described, load, read

__all__ = [
    "BY_SERVICE",
    "AssessmentSettings",
    "BadSettings",
    "CatalogSettings",
    "KafkaSettings",
    "NamedSettings",
    "PortalSettings",
    "RecommenderSettings",
    "SettingDescription",
    "Settings",
    "StoreSettings",
    "TopicsSettings",
    "described",
    "load",
    "read",
]
