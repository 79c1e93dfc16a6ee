"""Scales and measures as HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from fastapi.responses import Response

from lead.studio.measure_messages import Measurements, NewMeasure, RemovedMeasure, ScaleLine

if TYPE_CHECKING:
    from lead.studio.session import Session


def measure_routes(session: Session) -> APIRouter:
    """How large pixels are, and what is measured."""
    routes = APIRouter()

    @routes.get("/pictures/{id}/measurements")
    def measurements(id: str) -> Measurements:
        return session.measuring.of(id)

    @routes.post("/pictures/{id}/scale")
    def draw_scale(id: str, line: ScaleLine) -> Measurements:
        """Gives this picture, some or all the scale of a line that was drawn over this one."""
        session.measuring.draw_scale(id, line)
        return session.measuring.of(id)

    @routes.post("/pictures/{id}/measures")
    def add(id: str, measure: NewMeasure) -> Measurements:
        """Adds a measure of all specimens; what it is in this picture comes back."""
        session.measuring.add(measure)
        return session.measuring.of(id)

    @routes.post("/pictures/{id}/measures/remove")
    def remove(id: str, gone: RemovedMeasure) -> Measurements:
        session.measuring.remove(gone.name)
        return session.measuring.of(id)

    @routes.get("/export/measurements", response_class=Response)
    def export() -> Response:
        content = session.measuring.export().encode()
        name = f"{session.plain_name()}-measurements.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="text/csv", headers=headers)

    return routes
