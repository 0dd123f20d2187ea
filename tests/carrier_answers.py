"""Answers of carriers, as documented and recorded, and how the shipped files read them.

Owns: the answers, each with where it comes from. Must not: know what they mean.
"""

from typing import Any

from postcart.content.answer_files import load_answer_form
from postcart.domain.track.answers import Answer, read_answer
from postcart.events.polls import PollRequest

SHIPPO: dict[str, Any] = {
    "carrier": "usps",
    "messages": [],
    "tracking_number": "9205590164917312751089",
    "tracking_history": [
        {
            "object_created": "2016-07-23T13:03:26.981Z",
            "object_id": "2f3d0e3e7e4c4b0b8c6f1c1f7c2f3a11",
            "status": "TRANSIT",
            "status_details": "Your shipment has departed from the origin.",
            "location": {"city": "Reno", "country": "US", "state": "NV", "zip": "89502"},
            "substatus": {"code": "package_departed", "text": "Package has departed.", "action_required": False},
            "status_date": "2016-07-22T11:05:00Z",
        },
        {
            "object_created": "2016-07-23T13:03:26.981Z",
            "object_id": "ce48ff3d52a34e91b77aa98370182624",
            "status": "DELIVERED",
            "status_details": "Your shipment has been delivered at the destination mailbox.",
            "location": {"city": "Las Vegas", "country": "US", "state": "NV", "zip": "89101"},
            "substatus": {"code": "delivered", "text": "Package has been delivered.", "action_required": False},
            "status_date": "2016-07-23T00:00:00Z",
        },
    ],
    "tracking_status": {
        "object_created": "2016-07-23T13:03:27.005Z",
        "object_id": "8e0f9b4b9c5c4a3a9f5c7b6f0d1e2a33",
        "status": "DELIVERED",
        "status_details": "Your shipment has been delivered at the destination mailbox.",
        "location": {"city": "Las Vegas", "country": "US", "state": "NV", "zip": "89101"},
        "substatus": {"code": "delivered", "text": "Package has been delivered.", "action_required": False},
        "status_date": "2016-07-23T00:00:00Z",
    },
    "eta": "2016-07-23T00:00:00Z",
    "test": False,
}
"""https://docs.goshippo.com/api-reference/tracking-status/get-a-tracking-status: fields and values of the example."""

NOWHERE = {"object": "TrackingLocation", "city": None, "state": None, "country": None, "zip": None}
EASYPOST: dict[str, Any] = {
    "trackers": [
        {
            "id": "trk_895f9744d4e84493b531c97146d63838",
            "object": "Tracker",
            "mode": "test",
            "tracking_code": "EZ1000000001",
            "status": "pre_transit",
            "status_detail": "status_update",
            "carrier": "USPS",
            "tracking_details": [
                {
                    "object": "TrackingDetail",
                    "message": "Pre-Shipment Info Sent to USPS",
                    "description": None,
                    "status": "pre_transit",
                    "status_detail": "status_update",
                    "datetime": "2022-03-20T18:38:05Z",
                    "source": "USPS",
                    "tracking_location": NOWHERE,
                },
                {
                    "object": "TrackingDetail",
                    "message": "Shipping Label Created",
                    "description": None,
                    "status": "pre_transit",
                    "status_detail": "status_update",
                    "datetime": "2022-03-21T07:15:05Z",
                    "source": "USPS",
                    "tracking_location": {**NOWHERE, "city": "HOUSTON", "state": "TX", "zip": "77063"},
                },
            ],
        },
        {
            "id": "trk_4a2bf4b1e7bd441e88ed8109f6eb7e1d",
            "object": "Tracker",
            "tracking_code": "9400100109361115909067",
            "carrier": "USPS",
            "tracking_details": [
                {
                    "status": "delivered",
                    "status_detail": "arrived_at_destination",
                    "datetime": "2022-03-20T18:37:54Z",
                    "tracking_location": NOWHERE,
                }
            ],
        },
    ],
    "has_more": False,
}
"""EasyPost/easypost-python, tests/cassettes/test_tracker_all.yaml: a recorded answer, shortened; of the other parcel a
scan is changed, so that it would matter."""

FORMS = {name: load_answer_form(name) for name in ("shippo", "easypost")}


def read(name: str, document: Any, number: str, **request: Any) -> Answer:
    """By a shipped form."""
    asked = PollRequest(**{"parcel_id": "p", "carrier": "usps", "tracking_number": number, "at_ms": 0, **request})
    return read_answer(document, FORMS[name], asked)


def shippo(document: Any = SHIPPO, **request: Any) -> Answer:
    """About the number of the example."""
    return read("shippo", document, "9205590164917312751089", **request)
