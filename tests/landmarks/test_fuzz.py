"""Whatever a file of labels holds: labels, or an error of ours that says what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mangling import mangled, survives

from lead.landmarks.format import Format
from lead.landmarks.formats import FORMATS


@pytest.mark.parametrize("known", FORMATS, ids=[known.name for known in FORMATS])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_spoilt_file_is_read_or_refused(known: Format, data: st.DataObject) -> None:
    survives(data.draw(mangled(known)), known)
