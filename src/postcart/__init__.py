"""Postcart: event streaming on Kafka that turns abandoned carts and parcel milestones into messages."""
