"""What Apple's reasons mean for a message, its device and us.

Owns: these tables; their source is "Handling notification responses from APNs", looked at 2026-11. Must not: do
anything with them. What is in none of them is judged by its HTTP status.
"""

from typing import Final

GONE: Final = frozenset({"BadDeviceToken", "Unregistered", "ExpiredToken"})
"""The device takes nothing any more, or never did."""

OURS: Final = frozenset({"DeviceTokenNotForTopic", "BadTopic"})
"""About us, for this device: its app is another one than our topic."""

CREDENTIALS: Final = frozenset(
    {
        "BadCertificate",
        "BadCertificateEnvironment",
        "BadEnvironmentKeyIdInToken",
        "BadEnvironmentKeyInToken",
        "ExpiredProviderToken",
        "Forbidden",
        "InvalidProviderToken",
        "MissingProviderToken",
        "MissingTopic",
        "TopicDisallowed",
        "UnrelatedKeyIdInToken",
    }
)
"""About all that we send."""

PACE: Final = {"TooManyProviderTokenUpdates": 20 * 60_000}
"""All that we send has to wait so long, in milliseconds."""
